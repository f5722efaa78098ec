"""Peak memory of separating a file: 3 and 60 minutes of 44.1 kHz stereo, each in its own process.

    python benchmarks/separation_memory.py [--model NAME] [--minutes 3 60] [--format flac]

Prints a Markdown table and exits with 1 if the longest takes more than 1.05 times the memory of the shortest. The peak
is VmHWM, the largest resident set since the process started (ru_maxrss would count its parent's too).
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

RATE, CHANNELS, BAR = 44100, 2, 1.05
MIB = 2**20


def write_noise(path: Path, minutes: float) -> None:
    """A 16-bit stereo file of quiet noise."""
    random = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, CHANNELS, "PCM_16") as file:
        for _ in range(round(minutes * 60)):
            file.write((random.standard_normal((RATE, CHANNELS)) * 0.1).astype(np.float32))


def measure(path: Path, name: str, format: str) -> dict[str, float]:
    """Separate one file in this process; bytes and seconds."""
    from msbench.separation.batch import separate_files
    from msbench.system.memory import peak_bytes

    model = load(name)
    baseline, started = peak_bytes(), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        separate_files(model, [path], folder, format=format)
    return {"baseline": baseline, "peak": peak_bytes(), "seconds": time.perf_counter() - started}


def load(name: str):  # type: ignore[no-untyped-def]  # a Separator: torch is imported in the measured process alone
    import torch

    import msbench
    from msbench.model.separator import Separator

    if name != "tiny":
        return msbench.load(name)

    class Tiny(Separator):
        def __init__(self) -> None:
            super().__init__(["vocals", "rest"], RATE, CHANNELS)
            self.net = torch.nn.Sequential(
                torch.nn.Conv1d(CHANNELS, 16, 64, stride=16, padding=24),
                torch.nn.ReLU(),
                torch.nn.ConvTranspose1d(16, 2 * CHANNELS, 64, stride=16, padding=24),
            )
            self.stride_samples = 16

        def forward(self, mixture: torch.Tensor) -> torch.Tensor:
            time = mixture.shape[-1]
            padded = torch.nn.functional.pad(mixture, (0, -time % 16))
            return self.net(padded)[..., :time].unflatten(1, (2, CHANNELS))

    return Tiny()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a registered model, or `tiny`, a small convolution (default)")
    parser.add_argument("--minutes", type=float, nargs="+", default=[3, 60])
    parser.add_argument("--format", default="wav32f", help="of the stems, as `msbench separate` takes it")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # the child's part
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.model, options.format)))
        return 0

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in sorted(options.minutes):
            path = Path(folder) / f"{minutes:g}.wav"
            write_noise(path, minutes)
            command = [sys.executable, __file__, "--model", options.model, "--format", options.format]
            child = subprocess.run([*command, "--measure", str(path)], stdout=subprocess.PIPE, text=True, check=True)
            rows.append((minutes, json.loads(child.stdout.splitlines()[-1])))
            path.unlink()

    print(f"Model `{options.model}`, {RATE} Hz, {CHANNELS} channels, {options.format}, other defaults as they are.\n")
    print("| minutes | peak RSS | before separating | working memory | seconds |\n|---:|---:|---:|---:|---:|")
    for minutes, row in rows:
        work = row["peak"] - row["baseline"]
        sizes = " | ".join(f"{size / MIB:.0f} MiB" for size in (row["peak"], row["baseline"], work))
        print(f"| {minutes:g} | {sizes} | {row['seconds']:.1f} |")
    (_, short), (_, long) = rows[0], rows[-1]
    ratio = long["peak"] / short["peak"]
    work_ratio = (long["peak"] - long["baseline"]) / max(1, short["peak"] - short["baseline"])
    print(f"\nLongest / shortest: peak RSS {ratio:.3f} (bar: {BAR}), working memory {work_ratio:.3f}.")
    return int(ratio > BAR)


if __name__ == "__main__":
    sys.exit(main())
