"""`msbench weights ...`, and what other commands print of published weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msbench.cli.adding import adder
from msbench.system.errors import one_line
from msbench.system.exit_codes import DONE
from msbench.system.terminal import visible

if TYPE_CHECKING:
    from msbench.weights.catalogue import Weights


def add(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `msbench weights` its commands; each sets `run`."""
    command = adder(parser.add_subparsers(metavar="ACTION", required=True))
    get = command("get", _get, "download the files of published weights, check their hashes, and keep them")
    get.add_argument("names", nargs="+", metavar="NAME", help="of weights (msbench list weights)")
    show = command("show", _show, "what is known of published weights: license, training data, files, hashes")
    show.add_argument("name", help="of weights (msbench list weights)")


def list_weights() -> int:
    """Print a line for each of the published weights."""
    from msbench.weights import catalogue

    known = catalogue.known()
    width = max(map(len, known), default=0)
    for weights in known.values():
        about = f"{weights.model}, {', '.join(weights.targets)}, {weights.sample_rate} Hz, {weights.licence}"
        print(f"{weights.name:<{width}}  {one_line(about)}  [{one_line(weights.origin)}]")
    for family, fault in catalogue.broken().items():
        print(f"{one_line(family):<{width}}  BROKEN: {fault}")
    if not known:
        print("no weights")
    return DONE


def weights_of(model: str, files: Sequence[Path], command: str) -> Weights | None:
    """The published weights that a command's MODEL names, whether their files are here or not; None if it names none.

    Raises:
        KeyError: If it is neither a checkpoint's path nor a name that is known, or `files` are given and it names none.
        ValueError: If it is a model that has to be trained.
    """
    from msbench.weights import catalogue
    from msbench.weights.opening import named_weights, names_checkpoint, refuse_untrained

    weights = catalogue.find(model) if files else named_weights(model)
    if weights is None and not names_checkpoint(model):
        refuse_untrained(model, command)
    return weights


def fetch(weights: Weights) -> list[Path]:
    """Download what is not here, with a bar on stderr for each file."""
    from msbench.weights import fetching

    if not fetching.missing(weights):
        return fetching.paths_of(weights)
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    said = f"msbench: fetching the weights {weights.name} ({weights.licence}) from {weights.files[0].url}"
    print(one_line(said), file=sys.stderr)
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {file.name: bars.add_task(one_line(file.name, 60), total=file.bytes) for file in weights.files}

        def progress(name: str, done: int, whole: int | None) -> None:
            bars.update(tasks[name], completed=done, total=whole)

        return fetching.fetch(weights, progress)


def _get(options: argparse.Namespace) -> int:
    from msbench.weights import catalogue

    for weights in [catalogue.find(name) for name in options.names]:
        for path in fetch(weights):
            print(visible(str(path)))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from msbench.weights import catalogue, fetching

    weights = catalogue.find(options.name)
    lines = {
        "name": weights.name,
        "model": weights.model,
        "targets": ", ".join(weights.targets),
        "sample rate": f"{weights.sample_rate} Hz",
        "license": weights.licence,
        "trained on": "not stated" if weights.trained_on is None else weights.trained_on.words,
        "citation": weights.citation,
        "read in": weights.source,
        "from": weights.origin,
    }
    if weights.note is not None:
        lines["note"] = weights.note
    for key, value in lines.items():
        print(f"{key:<12} {one_line(value)}")
    for file, path in zip(weights.files, fetching.paths_of(weights), strict=True):
        size = "" if file.bytes is None else f", {file.bytes:,} bytes"
        print(f"{'file':<12} {one_line(file.url)} ({file.hash_words}{size})")
        print(f"{'':<12} {'here' if path.is_file() else 'not here'}: {visible(str(path))}")
    return DONE
