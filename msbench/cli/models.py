"""The commands on models: list, new, check, join; and fit, whose flags are those of LightningCLI."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from msbench import registry
from msbench.cli.adding import Adder
from msbench.cli.weights import list_weights
from msbench.system import errors
from msbench.system.exit_codes import DONE, FAILED
from msbench.system.safe_path import safe_path
from msbench.system.terminal import visible


def add(command: Adder) -> None:
    """Add the commands."""
    listing = command("list", _list, "what is registered: models, datasets, losses, weights, recipes, boards")
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


def _list(options: argparse.Namespace) -> int:
    rows: list[tuple[str, str, str]]
    if options.kind == "weights":
        return list_weights()
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


def _join(options: argparse.Namespace) -> int:
    from msbench.training.joining import join

    print(visible(str(join(options.checkpoints, options.output))))
    return DONE
