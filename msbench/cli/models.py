"""The commands on models and audio: list, new, check, separate; and fit, whose flags are those of LightningCLI."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from msbench import registry
from msbench.cli.adding import Adder, add_inference, inference_of
from msbench.system import errors
from msbench.system.exit_codes import FAILED, SAVED


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

    separate = command("separate", _separate, "split audio files into stems")
    separate.add_argument("model", help="a checkpoint, or the name of a model without weights")
    separate.add_argument("files", nargs="+", type=Path, help="wav, flac, mp3, ...")
    separate.add_argument("-o", "--output", type=Path, required=True, help="folder; stems go to <output>/<file>/")
    add_inference(separate)


def _list(options: argparse.Namespace) -> int:
    rows: list[tuple[str, str, str | None]]
    if options.kind == "recipes":
        rows = [(name, str(path), None) for name, path in registry.recipes().items()]
    elif options.kind == "boards":
        rows = [(p.parent.name, str(p), None) for p in sorted(Path("leaderboards").glob("*/suite.yaml"))]
    else:
        found = registry.entries(options.kind)
        rows = [(e.name, f"{registry.summary_of(e)}  [{e.origin}]", registry.error_of(e)) for e in found.values()]
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, text, error in rows:
        print(f"{name:<{width}}  {text.strip() if error is None else f'BROKEN: {error}  {text.strip()}'}")
    if not rows:
        print(f"no {options.kind}")
    return 0


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
        print(f"{'ok  ' if result.passed else 'FAIL'}  {result.name}{': ' if result.detail else ''}{result.detail}")
    if failures:
        print(f"msbench: '{options.name}' breaks the contract in {failures} places", file=sys.stderr)
    return FAILED if failures else 0


def fit(arguments: list[str]) -> int:
    """Train as recipes and flags say."""
    import warnings

    warnings.filterwarnings("ignore", ".*pkg_resources.*")
    from msbench.runs.interruption import RunInterrupted
    from msbench.training.fit import fit

    try:
        folder = fit(arguments)
    except RunInterrupted as told:
        print(f"msbench: {errors.sentence(told)}", file=sys.stderr)
        return SAVED
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"trained: {folder / 'best.ckpt'}")
    return 0


def _separate(options: argparse.Namespace) -> int:
    from rich.progress import Progress

    from msbench.model.checkpoints import load
    from msbench.separation.inference import Inference
    from msbench.separation.pipeline import separate_file

    inference = Inference(**inference_of(options))
    model = load(options.model)
    failed = []
    with Progress() as bars:
        for path in options.files:
            bar = bars.add_task(path.name, total=None)

            def progress(done: float, total: float | None, bar: Any = bar) -> None:
                bars.update(bar, completed=done, total=total)

            try:
                written = separate_file(model, path, options.output, inference, progress=progress)
            except Exception as error:
                if len(options.files) == 1 or not errors.is_bad_input(error):
                    raise
                failed.append(errors.sentence(error))  # the other files are separated all the same
                bars.remove_task(bar)
                continue
            for file in written.values():
                bars.console.print(str(file), markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(options.files)} files failed: {'; '.join(failed)}")
    return 0
