"""The multichannel Wiener filter compared with openunmix's: time and peak memory on one excerpt.

    python benchmarks/wiener.py [--frames 300 3000] [--iterations 1] [--repeats 5] [--device cpu]

Four stereo sources of 2049 bins, as Open-Unmix has them. Both run in one process, in turns; times are medians. Memory
is the peak of a separate process, minus what it holds before. A ratio is theirs divided by ours: above 1, ours is
faster or smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from openunmix.filtering import wiener as published

from msbench.model.wiener import wiener
from msbench.system.memory import peak_bytes

SOURCES, CHANNELS, BINS = 4, 2, 2049


def call_of(name: str, frames: int, iterations: int, device: str) -> Callable[[], Any]:
    """One of the filters on an excerpt of noise, in the layout that it takes; made without larger values between."""
    torch.manual_seed(0)
    if name == "ours":
        mixture = torch.randn(CHANNELS, BINS, frames, dtype=torch.complex64, device=device).mul_(30)
        estimates = torch.randn(SOURCES, CHANNELS, BINS, frames, dtype=torch.complex64, device=device).mul_(30)
        return lambda: wiener(estimates, mixture, iterations)
    plain = torch.randn(frames, BINS, CHANNELS, 2, device=device).mul_(30)
    magnitudes = torch.rand(frames, BINS, CHANNELS, SOURCES, device=device).mul_(30)
    return lambda: published(magnitudes, plain, iterations)


def timed(call: Callable[[], Any]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    with torch.inference_mode():
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def measure_memory(name: str, frames: int, iterations: int, device: str) -> float:
    call = call_of(name, frames, iterations, device)
    before = held_bytes(device)
    timed(call)
    return held_bytes(device) - before


def held_bytes(device: str) -> int:
    """The most that has been held until now."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--iterations", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(measure_memory(options.memory, options.frames[0], options.iterations, options.device)))
        return
    where = (
        torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    )
    print(f"torch {torch.__version__}, {where}, {torch.get_num_threads()} threads, median of {options.repeats}\n")
    print("| frames | ours s | openunmix s | ratio | ours MiB | openunmix MiB | ratio |")
    print("|---|---|---|---|---|---|---|")
    for frames in options.frames:
        pair = {name: call_of(name, frames, options.iterations, options.device) for name in ("ours", "openunmix")}
        samples: dict[str, list[float]] = {name: [] for name in pair}
        for repeat in range(options.repeats + 1):
            for name, call in pair.items():
                seconds = timed(call)
                if repeat:  # the first warms up
                    samples[name].append(seconds)
        same = [f"--{key}={getattr(options, key)}" for key in ("iterations", "device")]
        command = [sys.executable, __file__, "--frames", str(frames), *same]
        held = {
            name: float(subprocess.run([*command, "--memory", name], capture_output=True, check=True).stdout)
            for name in pair
        }
        ours, theirs = (median(samples[name]) for name in pair)
        cells = [str(frames), f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.2f}"]
        cells += [f"{held['ours'] / 2**20:.0f}", f"{held['openunmix'] / 2**20:.0f}"]
        cells.append(f"{held['openunmix'] / held['ours']:.2f}")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
