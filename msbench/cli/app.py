"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msbench import __version__, registry
from msbench.cli import cluster as cluster_commands
from msbench.cli.adding import adder
from msbench.cli.board import add_board_commands
from msbench.cli.data import add_data_commands
from msbench.leaderboard.text import text as one_line

BAD_INPUT, FAILED, SAVED = 2, 1, 85


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 2 for bad input or 1 for a run that failed, with one sentence on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        arguments = _take_plugins(arguments)
        if arguments[:1] == ["fit"]:  # LightningCLI parses the rest
            return _fit(arguments[1:])
        options = _parser().parse_args(arguments)
        result: int = options.run(options)
        return result
    except KeyboardInterrupt:
        print("msbench: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        bad = isinstance(error, ValueError | KeyError | FileNotFoundError | FileExistsError | ImportError)
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        hint = "" if bad or debug else " (--debug shows where)"
        print(f"msbench: {one_line(text.strip() or type(error).__name__)}{hint}", file=sys.stderr)
        return BAD_INPUT if bad else FAILED


def _take_plugins(arguments: list[str]) -> list[str]:
    """Move every `--plugin FILE` into MSBENCH_PLUGINS, where the processes of a suite find them too."""
    rest, files, i = [], [], 0
    while i < len(arguments):
        if arguments[i] == "--plugin":
            if i + 1 == len(arguments):
                raise ValueError("--plugin needs a file or a folder")
            files.append(arguments[i + 1])
            i += 2
        elif arguments[i].startswith("--plugin="):
            files.append(arguments[i].removeprefix("--plugin="))
            i += 1
        else:
            rest.append(arguments[i])
            i += 1
    if files:
        paths = [str(Path(file).expanduser().resolve()) for file in files]
        before = [os.environ["MSBENCH_PLUGINS"]] if os.environ.get("MSBENCH_PLUGINS") else []
        os.environ["MSBENCH_PLUGINS"] = os.pathsep.join(before + paths)
        registry.plugin_files()  # a path that is not there is said at once
    return rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="msbench",
        description="A benchmark suite for music source separation.",
        epilog="Everywhere: --plugin FILE loads models of a single file, --debug shows tracebacks.",
    )
    parser.add_argument("--version", action="version", version=f"msbench {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = adder(commands)

    listing = command("list", _list, "what is registered: models, datasets, losses, recipes, boards")
    listing.add_argument("kind", nargs="?", default="models", choices=[*registry.KINDS, "recipes", "boards"])

    new = command("new", _new, "a new plugin with its recipe and its test, ready to run")
    new.add_argument("name")
    new.add_argument("--kind", choices=["mask", "waveform"], default="mask", help="what the model writes (mask)")
    new.add_argument("-o", "--output", type=Path, default=Path(), help="folder to write into (here)")

    check = command("check", _check, "whether a model keeps the plugin contract")
    check.add_argument("name")
    check.add_argument("--compile", action="store_true", help="try torch.compile too (a minute or more)")

    commands.add_parser("fit", help="train a model: -c RECIPE, any field as a flag; msbench fit -c unet_small --help",
                        add_help=False)  # fmt: skip

    separate = command("separate", _separate, "split audio files into stems")
    separate.add_argument("model", help="a checkpoint, or the name of a model without weights")
    separate.add_argument("files", nargs="+", type=Path, help="wav, flac, mp3, ...")
    separate.add_argument("-o", "--output", type=Path, required=True, help="folder; stems go to <output>/<file>/")
    _add_inference(separate)

    evaluate = command("evaluate", _evaluate, "score a model, or a folder of estimates, on a dataset: one record")
    evaluate.add_argument("model", nargs="?", help="a checkpoint, or the name of a model without weights")
    evaluate.add_argument("--estimates", type=Path, metavar="DIR",
                          help="score files: DIR/[SPLIT/]TRACK/TARGET.wav, or .flac, as museval has them")  # fmt: skip
    evaluate.add_argument("--targets", type=_names, help="of the files, which to score together: vocals,drums")
    evaluate.add_argument("--data", required=True, help="a registered dataset (msbench list datasets)")
    evaluate.add_argument("--root", type=Path, help="the dataset's folder")
    evaluate.add_argument("--split", default="test")
    evaluate.add_argument("--label", help="name of the row on a board")
    evaluate.add_argument("--seed", type=int, help="of the training, where the checkpoint does not hold it")
    evaluate.add_argument("--backend", choices=["fast", "museval"], default="fast", help="of BSSEval (fast)")
    evaluate.add_argument("--metrics", type=_names, metavar="NAMES",
                          help="beside BSSEval: none, or some of si-sdr,si-sir,si-sar,snr,track-sdr,nsdr,mean-sdr "
                          "(these by default),l1-spectrogram,stoi,pesq")  # fmt: skip
    evaluate.add_argument("--jobs", type=int, default=1, help="tracks at a time, each in a process of its own (1)")
    evaluate.add_argument("-o", "--output", type=Path, help="folder (evaluations/<model>-<data>)")
    _add_inference(evaluate)

    bench = command("bench", _bench, "run every missing cell of a suite here, then print and write its board")
    bench.add_argument("suite", type=Path)
    _add_jobs(bench)

    cluster_commands.add(command)

    demo = command("demo", _demo, "the main job in minutes, without a download: leaderboards/demo")
    _add_jobs(demo)

    text = "the tables and pages of a board: build, check, import, serve, push"
    add_board_commands(commands.add_parser("board", help=text, description=text[0].upper() + text[1:] + "."))

    text = "datasets: their cards, whether they are whole, and copies that are read fast"
    add_data_commands(commands.add_parser("data", help=text, description=text[0].upper() + text[1:] + "."))

    doctor = command("doctor", _doctor, "what works on this machine, and the fix for what does not")
    doctor.add_argument("--cluster", type=Path, metavar="PROFILE", help="look at a cluster instead")
    return parser


def _add_inference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chunk-seconds", type=float, default=10.0, help="length of a chunk (10)")
    parser.add_argument("--overlap", type=float, default=0.25, help="part of a chunk shared with the next (0.25)")
    parser.add_argument("--batch-size", type=int, default=1, help="chunks at a time (1)")
    parser.add_argument("--device", default=None, help="cpu or cuda (cuda where there is one)")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=None, help="cells at a time (one a core, at most 4)")


def _inference(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return {"chunk_seconds": options.chunk_seconds, "overlap": options.overlap, "batch_size": options.batch_size,
            "device": device}  # fmt: skip


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


def _fit(arguments: list[str]) -> int:
    import warnings

    warnings.filterwarnings("ignore", ".*pkg_resources.*")
    from msbench.training.fit import fit
    from msbench.training.interruption import RunInterrupted

    try:
        folder = fit(arguments)
    except RunInterrupted as told:
        print(f"msbench: {told}", file=sys.stderr)
        return SAVED
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"trained: {folder / 'best.ckpt'}")
    return 0


def _separate(options: argparse.Namespace) -> int:
    from rich.progress import Progress

    from msbench.model.checkpoints import load
    from msbench.separation.pipeline import separate_file

    inference = _inference(options)
    model = load(options.model).to(inference.pop("device"))
    failed = []
    with Progress() as bars:
        for path in options.files:
            bar = bars.add_task(path.name, total=None)

            def progress(done: float, total: float | None, bar: Any = bar) -> None:
                bars.update(bar, completed=done, total=total)

            try:
                written = separate_file(model, path, options.output, progress=progress, **inference)
            except (ValueError, FileNotFoundError) as error:
                if len(options.files) == 1:
                    raise
                failed.append(str(error))  # the other files are separated all the same
                bars.remove_task(bar)
                continue
            for file in written.values():
                bars.console.print(str(file), markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(options.files)} files failed: {'; '.join(failed)}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench import records
    from msbench.evaluation.run import evaluate, evaluate_estimates
    from msbench.metrics import catalogue as beside

    if (options.model is None) == (options.estimates is None):
        raise ValueError("evaluate needs a model or --estimates DIR, one of the two")
    if options.targets and options.model:
        raise ValueError("--targets chooses among files (--estimates): a model has its own")
    label = options.label
    if label is None and options.model:
        label = Path(options.model).parent.name if options.model.endswith(".ckpt") else options.model
    label = label or options.estimates.resolve().name
    output = options.output or Path("evaluations") / f"{label}-{options.data}"
    console = Console(stderr=True)

    def progress(done: int, count: int, track: str, medians: dict[str, float]) -> None:
        running = "  ".join(f"{target} {value:.2f}" for target, value in medians.items())
        console.print(f"[{done}/{count}] {track}: median SDR so far  {running}", markup=False, highlight=False)

    chosen = {None: beside.DEFAULT, ("none",): ()}.get(options.metrics, options.metrics)
    common = {
        "root": options.root, "split": options.split, "output": output, "label": label, "backend": options.backend,
        "metrics": chosen, "jobs": options.jobs, "seed": options.seed, "progress": progress,
    }  # fmt: skip
    if options.model:
        record = evaluate(options.model, options.data, **common, **_inference(options))
    else:
        record = evaluate_estimates(options.estimates, options.data, targets=options.targets, **common)
    records.write(output / "record.json", record)
    print(output / "record.json")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench.cluster.local import prepare_data, run_cells
    from msbench.cluster.plan import missing_cells
    from msbench.leaderboard.board import Board
    from msbench.leaderboard.publish import publish
    from msbench.leaderboard.render import NOTE, terminal
    from msbench.runs.suite import read_suite

    suite = read_suite(options.suite)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    jobs = options.jobs if options.jobs is not None else min(os.cpu_count() or 1, 4)
    if jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {jobs}")
    missing = missing_cells(suite)
    console.print(f"{suite.title}: {len(suite.cells)} cells, {len(missing)} to do", highlight=False)
    failed = {}
    if missing:
        prepare_data(suite, console)
        failed = run_cells(suite, missing, jobs, console)
    board = Board(suite.folder)
    written = publish(board)
    for table in terminal(board.table(), board.title, console.width):
        console.print(table)
    console.print(NOTE, style="dim")
    for path in written:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    for name, why in failed.items():
        print(f"msbench: {name} failed: {why}; the others are on the board", file=sys.stderr)
    return FAILED if failed else 0


def _demo(options: argparse.Namespace) -> int:
    options.suite = Path("leaderboards/demo/suite.yaml")
    if not options.suite.exists():
        from importlib.resources import files

        from msbench.records.record import write_text

        options.suite.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.suite, files("msbench_leaderboards").joinpath("demo/suite.yaml").read_text("utf-8"))
    return _bench(options)


def _doctor(options: argparse.Namespace) -> int:
    from msbench.cluster.examine import examine_cluster
    from msbench.doctor import examine

    failures = 0
    for finding in examine_cluster(options.cluster) if options.cluster else examine():
        failures += finding.needed and not finding.works
        mark = "ok  " if finding.works else "FAIL" if finding.needed else "no  "
        print(f"{mark}  {finding.name}: {finding.detail}{'' if finding.works else f'  -> {finding.fix}'}")
    return FAILED if failures else 0


if __name__ == "__main__":
    sys.exit(main())
