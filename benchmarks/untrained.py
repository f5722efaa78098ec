"""Systems that are not trained, beside librosa's and nussl's ways, on the same song.

    python benchmarks/untrained.py [--only hpss repet ...] [--seconds 60] [--repeats 3]

Each goes the whole way from waveform to waveforms, in turns in one process of one thread. Times are medians, of the
processor, so that other work on the machine counts for neither. Memory is the peak of a separate
process during one separation, minus what it holds before. A ratio is theirs divided by ours: above 1, ours is faster or
smaller. The SNR is that of our estimates with respect to theirs. The song is made here: loops under a gliding voice.

librosa is of the dependency group `peers`. nussl does not import with today's libraries: its way is a transcription of
its arithmetic, tests/plugins/nussl.py, with numpy and scipy as there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from msbench.system.memory import peak_bytes
from msbench.system.threads import THREAD_VARIABLES

sys.path.insert(0, str(Path(__file__).parent.parent))  # for tests/

RATE, CHANNELS = 44100, 2
Way = Callable[[np.ndarray], np.ndarray]  # (C, T) to (S, C, T)
CASES = {"hpss": "librosa", "repet": "nussl", "repet_sim": "nussl", "ft2d": "nussl"}


def song(seconds: float) -> np.ndarray:
    random = np.random.default_rng(0)
    size, period = round(seconds * RATE), round(1.7 * RATE)
    loop = random.standard_normal((CHANNELS, period)) * np.exp(-(np.arange(period) % (period // 4)) / 4000)
    at = np.arange(size) / RATE
    voice = np.sin(2 * np.pi * (300 * at + 20 * np.sin(2.1 * at)))
    mixture = 0.1 * np.tile(loop, size // period + 1)[:, :size] + 0.1 * voice
    return (mixture + 1e-3 * random.standard_normal(mixture.shape)).astype(np.float32)


def ours(name: str) -> Way:
    import msbench

    model = msbench.load(name, sample_rate=RATE, channels=CHANNELS)

    def run(mixture: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(mixture)[None])[0].numpy()

    return run


def theirs(name: str) -> Way:
    if name == "hpss":
        import librosa

        def run(mixture: np.ndarray) -> np.ndarray:
            _, percussive = librosa.decompose.hpss(librosa.stft(mixture))
            return librosa.istft(percussive, length=mixture.shape[1])[None]

        return run
    from tests.plugins import nussl

    return lambda mixture: nussl.separate(name, mixture.astype(np.float64), RATE)


def measure_times(name: str, seconds: float, repeats: int) -> dict[str, Any]:
    ways, mixture = {"ours": ours(name), "theirs": theirs(name)}, song(seconds)
    kept: dict[str, list[float]] = {way: [] for way in ways}
    estimates = {}
    for run in ways.values():
        run(mixture[:, : RATE * 4])  # compiles, and warms up
    for _ in range(repeats):
        for way, run in ways.items():
            started = time.process_time()
            estimates[way] = run(mixture)
            kept[way].append(time.process_time() - started)
    inside = np.s_[..., : -RATE // 2]  # librosa leaves out the last frame, which the medians hear
    error = np.sum((estimates["ours"] - estimates["theirs"])[inside] ** 2)
    snr = float(10 * np.log10(np.sum(estimates["theirs"][inside] ** 2) / error))
    return {**{way: median(each) for way, each in kept.items()}, "snr": snr}


def measure_memory(name: str, way: str, seconds: float) -> int:
    run, mixture = {"ours": ours, "theirs": theirs}[way](name), song(seconds)
    run(mixture[:, : RATE * 4])
    before = peak_bytes()
    run(mixture)
    return peak_bytes() - before


def in_own_process(options: argparse.Namespace, *arguments: str) -> Any:
    command = [sys.executable, __file__, "--seconds", str(options.seconds), "--repeats", str(options.repeats)]
    one = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=one)
    if done.returncode:
        raise SystemExit(done.stderr or f"{' '.join(arguments)}: exit code {done.returncode} (out of memory?)")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--times", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.times:
        print(json.dumps(measure_times(options.times, options.seconds, options.repeats)))
        return
    if options.memory:
        print(json.dumps(measure_memory(*options.memory, options.seconds)))
        return
    print(f"{options.seconds:g} s of {RATE} Hz stereo, one thread, median of {options.repeats}\n")
    print("| system | peer | s | theirs | ratio | times real time | MiB | theirs | ratio | SNR |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in options.only:
        times = in_own_process(options, "--times", name)
        memory = {way: in_own_process(options, "--memory", name, way) / 2**20 for way in ("ours", "theirs")}
        cells = [name, CASES[name], f"{times['ours']:.2f}", f"{times['theirs']:.2f}"]
        cells += [f"{times['theirs'] / times['ours']:.1f}", f"{options.seconds / times['ours']:.0f}"]
        cells += [f"{memory['ours']:.0f}", f"{memory['theirs']:.0f}", f"{memory['theirs'] / memory['ours']:.1f}"]
        print("| " + " | ".join([*cells, f"{times['snr']:.0f} dB"]) + " |", flush=True)


if __name__ == "__main__":
    main()
