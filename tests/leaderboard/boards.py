"""Boards to test pages with: one that sounds, scored for real, and one whose records come from an enemy."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from msbench import records
from msbench.data.opening import open_dataset
from msbench.evaluation.run import evaluate
from msbench.system.files import write_json
from tests.tiny import write_songs

MARKUP = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'"&</td></table>'
HOSTILE = {
    "markup": MARKUP,
    "end of a script": "</script><script>window.hacked=1</script>",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "path": "../../../../tmp/escaped",
    "absolute path": "/etc/passwd\0.html",
    "address": "javascript:window.hacked=1",
    "direction": "evil\u202egnp.exe\u2066\u200b",
    "lines": "one\r\ntwo\u2028three\x1b[31m",
    "huge": "x" * 200_000,
}

NO_NAMES = ("absolute path", "lines", "huge")  # of these, `validate` refuses names; other fields may hold them


def as_name(text: str) -> str:
    """The nearest to a hostile text that may be a name."""
    return "".join(sign if sign.isprintable() or sign in "\u202e\u2066\u200b" else " " for sign in text)[:150]


def write_sounding_board(folder: Path) -> Path:
    """Two tracks, ceilings and floors evaluated with excerpts, and two made-up systems between them."""
    data = open_dataset("folder", write_songs(folder / "songs"))
    for name in ("oracle_irm", "mixture", "mixture_share"):
        record = evaluate(name, data, output=folder / "runs" / name / "evaluation", excerpts=1)
        write_json(folder / "records" / f"{name}.json", record)
    for number, name in enumerate(("net_small", "net_large")):
        made = altered(record, name, 2.0 + number, number)
        write_json(folder / "records" / f"{name}.json", made)
    return folder


def record(label: str) -> dict[str, Any]:
    """A system's record of two tracks and two targets, with all that its tier rests on."""
    rng = np.random.default_rng(len(label))
    scores = {
        track: {target: {metric: float(rng.normal()) for metric in records.METRICS} for target in ("band", "voice")}
        for track in ("song", "other song")
    }
    return {
        "schema_version": records.SCHEMA_VERSION,
        "model": {
            "name": label,
            "label": label,
            "role": "system",
            "options": {},
            "config_sha256": "0" * 64,
            "parameters": 1000,
            "macs_per_second": None,
            "licence": "MIT",
            "targets": ["band", "voice"],
            "adaptation": {},
        },
        "checkpoint": {"sha256": "1" * 64, "step": 10, "epoch": 1, "selection": "best", "ema": False},
        "training": {"data": "standard", "datasets": ["folder"], "tracks": 2, "hours": 0.1},
        "code": {"msbench": "0.1.0", "commit": "2" * 40, "dirty": None, "lock_sha256": "3" * 64},
        "dataset": {
            "name": "folder",
            "version": "1",
            "split": "test",
            "fingerprint": "f",
            "manifest_sha256": None,
            "sample_rate": 8000,
            "files": ["wav"],
            "tracks": ["song", "other song"],
        },
        "inference": {"chunk_seconds": 10.0, "overlap": 0.25, "batch_size": 1, "device": "cpu", "dtype": "float32"},
        "metric": {"id": "bsseval-v4;targets=band,voice", "backend": "fast", "implementation": "msbench 0.1.0"},
        "seed": 0,
        "speed": {
            "real_time_factor": 0.5,
            "real_time_factor_p95": 0.6,
            "seconds": 1.0,
            "peak_bytes": 1000,
            "hardware": "made up",
            "gpu": None,
            "driver": None,
        },
        "scores": scores,
    }


def altered(record: dict[str, Any], label: str, level: float, seed: int) -> dict[str, Any]:
    """A system's record: another's with other scores, near `level` dB."""
    rng = np.random.default_rng(seed)
    made = copy.deepcopy(record)
    made["model"] |= {"label": label, "name": label, "role": "system", "parameters": 1000 * (seed + 1)}
    made["speed"]["real_time_factor"] = 0.01 * (seed + 1)
    for targets in made["scores"].values():
        for target in targets:
            targets[target] = {metric: float(level + rng.normal()) for metric in records.METRICS}
    return made


def write_hostile_board(folder: Path, record: dict[str, Any]) -> Path:
    """Records that hold hostile text wherever the schema takes text."""
    (folder / "records").mkdir(parents=True)
    tracks = list(record["scores"])
    for number, text in enumerate(HOSTILE.values()):
        made = altered(record, as_name(text), float(number), number)
        made["model"] |= {"options": {text[:300]: text}, "adaptation": {"note": text}}
        made["speed"]["hardware"] = text
        made["inference"] |= {"window": text, "tta": [text], "dtype": text}
        made["code"]["commit"] = text
        made["checkpoint"] = {"sha256": text, "selection": text}
        made["environment"] = {"python": text}
        made["dataset"]["tracks"] = [as_name(each) for each in HOSTILE.values()][: len(tracks)]
        made["scores"] = dict(zip(made["dataset"]["tracks"], made["scores"].values(), strict=True))
        (folder / "records" / f"hostile-{number}.json").write_text(json.dumps(made))
    return folder
