"""The commands on models and audio: list, new, check, separate; and fit, whose flags are those of LightningCLI."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msbench import registry
from msbench.cli.adding import Adder, add_inference, add_settings, inference_of, settings_of
from msbench.system import errors
from msbench.system.exit_codes import DONE, FAILED
from msbench.system.safe_path import safe_path
from msbench.system.terminal import visible

if TYPE_CHECKING:
    from msbench.model.separator import Separator
    from msbench.separation.batch import Failure


def add(command: Adder) -> None:
    """Add the commands."""
    listing = command("list", _list, "what is registered: models, datasets, losses, recipes, boards")
    listing.add_argument("kind", nargs="?", default="models", choices=[*registry.KINDS, "recipes", "boards"])

    new = command("new", _new, "a new plugin with its recipe and its test, ready to run")
    new.add_argument("name")
    new.add_argument("--kind", choices=["mask", "waveform"], default="mask", help="what the model writes (mask)")
    new.add_argument("-o", "--output", type=Path, default=Path(), help="folder to write into (here)")

    check = command("check", _check, "whether a model keeps the plugin contract")
    check.add_argument("name")
    check.add_argument("--compile", action="store_true", help="try torch.compile too (a minute or more)")

    joining = command("join", _join, "one checkpoint of several that hold different targets")
    text = "of one model with a network per target, each trained on other targets"
    joining.add_argument("checkpoints", nargs="+", type=Path, metavar="CKPT", help=text)
    joining.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the new checkpoint")

    separate = command("separate", _separate, "split audio files into stems")
    separate.add_argument("model", help="a checkpoint, or the name of a model without weights")
    text = "audio (wav, flac, mp3, m4a, ...), video, or folders of them"
    separate.add_argument("files", nargs="+", type=Path, metavar="FILE", help=text)
    text = "stems go to <output>/<file>/, or <output>/<its place in its folder>/, and replace those of an earlier call"
    separate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=text)
    add_settings(separate)
    add_inference(separate)


def _list(options: argparse.Namespace) -> int:
    rows: list[tuple[str, str, str]]
    if options.kind == "recipes":
        rows = [(name, str(path), "") for name, path in registry.recipes().items()]
    elif options.kind == "boards":
        rows = [(p.parent.name, str(p), "") for p in sorted(Path("leaderboards").glob("*/suite.yaml"))]
    else:
        found = registry.entries(options.kind)
        rows = [(e.name, f"{registry.summary_of(e)}  [{e.origin}]", _state(e)) for e in found.values()]
    rows = [(errors.one_line(name), errors.one_line(text), state) for name, text, state in rows]  # strangers' words
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, text, state in rows:
        print(f"{name:<{width}}  {state}{text}")
    if not rows:
        print(f"no {options.kind}")
    return 0


def _state(entry: registry.Entry) -> str:
    """What a listing puts before the summary of a plugin that may not work; its code is read and not run."""
    fault = registry.judge(entry)
    if fault is registry.UNSURE:
        return f"unchecked (msbench check {errors.one_line(entry.name)} imports it)  "
    return "" if fault is None else f"BROKEN: {errors.one_line(fault)}  "


def _new(options: argparse.Namespace) -> int:
    from msbench.scaffold.create import create_plugin

    paths = create_plugin(options.name, options.kind, options.output)
    for path in paths:
        print(path)
    print(f"next: msbench check {options.name} --plugin {paths[0]}")
    print(f"then: msbench fit -c {paths[1]} --plugin {paths[0]}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from msbench.conformance.checks import check

    failures = 0
    for result in check(options.name, options.compile):
        failures += not result.passed
        detail = f": {errors.one_line(result.detail)}" if result.detail else ""
        print(f"{'ok  ' if result.passed else 'FAIL'}  {result.name}{detail}")
    if failures:
        print(f"msbench: '{options.name}' breaks the contract in {failures} places", file=sys.stderr)
    return FAILED if failures else 0


def fit(arguments: list[str]) -> int:
    """Train as recipes and flags say."""
    import warnings

    warnings.filterwarnings("ignore", ".*pkg_resources.*")
    from msbench.runs.interruption import RunInterrupted
    from msbench.training.fit import train

    try:
        with safe_path():  # for the ranks and workers that Lightning and torch start
            kept = train(arguments)
    except RunInterrupted as told:
        print(f"msbench: {errors.sentence(told)}", file=sys.stderr)
        return told.exit_code
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(kept.sentence)
    return 0


def _separate(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from msbench.separation.batch import Failure, Song, separate_songs, songs_of
    from msbench.separation.inference import Inference

    inference = Inference(**inference_of(options))
    model = _ready(options.model, settings_of(options))
    songs, failures = songs_of(options.files, options.output, model.targets)
    count, tried = len(songs) + len(failures), 0
    console = Console()
    name = TextColumn("{task.description}", markup=False)  # a name may hold brackets
    columns = name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None)

        def progress(song: Song) -> Callable[[float, float | None], None]:
            bars.reset(bar, total=None, description=errors.one_line(song.path.name, 60))
            return lambda done, total: bars.update(bar, completed=done, total=total)

        for song, outcome in separate_songs(model, songs, inference, progress):
            tried += 1
            if isinstance(outcome, Exception):
                failures.append(Failure(song.path, outcome))
                continue
            for file in outcome.values():
                console.print(visible(str(file)), markup=False, highlight=False, soft_wrap=True)
    _raise_failures(failures, count, len(songs) - tried)
    return DONE


def _join(options: argparse.Namespace) -> int:
    from msbench.training.joining import join

    print(visible(str(join(options.checkpoints, options.output))))
    return DONE


def _ready(name: str, settings: dict[str, Any]) -> Separator:
    """The model of a checkpoint, or one that needs none, to separate songs without stems."""
    from msbench.model.checkpoints import create, find_checkpoint, refuse_untrained

    held = find_checkpoint(name)
    if held is not None:
        return held.separator(**settings)
    refuse_untrained(name, "separate")
    model = create(name, settings)
    if model.needs_references:
        raise ValueError(f"'{name}' needs the true stems of a song: score it, msbench evaluate {name} --data NAME")
    return model


def _raise_failures(failures: Sequence[Failure], count: int, untried: int) -> None:
    """List what failed of so many inputs, one line each, and end the command."""
    if not failures:
        return
    if count == 1:
        raise failures[0].error
    for failure in failures:
        said, path = errors.report(failure.error), errors.one_line(str(failure.path))
        print(f"msbench: {said if path in said else f'{path}: {said}'}", file=sys.stderr)
    kind = ValueError if all(errors.is_bad_input(failure.error) for failure in failures) else RuntimeError
    rest = f"; {untried} not tried" if untried else ""
    causes = ExceptionGroup("the failures", [failure.error for failure in failures])  # shown by --debug
    raise kind(f"{len(failures)} of {count} inputs failed, as listed above{rest}") from causes
