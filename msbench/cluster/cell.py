"""One stage of one cell of a suite, as a process of its own: what every executor starts.

    python -P -m msbench.cluster.cell --stage train|evaluate [--devices N] [--num-nodes M] -- SUITE CELL

Exit codes: 0 done (or done before), 85 saved on SIGUSR2 or SIGTERM: start it again, 130 saved on Ctrl-C, 2 bad input,
1 failed. Under srun every rank runs the same command.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from msbench import records
from msbench.records.types import Record
from msbench.runs.interruption import RunInterrupted, interrupt_on_signals
from msbench.runs.lock import FolderInUse, exclusive
from msbench.runs.state import begin_attempt, end_attempt, is_trained, read_state, run_summary, write_state
from msbench.runs.suite import Cell, Suite, read_suite
from msbench.system.errors import exit_code, is_bug, named, report, sentence
from msbench.system.exit_codes import DONE, INTERRUPTED, SAVED
from msbench.system.files import write_text
from msbench.system.terminal import show_any_name


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command above; returns its exit code."""
    show_any_name()
    # The libraries take seconds to load: a signal that comes meanwhile is no fault of the cell.
    interrupt_on_signals()
    parser = argparse.ArgumentParser(prog="python -m msbench.cluster.cell", description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("cell", help="its name, that of its folder under runs/")
    parser.add_argument("--stage", choices=["train", "evaluate"], required=True)
    parser.add_argument("--devices", type=int, default=1, help="of each node (1)")
    parser.add_argument("--num-nodes", type=int, default=1, help="(1)")
    options = parser.parse_args(argv)
    try:
        suite = read_suite(options.suite)
        cell = next((cell for cell in suite.cells if cell.name == options.cell), None)
        if cell is None:
            raise ValueError(
                f"{suite.path} has no cell {options.cell}: the suite or a recipe of it has changed since; run or "
                "submit it again"
            )
        suite.refuse_links(cell)
    except RunInterrupted:
        return SAVED
    except Exception as error:
        if is_bug(error):
            traceback.print_exc()
        print(f"msbench: {report(error)}", file=sys.stderr)
        return exit_code(error)
    return run_stage(suite, cell, options.stage, options.devices, options.num_nodes)


def run_stage(suite: Suite, cell: Cell, stage: str, devices: int = 1, nodes: int = 1) -> int:
    """Do a stage of a cell, unless it is done; a failure is noted in the run's state.

    Returns:
        The exit code.
    """
    folder = suite.run_folder(cell)
    first = int(os.environ.get("SLURM_PROCID", os.environ.get("LOCAL_RANK", "0"))) == 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _is_done(suite, cell, stage):
            return DONE
        if not first:
            return _attempt(suite, cell, stage, devices, nodes)
        with exclusive(folder):
            begin_attempt(folder, stage, _gpus() * nodes)
            write_state(folder, stage="starting")
            code = _attempt(suite, cell, stage, devices, nodes)
            if code in (SAVED, INTERRUPTED):
                write_state(folder, stage="saved")
            end_attempt(folder, code)
            return code
    except FolderInUse as error:  # the state there is that of the other process
        print(f"msbench: {sentence(error)}", file=sys.stderr)
        return exit_code(error)
    except RunInterrupted:
        return SAVED


def _attempt(suite: Suite, cell: Cell, stage: str, devices: int, nodes: int) -> int:
    folder = suite.run_folder(cell)
    try:
        if stage == "train":
            _train(cell, folder, devices, nodes)
        else:
            _evaluate(suite, cell)
    except RunInterrupted as interruption:
        print(f"msbench: {sentence(interruption)}", file=sys.stderr)
        return interruption.exit_code
    except BaseException as error:
        traceback.print_exc()
        if read_state(folder).get("stage") != "failed":  # of several ranks, the first one says why
            said = named(error) if is_bug(error) else sentence(error)
            write_state(folder, stage="failed", error=said, kind=type(error).__name__)
        return exit_code(error)
    return DONE


def _is_done(suite: Suite, cell: Cell, stage: str) -> bool:
    if stage == "train":
        return cell.recipe is None or is_trained(suite.run_folder(cell))
    return suite.has_record(cell)


def training_arguments(cell: Cell, folder: Path, devices: int, nodes: int) -> list[str]:
    """The flags of `msbench fit` that train a cell in a folder, into which its recipe is written."""
    recipe = folder / "recipe.yaml"
    write_text(recipe, yaml.safe_dump(cell.recipe, sort_keys=False))
    arguments = ["-c", str(recipe), "--output", str(folder), "--trainer.enable_progress_bar", "false"]
    arguments += ["--trainer.devices", str(devices), "--trainer.num_nodes", str(nodes)]
    if cell.study is not None:
        arguments += ["--group", cell.study, "--factors", json.dumps(cell.factors)]
    return [*arguments, *cell.flags()]


def _train(cell: Cell, folder: Path, devices: int, nodes: int) -> None:
    from msbench.training.fit import train

    kept = train(training_arguments(cell, folder, devices, nodes))
    if not (folder / "best.ckpt").is_file():
        raise ValueError(f"a suite scores {folder / 'best.ckpt'}, and there is none: {kept.sentence}")


def _evaluate(suite: Suite, cell: Cell) -> None:
    from msbench.data.opening import open_dataset
    from msbench.evaluation.run import check, evaluate, untrained
    from msbench.metrics import catalogue
    from msbench.model.devices import device_or_default
    from msbench.weights.catalogue import find
    from msbench.weights.fetching import fetch
    from msbench.weights.opening import targets_of

    folder = suite.run_folder(cell)
    interrupt_on_signals()  # what is scored is kept track by track: nothing has to be saved
    data = open_dataset(cell.dataset, cell.root)
    chosen: dict[str, Any] = {
        "backend": cell.backend,
        "metrics": catalogue.DEFAULT if cell.metrics is None else cell.metrics,
        "scenario": cell.scenario,
        "pooled": cell.pooled,
        "excerpts": cell.excerpts,
        "device": device_or_default(),
        **cell.inference,
    }
    model: Any = cell.checkpoint
    own: dict[str, Any] = {}
    if cell.recipe is not None:
        if not is_trained(folder):
            raise FileNotFoundError(f"{folder} holds no ended training: run the cell's stage `train` first")
        model = folder / "best.ckpt"
        if not model.is_file():
            raise FileNotFoundError(f"a suite scores {model}, and the training has left none: see its log")
    elif cell.weights is not None:
        weights, settings = find(cell.weights), cell.separator_options()
        check(targets_of(weights, settings), data, split=cell.split, **chosen)
        model, own = cell.weights, {"weights": fetch(weights), "separator": settings}
    elif model is None:
        model = untrained(cell.model, data, **cell.separator_options())

    def progress(done: int, count: int, track: str, medians: dict[str, float]) -> None:
        write_state(folder, stage="evaluating", done=done / count, metrics=medians, track=track)

    write_state(folder, stage="evaluating", done=0.0, metrics={})
    record = evaluate(
        model,
        data,
        **own,
        split=cell.split,
        output=folder / "evaluation",
        label=cell.label,
        seed=cell.seed,
        **chosen,
        progress=progress,
        run=partial(run_summary, folder),
    )
    records.write(suite.record_path(cell), record)
    _log_scores(folder, record)
    write_state(folder, stage="done", done=1.0, metrics={})


def _log_scores(folder: Path, record: Record) -> None:
    """Tell the loggers of the training; the record stands, whatever becomes of that."""
    if not (folder / "wandb").is_dir() and not any(folder.glob("events.out.tfevents.*")):
        return  # what logs takes seconds to import
    from msbench.training.loggers import log_scores

    try:
        log_scores(folder, record)
    except Exception as error:  # of a service that cannot be reached, for one
        print(f"msbench: the scores are not logged: {report(error)}", file=sys.stderr)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


if __name__ == "__main__":
    sys.exit(main())
