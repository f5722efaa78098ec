"""Whole commands on strangers' files: each case changes files below a scene of its own and gives a command line.

What a command may write is said by its kind; all else of the scene, and what lies around it, has to stay as it was.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from msbench.cli.app import main
from msbench.model.checkpoint_file import KEY, RUN
from msbench.model.checkpoints import create
from msbench.system.files import write_json
from tests.data.songs import noise, write, write_musdb18hq
from tests.hostile.mutations import (
    CELLS,
    ROOT,
    VALUES,
    mutate,
    mutated_audio,
    mutated_bytes,
    mutated_checkpoint,
    mutated_table,
    mutated_yaml,
)
from tests.leaderboard.boards import record
from tests.tiny import write_model

RATE = 8000
DATA = ["--data", "folder", "--root", "songs.csv"]
SUITE = """\
board: tiny
title: A tiny board
datasets: [folder]
roots: {folder: ../songs.csv}
models:
  - mixture
  - {model: mixture_share, label: share}
split: test
metrics: [si-sdr]
seeds: [0]
resources: {cpus: 1}
"""
SWEEP = "  - {model: mixture_share, sweep: {inference.overlap: [0, 0.25]}, label: 'o{inference.overlap}'}\n"
PROFILE = (ROOT / "slurm" / "clusters" / "example.yaml").read_text("utf-8")
RECIPE = """\
name: unet
separator: {targets: [voice, band], sample_rate: 8000, channels: 1, filters: 2, depth: 3}
data: {dataset: folder, root: songs, chunk_seconds: 0.25, chunks_per_epoch: 2, batch_size: 2}
trainer: {max_epochs: 1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
"""
NAMES = [each for each in (*CELLS, *VALUES) if isinstance(each, str) and "\0" not in each and len(each) < 10_000]
SBATCH = "#!/bin/sh\necho 'sbatch: Job 1 to start now' >&2\n"
SCONTROL = "#!/bin/sh\necho 'MaxArraySize = 1001'\n"


def write_scene(folder: Path) -> None:
    """What the cases change copies of: songs in three layouts, a checkpoint, a plugin, a board with its twin."""
    rows = ["split,track,target,path"]
    for split, count in (("train", 2), ("valid", 1), ("test", 2)):
        for number in range(count):
            for i, name in enumerate(("voice", "band")):
                write(folder / "songs" / split / f"song {number}" / f"{name}.wav", noise(number + i, 4000, 1), RATE)
                rows.append(f"{split},song {number},{name},songs/{split}/song {number}/{name}.wav")
    (folder / "songs.csv").write_text("\n".join(rows) + "\n")
    write(folder / "song.wav", noise(9, 4000, 1), RATE)
    write(folder / "song.flac", noise(9, 4000, 1), RATE)
    write_musdb18hq(folder / "hq", train=1, frames=4000)
    assert main(["data", "prepare", "musdb18hq", "--root", str(folder / "hq"), "-o", str(folder / "fast")]) == 0
    for track in ("song 0", "song 1"):
        shutil.copytree(folder / "songs" / "test" / track, folder / "estimates" / track)
    write_model(folder / "plugins")
    (folder / "recipe.yaml").write_text(RECIPE)
    write_checkpoint(folder / "good.ckpt")
    (folder / "profile.yaml").write_text(PROFILE)
    write_board(folder / "board")
    shutil.copytree(folder / "board", folder / "before")
    (folder / "bin").mkdir()
    for name, text in {"sbatch": SBATCH, "scontrol": SCONTROL}.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)


def write_checkpoint(path: Path) -> None:
    """As `msbench fit` writes one, of the smallest of the models that come with msbench."""
    options = {"targets": ["voice", "band"], "sample_rate": RATE, "channels": 1, "filters": 2, "depth": 3}
    model = create("unet", options)
    content = {
        KEY: model.registered,
        "state_dict": {f"separator.{name}": value for name, value in model.state_dict().items()},
        "seed": 3,
        "global_step": 40,
        "epoch": 2,
        "training": {"data": "standard", "datasets": ["folder"], "tracks": 2, "hours": 0.1},
        RUN: {"settings": {"separator": {"class_path": "unet", "init_args": options}}},
    }
    torch.save(content, path)


def write_board(folder: Path) -> None:
    """A suite, and records of others."""
    folder.mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    for label in ("one", "two"):
        write_json(folder / "records" / f"{label}.json", record(label))
    write_json(folder / "reported.json", [])


def change_json(path: Path, rng: random.Random) -> None:
    try:
        held = json.loads(path.read_text("utf-8"))
    except ValueError:  # changed before, and no JSON any more
        return
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutate(held, rng)
    content = json.dumps(held).encode()
    path.write_bytes(mutated_bytes(content, rng) if rng.random() < 0.2 else content)


def change_table(rng: random.Random) -> None:
    path = Path("songs.csv")
    path.write_bytes(mutated_table(path.read_text("utf-8").strip(), rng))


def change_audio(paths: list[Path], rng: random.Random) -> None:
    path = rng.choice(sorted(paths))
    path.write_bytes(mutated_audio(path.read_bytes(), rng))


def change_checkpoint(rng: random.Random) -> None:
    path = Path("good.ckpt")
    path.write_bytes(mutated_checkpoint(path.read_bytes(), rng, Path("canary").resolve()))


def change_data(rng: random.Random) -> list[str]:
    """Change one of the datasets, and name it."""
    kind = rng.randrange(4)
    if kind == 0:
        change_table(rng)
        return ["folder", "--root", "songs.csv"]
    if kind == 1:
        change_audio([*Path("songs").rglob("*.wav")], rng)
        return ["folder", "--root", rng.choice(("songs", "songs.csv"))]
    if kind == 2:
        change_json(Path("fast/msbench-prepared.json"), rng)
        return ["musdb18hq", "--root", "fast"]
    change_audio([*Path("hq").rglob("*.wav")], rng)
    return ["musdb18hq", "--root", "hq"]


def separate(rng: random.Random) -> list[str]:
    change_checkpoint(rng) if rng.random() < 0.7 else change_audio([Path("song.wav"), Path("song.flac")], rng)
    return ["separate", "good.ckpt", rng.choice(("song.wav", "song.flac")), "-o", "out"]


def separate_folder(rng: random.Random) -> list[str]:
    for path in [*Path("songs").rglob("*.wav")][:3]:
        change_audio([path], rng)
    Path("songs", rng.choice([name for name in NAMES if 0 < len(name) < 200 and "/" not in name])).with_suffix(
        ".wav"
    ).write_bytes(Path("song.wav").read_bytes())
    return ["separate", "mixture_share", "songs", "-o", "out"]


def evaluate(rng: random.Random) -> list[str]:
    name, *root = change_data(rng)
    return ["evaluate", "mixture", "--data", name, *root, "--metrics", "none", "-o", "out"]


def evaluate_checkpoint(rng: random.Random) -> list[str]:
    change_checkpoint(rng)
    return ["evaluate", "good.ckpt", *DATA, "--metrics", "none", "-o", "out"]


def evaluate_estimates(rng: random.Random) -> list[str]:
    change_audio([*Path("estimates").rglob("*.wav")], rng)
    return ["evaluate", "--estimates", "estimates", *DATA, "--label", rng.choice(NAMES), "-o", "out"]


def silences(rng: random.Random) -> list[str]:
    change_checkpoint(rng)
    return ["data", "silences", "good.ckpt", "songs/train", "--device", "cpu"]


def fit_from(rng: random.Random) -> list[str]:
    change_checkpoint(rng)
    return ["fit", "-c", "recipe.yaml", "--output", "out", "--init_from", "good.ckpt"]


def card(rng: random.Random) -> list[str]:
    return ["data", "card", *change_data(rng)]


def verify(rng: random.Random) -> list[str]:
    return ["data", "verify", *change_data(rng), "--jobs", "1"]


def prepare(rng: random.Random) -> list[str]:
    return ["data", "prepare", *change_data(rng), "-o", "out", "--jobs", "1"]


def change_board(rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2))):
        change_json(rng.choice(sorted(Path("board/records").glob("*.json"))), rng)
    if rng.random() < 0.3:
        change_suite(rng)


def change_suite(rng: random.Random) -> None:
    before, models, after = SUITE.partition("  - mixture\n")
    Path("board/suite.yaml").write_bytes(mutated_yaml(f"{before}{SWEEP}{models}{after}", rng))


def build(rng: random.Random) -> list[str]:
    change_board(rng)
    return ["board", "build", "board"]


def check_board(rng: random.Random) -> list[str]:
    if rng.random() < 0.5:
        assert main(["board", "build", "board"]) == 0
    change_board(rng)
    return ["board", "check", "board"]


def review(rng: random.Random) -> list[str]:
    change_board(rng)
    return ["board", "review", "board", "--against", "before"]


def import_table(rng: random.Random) -> list[str]:
    rows = [
        f"{method},{track},{target},1,0.5,0.5,0.5,0.5"
        for method in ("A", "B")
        for track in ("x", "y")
        for target in ("vocals", "drums")
    ]
    text = "\n".join(("method,track,target,frames,SDR,ISR,SIR,SAR", *rows))
    Path("sisec.csv").write_bytes(mutated_table(text, rng))
    return ["board", "import", "sisec18", "sisec.csv", "board"]


def bench(rng: random.Random) -> list[str]:
    change_suite(rng)
    return ["bench", "board/suite.yaml", "--jobs", "1"]


def submit(rng: random.Random) -> list[str]:
    if rng.random() < 0.7:
        change_suite(rng)
    else:
        Path("profile.yaml").write_bytes(mutated_yaml(PROFILE, rng))
    return ["submit", "board/suite.yaml", "--cluster", "profile.yaml", "--dry-run"]


def listing(rng: random.Random) -> list[str]:
    path = Path("plugins/tiny.py")
    code = f"import os\nos.system('touch {Path('canary').resolve()}')\n".encode()
    path.write_bytes(mutated_bytes(code + path.read_bytes(), rng))
    return ["list", rng.choice(("models", "datasets", "losses", "recipes"))]


def check_model(rng: random.Random) -> list[str]:
    return ["check", f"a{rng.choice(NAMES)}"]


def new(rng: random.Random) -> list[str]:
    return ["new", f"a{rng.choice(NAMES)}", "-o", "out"]


@dataclass(frozen=True)
class Command:
    """A kind of case.

    Attributes:
        arrange: Changes files below the working folder and returns the arguments.
        writes: The folders, or files, of the scene that the command may write to.
        is_slow: Whether it starts Python processes, which takes seconds.
    """

    arrange: Callable[[random.Random], list[str]]
    writes: tuple[str, ...] = ("out",)
    is_slow: bool = False


COMMANDS = {
    "separate": Command(separate),
    "separate folder": Command(separate_folder),
    "evaluate": Command(evaluate),
    "evaluate checkpoint": Command(evaluate_checkpoint),
    "evaluate estimates": Command(evaluate_estimates),
    "data silences": Command(silences, ("songs/train/silences.json",)),
    "fit --init_from": Command(fit_from),
    "data card": Command(card),
    "data verify": Command(verify, ("songs", "fast", "hq", "manifest.json", ".msbench-verify")),
    "data prepare": Command(prepare),
    "board build": Command(build, ("board",)),
    "board check": Command(check_board, ("board",)),
    "board review": Command(review, ()),
    "board import": Command(import_table, ("board",)),
    "bench": Command(bench, ("board",), is_slow=True),
    "submit --dry-run": Command(submit, ("board",)),
    "list": Command(listing, ()),
    "check": Command(check_model, ()),
    "new": Command(new),
}


def state(folder: Path, written: tuple[str, ...] = ()) -> dict[str, bytes | str]:
    """All that lies in a folder, but for what a command may write."""
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not any(name == each or name.startswith(f"{each}/") for each in written):
            found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
    return found
