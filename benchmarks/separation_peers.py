"""`msbench separate` against the command lines of demucs and msst: one song of stereo noise, the same weights.

    python benchmarks/separation_peers.py [--peers demucs msst] [--minutes 3 60] [--threads 2] [--width middle]

A row is the median of the repeats, each in processes of their own, theirs and ours in turn. Processor time is that of
all threads. Memory is the largest resident set. Ratios are ours divided by theirs: at most 1 is the bar. Several
`--minutes` show whether memory is flat. Weights are random; `full` has the sizes of the released networks: on two
cores Demucs's takes about as long as the song, and BS-RoFormer's ten times as long, of which `middle` has a ninth.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import yaml

TARGETS = ["drums", "bass", "other", "vocals"]
RATE, CHUNK, MIB = 44100, 131_072, 2**20
BANDS = [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]  # of BS-RoFormer


class Cost(NamedTuple):
    """What one command took."""

    seconds: float
    processor: float
    memory: int


def write_weights(name: str, width: str, folder: Path) -> None:
    """The same random weights as a file of the peer, and as a checkpoint of msbench, `ours.ckpt`."""
    import torch

    from msbench.model.checkpoints import KEY

    torch.manual_seed(0)
    if name == "demucs":
        from demucs.htdemucs import HTDemucs

        filters, layers = {"small": (16, 1), "middle": (32, 3), "full": (48, 5)}[width]
        sizes = {"channels": filters, "t_layers": layers, "bottom_channels": 512, "dconv_mode": 3}
        network = HTDemucs(TARGETS, **sizes, segment=7.8, samplerate=RATE)
        package = {"klass": HTDemucs, "args": (TARGETS,), "kwargs": {**sizes, "segment": 7.8, "samplerate": RATE}}
        torch.save({**package, "state": network.state_dict()}, folder / "weights.th")
        model = {"name": "htdemucs", "options": {"targets": TARGETS, "filters": filters, "transformer_layers": layers}}
    else:
        from msst.models.bs_roformer import BSRoformer

        features, depth = {"small": (32, 1), "middle": (96, 3), "full": (384, 6)}[width]
        options = {"dim": features, "depth": depth, "stereo": True, "num_stems": 1, "dim_head": 64, "heads": 8}
        options |= {"time_transformer_depth": 1, "freq_transformer_depth": 1, "stft_hop_length": 441}
        network = BSRoformer(**options)
        torch.save(network.state_dict(), folder / "weights.ckpt")
        config = {
            "audio": {"chunk_size": CHUNK, "num_channels": 2, "sample_rate": RATE},
            "model": options,
            "training": {"instruments": ["vocals"], "target_instrument": "vocals", "use_amp": False},
            "inference": {"batch_size": 1, "num_overlap": 2},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        sizes = {"targets": ["vocals"], "features": features, "depth": depth, "chunk_seconds": CHUNK / RATE}
        model = {"name": "bs_roformer", "options": sizes}
    state = {f"separator.{key}": value for key, value in network.state_dict().items()}
    torch.save({KEY: model, "state_dict": state, "global_step": 0, "epoch": 0}, folder / "ours.ckpt")


def write_song(path: Path, minutes: float) -> None:
    import numpy as np
    import soundfile

    random = np.random.default_rng(0)
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(round(minutes * 60)):
            file.write((random.standard_normal((RATE, 2)) * 0.1).astype(np.float32))


def commands(name: str, folder: Path, song: Path, output: Path) -> tuple[list[str], list[str]]:
    """Theirs and ours, at the same settings, both on the CPU."""
    scripts = Path(sys.executable).parent
    ours = [str(scripts / "msbench"), "separate", str(folder / "ours.ckpt"), str(song), "-o", str(output / "ours")]
    ours += ["--device", "cpu", "--window"]
    if name == "demucs":
        theirs = [str(scripts / "demucs"), "--repo", str(folder), "-n", "weights", "-d", "cpu", "--shifts", "0"]
        return [*theirs, "--float32", "-o", str(output / "theirs"), str(song)], [*ours, "triangle"]
    theirs = [str(scripts / "msst-inference"), "--model_type", "bs_roformer", "--force_cpu"]
    theirs += ["--config_path", str(folder / "config.yaml"), "--start_check_point", str(folder / "weights.ckpt")]
    theirs += ["--input_folder", str(song.parent), "--store_dir", str(output / "theirs")]
    return theirs, [*ours, "trapezoid", "--overlap", "0.5"]


def cost(command: list[str], threads: int) -> Cost:
    """Run a command. The memory of a process counts what its parent had, so that this one imports no torch."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if child.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} failed: {said.read().decode(errors='replace')[-2000:]}")
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(seconds, used.ru_utime + used.ru_stime, memory)


def compare(name: str, folder: Path, minutes: float, options: argparse.Namespace) -> list[Cost]:
    """The medians of theirs and of ours."""
    found: tuple[list[Cost], list[Cost]] = ([], [])
    for repeat in range(options.repeats):
        place = folder / f"{minutes:g}-{repeat}"
        place.mkdir()
        song = place / "song" / "song.wav"
        subprocess.run([sys.executable, __file__, "--write-song", str(song), str(minutes)], check=True)
        for costs, command in zip(found, commands(name, folder, song, place), strict=True):
            costs.append(cost(command, options.threads))
    return [Cost(*map(median, zip(*costs, strict=True))) for costs in found]  # type: ignore[arg-type]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", choices=["demucs", "msst"], default=["demucs", "msst"])
    parser.add_argument("--minutes", type=float, nargs="+", default=[3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", choices=["small", "middle", "full"], default="full")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write-weights", nargs=3, help=argparse.SUPPRESS)  # the parts of children
    parser.add_argument("--write-song", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_weights:
        name, width, folder = options.write_weights
        write_weights(name, width, Path(folder))
        return 0
    if options.write_song:
        path, minutes = options.write_song
        write_song(Path(path), float(minutes))
        return 0

    print("| peer | minutes | | wall | processor | peak memory |\n|---|---:|---|---:|---:|---:|")
    for name in options.peers:
        with tempfile.TemporaryDirectory() as place:
            subprocess.run([sys.executable, __file__, "--write-weights", name, options.width, place], check=True)
            for minutes in options.minutes:
                theirs, ours = compare(name, Path(place), minutes, options)
                for who, row in ((name, theirs), ("msbench", ours)):
                    print(
                        f"| {name} | {minutes:g} | {who} | {row.seconds:.1f} s | {row.processor:.1f} s | "
                        f"{row.memory / MIB:.0f} MiB |"
                    )
                ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
                print(
                    f"| {name} | {minutes:g} | ratio | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
