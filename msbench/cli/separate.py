"""The command `separate`: audio files, and folders of them, to stems."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msbench.cli.adding import Adder, add_inference, add_settings, inference_of, settings_of
from msbench.system import errors
from msbench.system.exit_codes import DONE
from msbench.system.terminal import visible

if TYPE_CHECKING:
    from msbench.model.separator import Separator
    from msbench.separation.batch import Failure


def add(command: Adder) -> None:
    """Add the command."""
    separate = command("separate", _separate, "split audio files into stems")
    separate.add_argument("model", help="a checkpoint, or the name of a model without weights")
    text = "audio (wav, flac, mp3, m4a, ...), video, or folders of them"
    separate.add_argument("files", nargs="+", type=Path, metavar="FILE", help=text)
    text = "stems go to <output>/<file>/, or <output>/<its place in its folder>/, and replace those of an earlier call"
    separate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=text)
    add_settings(separate)
    add_inference(separate)


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
