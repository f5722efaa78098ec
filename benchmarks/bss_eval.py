"""BSSEval: this project's evaluator compared with museval's in time, memory and digits.

Four stereo stems at 44.1 kHz, 16 bits, windows of 1 s; each evaluator has its own process. Memory is the peak of the
process minus what it holds once the inputs are loaded. "files" is the fast evaluator reading WAV files block by block;
its memory is that of the whole process, including Python and the libraries.

    python benchmarks/bss_eval.py --seconds 30 60 240
    python benchmarks/bss_eval.py --seconds 60 600 --only fast files
    python benchmarks/bss_eval.py --device cuda
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from scipy.signal import lfilter

RATE, SOURCES, CHANNELS = 44100, 4, 2
EVALUATORS = ("museval", "fast", "files")
COLUMNS = (
    "museval s",
    "fast s",
    "ratio",
    "files s",
    "museval MiB",
    "fast MiB",
    "files MiB in all",
    "difference in dB",
)


class Stems:
    """WAV files of one track as one (source, time, channel) signal, read where it is sliced."""

    def __init__(self, paths: list[Path]) -> None:
        self.files = [soundfile.SoundFile(path) for path in paths]
        self.shape = (len(paths), self.files[0].frames, self.files[0].channels)

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        start, stop, _ = key[1].indices(self.shape[1])
        parts = []
        for file in self.files[key[0]]:
            file.seek(start)
            parts.append(file.read(stop - start, dtype="float32", always_2d=True))
        return np.stack(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=[30, 60, 240], help="length of the track")
    parser.add_argument("--only", nargs="+", choices=EVALUATORS, default=EVALUATORS, help="evaluators to run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of the fast evaluator, of which the median counts")
    parser.add_argument("--device", help="where torch correlates and solves for fast and files, such as cuda")
    parser.add_argument("--evaluate", nargs=2, metavar=("EVALUATOR", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.evaluate:
        evaluate(arguments.evaluate[0], Path(arguments.evaluate[1]), arguments.repeats, arguments.device)
        return
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{platform.machine()}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, numpy {np.__version__}\n")
    print("| seconds |", *(f" {column} |" for column in COLUMNS), sep="")
    print("|" + "---:|" * (len(COLUMNS) + 1))
    for seconds in arguments.seconds:
        print(row(seconds, compare(seconds, arguments.only, arguments.repeats, arguments.device)), flush=True)


def compare(seconds: int, evaluators: list[str], repeats: int, device: str | None) -> dict[str, Any]:
    """Runs each evaluator in its own process on one synthetic track."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_track(folder, seconds)
        for evaluator in evaluators:
            command = [sys.executable, __file__, "--repeats", str(repeats), "--evaluate", evaluator, name]
            command += ["--device", device] if device else []
            results[evaluator] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            results[evaluator]["scores"] = np.load(folder / f"{evaluator}.npy")
    return results


def row(seconds: int, results: dict[str, Any]) -> str:
    """One line of the table."""
    times, peaks = ({name: result[key] for name, result in results.items()} for key in ("seconds", "mib"))
    cells = [f"{times[name]:.2f}" if name in times else "" for name in EVALUATORS]
    ratio = f"{times['museval'] / times['fast']:.0f}" if {"museval", "fast"} <= times.keys() else ""
    memory = [f"{peaks[name]:.0f}" if name in peaks else "" for name in EVALUATORS]
    difference = ""
    if "museval" in results:
        expected = results["museval"]["scores"]
        finite = np.isfinite(expected)
        others = [result["scores"] for name, result in results.items() if name != "museval"]
        same = all(np.array_equal(s[~finite], expected[~finite], equal_nan=True) for s in others)
        difference = (
            f"{max(np.abs(s - expected)[finite].max() for s in others):.1e}" if same and others else "NaN differ"
        )
    return "| " + " | ".join([str(seconds), *cells[:2], ratio, cells[2], *memory, difference]) + " |"


def write_track(folder: Path, seconds: int) -> None:
    """Noise with the spectrum and the swells of music; estimates leak, are filtered and noisy."""
    rng = np.random.default_rng(seconds)
    files = [
        [soundfile.SoundFile(folder / f"{kind}{s}.wav", "w", RATE, CHANNELS, "PCM_16") for s in range(SOURCES)]
        for kind in ("references", "estimates")
    ]
    for block in stems(rng, seconds):
        leak = 0.8 * block + 0.1 * np.roll(block, 1, axis=0) + 0.05 * np.roll(block, 3, axis=1)
        estimate = leak + 0.005 * rng.standard_normal(block.shape)
        for outputs, signals in zip(files, (block, estimate), strict=True):
            for file, signal in zip(outputs, signals, strict=True):
                file.write(signal)
    for outputs in files:
        for file in outputs:
            file.close()


def stems(rng: np.random.Generator, seconds: int) -> Iterator[np.ndarray]:
    """Blocks (source, time, channel) of one second."""
    for _ in range(seconds):
        noise = rng.standard_normal((SOURCES, RATE, CHANNELS))
        noise[..., 1] = 0.7 * noise[..., 0] + 0.3 * noise[..., 1]
        poles = 0.6 + 0.1 * np.arange(SOURCES)
        block = np.stack(
            [lfilter([1 - pole], [1, -pole], part, axis=0) for pole, part in zip(poles, noise, strict=True)]
        )
        yield 0.2 * block * rng.uniform(0.2, 1, (SOURCES, 1, 1))


def evaluate(evaluator: str, folder: Path, repeats: int, device: str | None) -> None:
    """Scores the track of a folder, and prints the time and the memory as JSON."""
    from msbench.metrics import bss_eval
    from msbench.metrics.bsseval.museval import museval_metrics
    from msbench.system.memory import peak_bytes, resident_bytes

    readers = [Stems([folder / f"{kind}{s}.wav" for s in range(SOURCES)]) for kind in ("references", "estimates")]
    references, estimates = readers if evaluator == "files" else [load(reader) for reader in readers]
    backend = "museval" if evaluator == "museval" else "fast"
    museval_metrics()
    before = 0 if evaluator == "files" else resident_bytes() or 0
    elapsed = []
    for _ in range(1 if evaluator == "museval" else repeats):
        start = time.perf_counter()
        scores = bss_eval(references, estimates, window=RATE, hop=RATE, backend=backend, device=device)
        elapsed.append(time.perf_counter() - start)
    np.save(folder / f"{evaluator}.npy", np.stack(scores[:4]))
    print(json.dumps({"seconds": median(elapsed), "all": elapsed, "mib": (peak_bytes() - before) / 2**20}))


def load(reader: Stems) -> np.ndarray:
    """The whole of it in float64, without anything else that would hide what the evaluator takes."""
    signals = np.empty(reader.shape)
    for start in range(0, reader.shape[1], RATE):
        signals[:, start : start + RATE] = reader[:, start : start + RATE]
    return signals


if __name__ == "__main__":
    main()
