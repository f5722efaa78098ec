"""Evaluation of one track in a process of its own: peak memory (all of it, Python and libraries included) and time.

Four stereo stems at 44.1 kHz in WAV files of 16 bits, scored with a model that costs nothing (`mixture_share`) and from
files of estimates, so that only the evaluation itself is measured. The peak is VmHWM, the largest resident set (Linux).

    python benchmarks/evaluation_memory.py [--seconds 60 600] [--metrics NAMES]

Prints a Markdown table; exits with 1 where a peak is not below 1 GiB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE, CHANNELS, BAR_BYTES = 44100, 2, 2**30
TARGETS = ("vocals", "drums", "bass", "other")
MIB = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=[60, 600])
    parser.add_argument("--metrics", nargs="*", help="in addition to BSSEval (the defaults of `msbench evaluate`)")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # the child's part
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(Path(options.measure[0]), options.measure[1], options.metrics)))
        return 0
    print(
        "| seconds | scored | peak MiB | in s | of which BSSEval | and the pass for the rest |\n"
        + "|---:|---|---:" * 2
        + "|"
    )
    peaks = []
    for seconds in options.seconds:
        with tempfile.TemporaryDirectory() as folder:
            write_songs(Path(folder), seconds)
            for scored in ("model", "files"):
                command = [sys.executable, __file__, "--measure", folder, scored]
                if options.metrics is not None:
                    command += ["--metrics", *options.metrics]
                child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(child.stdout.splitlines()[-1])
                peaks.append(found["peak"])
                times = " | ".join(f"{found[key]:.1f}" for key in ("seconds", "bsseval", "products"))
                print(f"| {seconds} | {scored} | {found['peak'] / MIB:.0f} | {times} |", flush=True)
    return int(max(peaks) >= BAR_BYTES)


def write_songs(folder: Path, seconds: int) -> None:
    """A dataset of one song, and estimates of its stems that leak and are noisy."""
    rng = np.random.default_rng(0)
    for kind in ("songs", "estimates"):
        (folder / kind / "test" / "song").mkdir(parents=True)
    files = {
        (kind, target): soundfile.SoundFile(folder / kind / "test" / "song" / f"{target}.wav", "w", RATE, CHANNELS)
        for kind, targets in (("songs", (*TARGETS, "mixture")), ("estimates", TARGETS))
        for target in targets
    }
    for _ in range(seconds):
        stems = 0.05 * rng.standard_normal((len(TARGETS), RATE, CHANNELS))
        estimates = 0.8 * stems + 0.2 * np.roll(stems, 1, axis=0) + 0.002 * rng.standard_normal(stems.shape)
        for target, stem, estimate in zip(TARGETS, stems, estimates, strict=True):
            files["songs", target].write(stem)
            files["estimates", target].write(estimate)
        files["songs", "mixture"].write(stems.sum(axis=0))
    for file in files.values():
        file.close()


def measure(folder: Path, scored: str, metrics: list[str] | None) -> dict[str, float]:
    """Score the model or the files in this process; bytes and seconds."""
    import msbench
    from msbench.evaluation import track as evaluation_track
    from msbench.metrics import bss_eval, catalogue
    from msbench.metrics.products import Products

    spent = {"bsseval": 0.0, "products": 0.0}

    def timed(name, function):  # type: ignore[no-untyped-def]
        def call(*arguments, **options):  # type: ignore[no-untyped-def]
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    evaluation_track.bss_eval = timed("bsseval", bss_eval)
    Products.of = timed("products", Products.of)  # type: ignore[method-assign]
    options = {"root": folder / "songs", "metrics": catalogue.DEFAULT if metrics is None else metrics}
    started = time.perf_counter()
    if scored == "model":
        record = msbench.evaluate("mixture_share", "musdb18hq", **options)
    else:
        record = msbench.evaluate_estimates(folder / "estimates", "musdb18hq", **options)
    return {"peak": record["speed"]["peak_bytes"], "seconds": time.perf_counter() - started, **spent}


if __name__ == "__main__":
    sys.exit(main())
