"""Boards with studies to test with: small integers as scores, so that medians and tests can be worked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from msbench import records
from msbench.runs.naming import name_cells
from msbench.system.files import write_json
from tests.leaderboard.boards import record

TRACKS = tuple(f"song {i}" for i in range(1, 9))
L1 = "l1-spectrogram;win=2048;hop=512"
SUITE: dict[str, Any] = {
    "board": "made",
    "title": "A made board",
    "datasets": ["folder"],
    "seeds": [0, 1],
    "models": [
        {
            "recipe": "net.yaml",
            "study": "depth",
            "sweep": {"separator.depth": [3, 4, 5], "separator.skip": [True, False]},
            "baseline": {"separator.depth": 5, "separator.skip": True},
        },
        {"model": "elsewhere", "study": "depth", "label": "other"},
    ],
}
Level = Callable[[str, Mapping[str, Any], int, int], float]  # (label, factors, seed, track from 1) -> score


def level(label: str, factors: Mapping[str, Any], seed: int, track: int) -> float:
    """The song's own level; each step of depth is worth a tenth of the track's number, a skip half a decibel."""
    if not factors:
        return track - 2.0
    depth, skip = factors["separator.depth"], factors["separator.skip"]
    return track + (depth - 5) * track / 10 + (0.5 if skip else 0.0) + 0.2 * seed


def scored(label: str, score: Callable[[int], float], tracks: tuple[str, ...] = TRACKS) -> dict[str, Any]:
    """A record whose voice scores what `score` says of the track's number, and whose band scores less."""
    made = record(label)
    made["metric"]["beside"] = [L1]
    made["dataset"]["tracks"] = list(tracks)
    made["scores"] = {
        track: {
            target: {**dict.fromkeys(records.METRICS, score(int(track.split()[-1])) - drop), L1: 0.001 * (i + 1)}
            for i, (target, drop) in enumerate((("band", 1.0), ("voice", 0.0)))
        }
        for track in tracks
    }
    made["run"] = {"restarts": 0, "hours": 0.25, "gpu_hours": 0.0, "slurm_job_ids": []}
    return made


def write_study_board(
    folder: Path, suite: dict[str, Any] = SUITE, score: Level = level, without: tuple[str, ...] = ()
) -> Path:
    """A suite with a study, and a record of each of its cells, but for those labels that are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite, sort_keys=False))
    (folder / "net.yaml").write_text("name: net\n")
    named = name_cells(folder)
    factors = {label: values for study in named.studies for label, values in study.cells.items()}
    for cell in named.cells:
        if cell.label in without:
            continue
        own, seed = factors.get(cell.label, {}), cell.seed or 0
        made = scored(cell.label, lambda track, c=cell, f=own, s=seed: score(c.label, f, s, track))
        made["seed"] = cell.seed
        write_json(folder / "records" / f"{cell.name}.json", made)
    return folder


def write_curve(run: Path, losses: list[float]) -> None:
    """A run's log as Lightning writes it, training and validation in lines of their own."""
    log = run / "logs" / "version_0" / "metrics.csv"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{i},{10 * i + 9},,{loss}\n{i},{10 * i + 9},{loss / 2},\n" for i, loss in enumerate(losses)]
    log.write_text("epoch,step,train_loss,val_loss\n" + "".join(lines))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a board's JSON."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows
