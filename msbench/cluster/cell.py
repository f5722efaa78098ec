"""One cell of a suite, from nothing to its record: train, separate, score."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
import yaml

from msbench import records
from msbench.data.dataset import open_dataset
from msbench.evaluation import evaluate, untrained
from msbench.run_state import read_state, write_state
from msbench.suite import Cell, Suite


def run_cell(suite: Suite, cell: Cell, threads: int) -> None:
    """Do what is missing of a cell, and write its record. Its output goes to log.txt in the run's folder.

    Exits with 1 where it fails; the run's state then says why in one sentence.
    """
    folder = suite.run_folder(cell)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a", buffering=1) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
        logging.captureWarnings(True)
        torch.set_num_threads(threads)
        try:
            _run(suite, cell, folder)
        except BaseException as error:
            traceback.print_exc()
            sentence = " ".join(str(error).split()) or type(error).__name__
            write_state(folder, stage="failed", error=sentence, kind=type(error).__name__)
            sys.exit(1)


def _run(suite: Suite, cell: Cell, folder: Path) -> None:
    data = open_dataset(cell.dataset, cell.root)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = cell.checkpoint
    if cell.recipe is not None:
        if read_state(folder).get("stage") not in ("trained", "evaluating", "done"):
            _train(cell, folder)
        model = folder / "best.ckpt"
    elif model is None:
        model = untrained(cell.model, data, **cell.separator_options())

    def progress(done: int, count: int, track: str, medians: dict[str, float]) -> None:
        write_state(folder, stage="evaluating", done=done / count, metrics=medians, track=track)

    write_state(folder, stage="evaluating", done=0.0, metrics={})
    record = evaluate(
        model, data, split=cell.split, output=folder / "evaluation", label=cell.label, seed=cell.seed,
        backend=cell.backend, excerpts=cell.excerpts, device=device, progress=progress,
    )  # fmt: skip
    records.write_json(suite.record_path(cell), record)
    write_state(folder, stage="done", done=1.0, metrics={})


def _train(cell: Cell, folder: Path) -> None:
    from msbench.training.cli import fit

    recipe = folder / "recipe.yaml"
    records.write_text(recipe, yaml.safe_dump(cell.recipe, sort_keys=False))
    arguments = ["-c", str(recipe), "--output", str(folder), "--trainer.enable_progress_bar", "false"]
    arguments += ["--data.dataset", cell.dataset, "--seed_everything", str(cell.seed), "--data.seed", str(cell.seed)]
    if cell.root is not None:
        arguments += ["--data.root", str(cell.root)]
    for key, value in cell.overrides.items():
        arguments += [f"--{key}", value if isinstance(value, str) else json.dumps(value)]
    fit(arguments)
