"""Chunks per second, and how long training waits for them, compared with Open-Unmix, asteroid, libsndfile and mmap.

    python benchmarks/data.py [--songs 12] [--seconds 60] [--rounds 5] [--only chunks augmentations recipes start]

chunks: 6 s of four random stereo stems of one dataset, 16-bit WAV at 44.1 kHz, in one process and thread, in turns;
    all files are in the page cache. "seeks" opens, seeks and reads with libsndfile; "memory map" has all files mapped
    before and turns 16 bits into float32 of full scale one ("unscaled" leaves that out); they stack and add up nothing.
    All others give a mixture and its references. The table has the ratio of each to these.
augmentations: the same chunks with one option each, effects on every stem.
recipes: how long a step of each paper recipe waits for its chunks when nothing else runs: loading / (loading +
    training), in one process of one thread, batches of one chunk.
start: seconds to open 2,100 songs of five files, and anonymous memory of 300 chunks from 2,100 songs against 21.

Exits with 1 where a bar is missed: plain files within 1.2 times the seeks, prepared ones within 1.5 times the memory
map, 5 % of a step, 2 s of start, memory within 1.1 times.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import soundfile
import torch

EFFECTS = ("equalizer", "compressor", "distortion", "reverb", "noise", "loudness", "mp3")
STEMS, RATE, CHUNK_SECONDS = ("vocals", "drums", "bass", "other"), 44100, 6.0
SAMPLES = round(RATE * CHUNK_SECONDS)
PAPER = ("unet", "film_unet", "wave_unet", "conv_tasnet", "demucs", "complex_unet", "deep_karaoke")  # the slowest last
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "gain_db": {"gain_db": (-6, 6)},
    "gain": {"gain": (0.25, 1.25)},
    "remix_group": {"remix_group": 4},
    "shift_seconds": {"shift_seconds": 1.0},
    "channel_swap": {"channel_swap": True},
    "polarity": {"polarity": True},
    "sampling: exhaustive": {"sampling": "exhaustive"},
    "sampling: balanced": {"sampling": "balanced"},
    "speed": {"speed": (0.9, 1.1)},
    "pitch_semitones": {"pitch_semitones": (-3, 3)},
    "stretch": {"stretch": (0.8, 1.2)},
    "repitch_share": {"pitch_semitones": (-2, 2), "stretch": (0.89, 1.14), "repitch_share": 0.2},
    "formants": {"formants": (0.85, 1.15)},
    "mixup_share": {"mixup_share": 1.0},
    **{f"effects: {name}": {"effects": {name: 1.0}} for name in EFFECTS},
    "effects: mp3 of the mixture": {"effects": {"mp3": {"share": 1.0, "stems": "mixture"}}},
}


def write_songs(root: Path, songs: int, seconds: float) -> Path:
    """MUSDB18-HQ's layout: songs of noise, whose mixture is their sum."""
    random = np.random.default_rng(0)
    for split, count in (("train", songs), ("valid", 1), ("test", 1)):
        for number in range(count):
            folder = root / split / f"Artist - Song {number:02d}"
            folder.mkdir(parents=True)
            mixture = np.zeros((round(seconds * RATE), 2), np.int16)
            for stem in STEMS:
                samples = (random.standard_normal(mixture.shape, np.float32) * 2000).astype(np.int16)
                soundfile.write(folder / f"{stem}.wav", samples, RATE, "PCM_16")
                mixture += samples
            soundfile.write(folder / "mixture.wav", mixture, RATE, "PCM_16")
    return root


def chunks_of(
    dataset: str, root: Path, hold: bool = False, sampling: Any = "random", **options: Any
) -> Callable[[], Any]:
    """Ours: the next chunk, mixed again."""
    from msbench.data.loading.augmentation import Augmentation
    from msbench.data.loading.chunks import ChunkDataset, ChunkFormat
    from msbench.data.loading.effects import effects_of
    from msbench.data.opening import open_dataset

    tracks = open_dataset(dataset, root).tracks("train")
    format = ChunkFormat(STEMS, RATE, 2, CHUNK_SECONDS)
    effects = effects_of(options.pop("effects", None))
    chunks = ChunkDataset(tracks, format, Augmentation(remix=True, effects=effects, **options), sampling=sampling)
    if hold:
        chunks.hold()
    numbers = iter(range(10**9))
    return lambda: chunks[next(numbers)]


def peers(root: Path, prepared: Path) -> dict[str, Callable[[], Any]]:
    """{name: what gives its next chunk}."""
    import musdb
    from openunmix.data import MUSDBDataset

    random = np.random.default_rng(1)
    files = {stem: sorted((root / "train").glob(f"*/{stem}.wav")) for stem in STEMS}
    frames = soundfile.info(files["vocals"][0]).frames
    from scipy.io import wavfile

    maps = {path: wavfile.read(path, mmap=True)[1] for paths in files.values() for path in paths}

    def places() -> list[tuple[Path, int]]:
        return [
            (paths[random.integers(len(paths))], int(random.integers(frames - SAMPLES))) for paths in files.values()
        ]

    def seeks() -> list[np.ndarray]:
        found = []
        for path, start in places():
            with soundfile.SoundFile(path) as file:
                file.seek(start)
                found.append(file.read(SAMPLES, dtype="float32"))
        return found

    scale = np.float32(1 / 32768)
    # One thread reads; its own index is in the random numbers that it draws.
    umx = MUSDBDataset(root=str(root), is_wav=True, split="train", random_track_mix=True, seq_duration=CHUNK_SECONDS)
    assert isinstance(umx.mus, musdb.DB)
    theirs = asteroid_dataset()(
        root=str(root),
        sources=list(STEMS),
        targets=list(STEMS),
        split="train",
        segment=CHUNK_SECONDS,
        random_segments=True,
        random_track_mix=True,
        samples_per_track=64,
        suffix=".wav",
    )
    return {
        "Open-Unmix MUSDBDataset": lambda: umx[0],
        "asteroid MUSDB18Dataset": lambda: theirs[int(random.integers(len(theirs)))],
        "seeks": seeks,
        "memory map": lambda: [np.multiply(maps[p][s : s + SAMPLES], scale, dtype=np.float32) for p, s in places()],
        "memory map, unscaled": lambda: [maps[p][s : s + SAMPLES].astype(np.float32) for p, s in places()],
        "ours, plain WAV": chunks_of("musdb18hq", root),
        "ours, prepared": chunks_of("musdb18hq", prepared),
        "ours, held in memory": chunks_of("musdb18hq", root, hold=True),
    }


def asteroid_dataset() -> Any:
    """asteroid.data's own file: importing the package takes librosa, which nothing here needs."""
    package = importlib.util.find_spec("asteroid")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "data" / "musdb18_dataset.py"
    spec = importlib.util.spec_from_file_location("asteroid_musdb18_dataset", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MUSDB18Dataset


def rates(contestants: dict[str, Callable[[], Any]], rounds: int, seconds: float = 0.6) -> dict[str, float]:
    """Median chunks per second of each, taking turns."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for chunk in contestants.values():
        chunk()
    for _ in range(rounds):
        for name, chunk in contestants.items():
            count, started = 0, time.perf_counter()
            while (now := time.perf_counter()) - started < seconds or count < 2:
                chunk()
                count += 1
            found[name].append(count / (now - started))
    return {name: statistics.median(values) for name, values in found.items()}


def compare_chunks(root: Path, prepared: Path, rounds: int) -> list[str]:
    found = rates(peers(root, prepared), rounds)
    print("| | chunks per second | / seeks | / memory map | / Open-Unmix |\n|---|---|---|---|---|")
    for name, rate in found.items():
        ratios = [rate / found[other] for other in ("seeks", "memory map", "Open-Unmix MUSDBDataset")]
        print(f"| {name} | {rate:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {ratios[2]:.0f} |")
    missed = []
    if found["ours, plain WAV"] < found["seeks"] / 1.2:
        missed.append("plain files are not within 1.2 times the seeks")
    if found["ours, prepared"] < found["memory map"] / 1.5:
        missed.append("prepared files are not within 1.5 times the memory map")
    return missed


def compare_augmentations(prepared: Path, rounds: int) -> list[str]:
    found = rates({name: chunks_of("musdb18hq", prepared, **option) for name, option in AUGMENTATIONS.items()}, rounds)
    print("\n| option | chunks per second | extra ms per chunk | extra µs per second of a stem |\n|---|---|---|---|")
    for name, rate in found.items():
        extra = 1000 / rate - 1000 / found["none"]
        print(f"| {name} | {rate:.1f} | {extra:.2f} | {1000 * extra / len(STEMS) / CHUNK_SECONDS:.0f} |")
    return []


def compare_recipes(root: Path) -> list[str]:
    from msbench import registry
    from msbench.model.separator import Batch
    from msbench.training.command_line import FitCLI

    torch.set_num_threads(1)
    print("\n| paper recipe | ms to load a chunk | ms to train on it | share of waiting |\n|---|---|---|---|")
    missed = []
    for name in PAPER:
        with tempfile.TemporaryDirectory() as folder:
            flags = [
                "--data.dataset",
                "musdb18hq",
                "--data.root",
                str(root),
                "--data.extra",
                "null",
                "--data.batch_size",
                "1",
                "--data.workers",
                "0",
                "--output",
                folder,
            ]
            flags += ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
            cli = FitCLI(name, ["--config", str(registry.find_recipe(name)), *flags])
            cli.datamodule.setup("fit")
            loader = iter(cli.datamodule.train_dataloader())
            module = cli.model
            optimizer = module.build_optimizer(module.separator.parameters())
            module.train()
            loading, training = [], []
            for _ in range(4):
                started = time.perf_counter()
                batch = next(loader)
                loaded = time.perf_counter()
                optimizer.zero_grad()
                module.separator.loss(Batch(*batch), module.criterion).backward()
                optimizer.step()
                loading.append(loaded - started)
                training.append(time.perf_counter() - loaded)
                if sum(training) > 30:
                    break
            warm = 1 if len(training) > 1 else 0
            load, train = statistics.median(loading[warm:]), statistics.median(training[warm:])
            share = load / (load + train)
            print(f"| {name} | {1000 * load:.1f} | {1000 * train:.0f} | {100 * share:.1f} % |", flush=True)
            if share > 0.05:
                missed.append(f"{name} waits {100 * share:.1f} % of a step for its chunk without a worker")
    return missed


def link_songs(root: Path, to: Path, songs: int) -> Path:
    """Many songs out of few: links to the same files."""
    folders = sorted((root / "train").iterdir())
    for number in range(songs):
        folder = to / "train" / f"Song {number:04d}"
        folder.mkdir(parents=True)
        for path in folders[number % len(folders)].iterdir():
            (folder / path.name).symlink_to(path)
    return to


def open_and_read(root: Path) -> None:
    """In a process of its own: seconds to open, and anonymous bytes after 300 chunks."""
    from msbench.data.layouts.musdb18hq import MUSDB18HQ
    from msbench.data.loading.augmentation import Augmentation
    from msbench.data.loading.chunks import ChunkDataset, ChunkFormat

    started = time.perf_counter()
    tracks = MUSDB18HQ(root).tracks("train")
    seconds = time.perf_counter() - started
    chunks = ChunkDataset(tracks, ChunkFormat(STEMS, RATE, 2, CHUNK_SECONDS), Augmentation(remix=True))
    for number in range(300):
        chunks[number]
    anonymous = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert anonymous is not None
    print(len(tracks), seconds, int(anonymous[1]) / 1024)


def compare_starts(root: Path, folder: Path) -> list[str]:
    print("\n| songs | s to open | MiB after 300 chunks |\n|---|---|---|")
    found = {}
    for songs in (21, 2100):
        linked = link_songs(root, folder / f"songs-{songs}", songs)
        call = [sys.executable, __file__, "--open", str(linked)]
        count, seconds, mib = subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()
        found[songs] = float(seconds), float(mib)
        print(f"| {count} | {float(seconds):.2f} | {float(mib):.0f} |")
    missed = []
    if found[2100][0] > 2:
        missed.append("2,100 songs take more than 2 s to open")
    if found[2100][1] > 1.1 * found[21][1]:
        missed.append("memory grows with the number of songs")
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parts = ["chunks", "augmentations", "recipes", "start"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        return open_and_read(options.open)
    torch.set_num_threads(1)
    missed = []
    with tempfile.TemporaryDirectory() as temporary:
        from msbench.data.layouts.musdb18hq import MUSDB18HQ
        from msbench.data.upkeep.prepare import plan

        folder = Path(temporary)
        root = write_songs(folder / "songs", options.songs, options.seconds)
        plan(MUSDB18HQ(root), folder / "prepared").run()
        if "chunks" in options.only:
            missed += compare_chunks(root, folder / "prepared", options.rounds)
        if "augmentations" in options.only:
            missed += compare_augmentations(folder / "prepared", options.rounds)
        if "recipes" in options.only:
            missed += compare_recipes(root)
        if "start" in options.only:
            missed += compare_starts(root, folder)
    sys.exit("; ".join(missed) or None)


if __name__ == "__main__":
    main()
