"""Our models compared with the published implementations: a forward pass and a training step on the same input.

    python benchmarks/models.py [--only conv_tasnet ...] [--repeats 5] [--device cpu] [--busy]

With `--busy`, for a machine that does other work, times are of the processor, and of one thread.
Each pair is of the same size and runs in one process, in turns; times are medians. Memory is the peak of a
separate process during three training steps (or passes, where there is no step), minus what it holds before. A ratio is
theirs divided by ours: above 1, ours is faster or smaller.
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
from torch import Tensor, nn

from msbench.system.memory import peak_bytes

Step = Callable[[], Any]


ROFORMER = {"targets": ["vocals"], "features": 96, "depth": 4, "mask_layers": 1, "hop_samples": 512}


def band_roformer(name: str) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """Of moderate size: full ones take minutes for a step. The package bs-roformer has value residuals in addition."""
    import bs_roformer as first
    from msst.models import bs_roformer

    import msbench

    ours = msbench.load(name, **ROFORMER)
    mixture = 0.1 * torch.randn(1, 2, 44100 * 2)
    options = {"dim": 96, "depth": 4, "stereo": True, "time_transformer_depth": 1, "freq_transformer_depth": 1}
    if name == "bs_roformer":
        peers = {"msst": bs_roformer.BSRoformer(**options)}
        return ours, {**peers, "bs-roformer": first.BSRoformer(**options, num_residual_streams=1)}, mixture
    options |= {"mask_estimator_depth": 1, "attn_dropout": 0.0, "ff_dropout": 0.0}
    peers = {"msst": bs_roformer.MelBandRoformer(**options)}
    return ours, {**peers, "bs-roformer": first.MelBandRoformer(**options, num_residual_streams=1)}, mixture


def checkpointed(name: str, **sizes: Any) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """One of ours with `checkpointing`, on 2 s, against itself without."""
    import msbench

    ours, without = (msbench.load(name, checkpointing=checkpointing, **sizes) for checkpointing in (True, False))
    return ours, {"without": without}, 0.1 * torch.randn(1, 2, 44100 * 2)


def chimera(seconds: float) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """The masks alone, as no gradient passes through clusters. The package has the parts of asteroid's recipe."""
    from asteroid.masknn.recurrent import SingleRNN
    from asteroid.utils.torch_utils import pad_x_to_y
    from asteroid_filterbanks import make_enc_dec
    from asteroid_filterbanks.transforms import apply_mag_mask, mag

    import msbench

    class Masks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = make_enc_dec("stft", n_filters=256, kernel_size=256, stride=64)
            self.rnn = SingleRNN("lstm", 129, 600, n_layers=4, dropout=0.3, bidirectional=True)
            self.masks = nn.Sequential(nn.Dropout(0.3), nn.Linear(1200, 2 * 129), nn.Sigmoid())

        def forward(self, mixture: Tensor) -> Tensor:
            spectrum = self.encoder(mixture)
            features = self.rnn(torch.log(mag(spectrum) + 1e-8).permute(0, 2, 1))
            masks = self.masks(features).unflatten(2, (2, 129)).permute(0, 2, 3, 1)
            return pad_x_to_y(self.decoder(apply_mag_mask(spectrum.unsqueeze(1), masks)), mixture)

    ours = msbench.load("chimera", targets=["a", "b"])
    return ours, {"asteroid": Masks()}, 0.1 * torch.randn(1, 1, int(8000 * seconds))


def conv_tasnet(seconds: float) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    import torchaudio
    from asteroid.models import ConvTasNet

    import msbench

    ours = msbench.load("conv_tasnet", targets=["a", "b"], sample_rate=8000, channels=1)
    peers = {"asteroid": ConvTasNet(2), "torchaudio": torchaudio.models.ConvTasNet()}
    return ours, peers, 0.1 * torch.randn(1, 1, int(8000 * seconds))


def dcunet(architecture: str) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from asteroid.models import DCUNet

    import msbench

    ours = msbench.load("complex_unet", targets=["a"], architecture=architecture)
    return ours, {"asteroid": DCUNet(f"DCUNet-{architecture}", fix_length_mode="pad")}, 0.1 * torch.randn(2, 1, 48000)


def demucs_v2(filters: int) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from demucs.demucs import Demucs

    import msbench

    options = {"dconv_mode": 0, "lstm_layers": 2, "gelu": False, "norm_starts": 100}
    ours = msbench.load("demucs", filters=filters)
    return ours, {"demucs": Demucs(ours.targets, channels=filters, **options)}, 0.1 * torch.randn(1, 2, 44100 * 4)


def dprnn() -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from asteroid.models import DPRNNTasNet

    import msbench

    return msbench.load("dprnn", targets=["a", "b"]), {"asteroid": DPRNNTasNet(2)}, 0.1 * torch.randn(1, 1, 16000)


def film_unet() -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """Against itself, asked for one target after the other."""
    import msbench

    class OneByOne(nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, mixture: Tensor) -> Tensor:
            spectrum = self.model.stft(mixture)
            masks = []
            for i in range(len(self.model.targets)):
                drawn = torch.full((len(mixture),), i, device=mixture.device)
                masks.append(self.model._mask(spectrum.abs(), drawn))
            return self.model.stft.inverse(torch.cat(masks, 1) * spectrum.unsqueeze(1), mixture.shape[-1])

    ours = msbench.load("film_unet")
    return ours, {"target by target": OneByOne(msbench.load("film_unet"))}, 0.1 * torch.randn(4, 1, 97537)


def hdemucs(filters: int) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from demucs.hdemucs import HDemucs
    from torchaudio.models import HDemucs as OfTorchaudio

    import msbench

    ours = msbench.load("hdemucs", filters=filters)
    peers = {
        "demucs": HDemucs(ours.targets, channels=filters),
        "torchaudio": OfTorchaudio(ours.targets, channels=filters),
    }
    return ours, peers, 0.1 * torch.randn(1, 2, 44100 * 4)


def htdemucs(filters: int) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from demucs.htdemucs import HTDemucs

    import msbench

    options = {"bottom_channels": 512, "dconv_mode": 3, "use_train_segment": False}
    ours = msbench.load("htdemucs", filters=filters)
    return ours, {"demucs": HTDemucs(ours.targets, channels=filters, **options)}, 0.1 * torch.randn(1, 2, 44100 * 4)


def moises_light() -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from moises_light import MoisesLight, configs

    import msbench

    ours = msbench.load("moises_light")
    return ours, {"moises-light": MoisesLight(**configs["paper_large"])}, 0.1 * torch.randn(1, 2, 44100 * 3)


def open_unmix() -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """All four targets: the Wiener filter is part of their training step, and of our passes alone."""
    from openunmix.model import OpenUnmix, Separator

    import msbench

    ours = msbench.load("open_unmix")
    networks = {target: OpenUnmix(2049, 2, 512, max_bin=1487) for target in ours.targets}
    return ours, {"openunmix": Separator(networks, niter=1)}, 0.1 * torch.randn(1, 2, 44100 * 6)


def tasnet(bidirectional: bool) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from asteroid.models import LSTMTasNet

    import msbench

    hidden = 500 if bidirectional else 1000
    ours = msbench.load(
        "tasnet",
        targets=["a", "b"],
        stride_samples=20,
        unit_norm=False,
        norm="global" if bidirectional else "cumulative",
        hidden=hidden,
        bidirectional=bidirectional,
        skip=False,
        dropout=0.3,
        mask="sigmoid",
    )
    theirs = LSTMTasNet(
        2, n_filters=500, kernel_size=40, stride=20, hid_size=hidden, bidirectional=bidirectional, dropout=0.3
    )
    return ours, {"asteroid": theirs}, 0.1 * torch.randn(1, 1, 16000)


def scnet() -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """Against msst's class, which is the authors' without the normalization of the spectrogram."""
    from msst.models.scnet import SCNet

    import msbench

    ours = msbench.load("scnet", layers=2)
    return ours, {"msst": SCNet(num_dplayer=2)}, 0.1 * torch.randn(1, 2, 44100 * 3)


def tfc_tdf(filters: int) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    from types import SimpleNamespace

    from msst.models.mdx23c_tfc_tdf_v3 import TFC_TDF_net

    import msbench

    ours = msbench.load("tfc_tdf", filters=filters, growth=filters)
    audio = {"n_fft": 8192, "hop_length": 1024, "dim_f": 4096, "num_channels": 2}
    model = {"norm": "InstanceNorm", "act": "gelu", "scale": [2, 2], "num_subbands": 4, "num_scales": 5}
    model |= {"num_blocks_per_scale": 2, "num_channels": filters, "growth": filters, "bottleneck_factor": 4}
    parts = {"audio": audio, "model": model, "training": {"instruments": ours.targets}}
    theirs = TFC_TDF_net(SimpleNamespace(**{name: SimpleNamespace(**part) for name, part in parts.items()}))
    return ours, {"msst": theirs}, 0.1 * torch.randn(1, 2, 1024 * 127)


def multi_band(name: str) -> tuple[nn.Module, dict[str, nn.Module], Tensor]:
    """Against tky823/DNN-based_source_separation (8663d6f), which is no package: MULTI_BAND_PEER is a clone of it."""
    import msbench

    clone = os.environ["MULTI_BAND_PEER"]
    sys.path[0] = f"{clone}/src"  # this file's folder has another "models"
    folder = f"{clone}/egs/musdb18"
    ours = msbench.load(name, targets=["vocals"])
    if name == "mmdensenet":
        from models.mm_densenet import MMDenseNet as Peer

        peer = Peer.build_from_config(f"{folder}/mm-densenet/config/paper/vocals.yaml")
    else:
        from models.mm_dense_lstm import MMDenseLSTM as Peer

        peer = Peer.build_from_config(f"{folder}/mm-dense-lstm/config/lstm-after-dense/vocals.yaml")
    sizes = (ours.stft.window_samples, ours.stft.hop_samples)
    return ours, {"tky823": Peer.TimeDomainWrapper(peer, *sizes)}, 0.1 * torch.randn(1, 2, 44100 * 3)


# A training step on a minute would hold 26 GiB; one of film_unet draws one target per item.
FORWARD_ALONE = ("conv_tasnet, 60 s", "film_unet, all targets")

CASES: dict[str, Callable[[], tuple[nn.Module, dict[str, nn.Module], Tensor]]] = {
    "bs_roformer, 2 s": lambda: band_roformer("bs_roformer"),
    "bs_roformer, checkpointing": lambda: checkpointed("bs_roformer", **ROFORMER),
    "bsrnn, checkpointing": lambda: checkpointed("bsrnn", targets=["vocals"], features=64, depth=4, hidden=96),
    "chimera, 4 s": lambda: chimera(4),
    "conv_tasnet, 4 s": lambda: conv_tasnet(4),
    "conv_tasnet, 60 s": lambda: conv_tasnet(60),
    "complex_unet 10, 3 s": lambda: dcunet("10"),
    "complex_unet 20, 3 s": lambda: dcunet("20"),
    "demucs 48, 4 s": lambda: demucs_v2(48),
    "dprnn, 2 s": dprnn,
    "film_unet, all targets": film_unet,
    "hdemucs 48, 4 s": lambda: hdemucs(48),
    "htdemucs 48, 4 s": lambda: htdemucs(48),
    "mel_band_roformer, 2 s": lambda: band_roformer("mel_band_roformer"),
    "mel_band_roformer, checkpointing": lambda: checkpointed("mel_band_roformer", **ROFORMER),
    "moises_light, 3 s": moises_light,
    "open_unmix, 6 s": open_unmix,
    "scnet, 2 dual-path layers, 3 s": scnet,
    "scnet, checkpointing": lambda: checkpointed("scnet", layers=2),
    "tasnet, 2 s": lambda: tasnet(True),
    "tasnet, causal, 2 s": lambda: tasnet(False),
    "tfc_tdf 16, 3 s": lambda: tfc_tdf(16),
    "tfc_tdf 16, checkpointing": lambda: checkpointed("tfc_tdf", filters=16, growth=16),
}
if "MULTI_BAND_PEER" in os.environ:
    CASES["mmdenselstm, 3 s"] = lambda: multi_band("mmdenselstm")
    CASES["mmdensenet, 3 s"] = lambda: multi_band("mmdensenet")


def steps(model: nn.Module, mixture: Tensor) -> tuple[Step, Step]:
    """A forward pass in evaluation mode, and a training step with L1 on all outputs, which are of one shape."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def forward() -> None:
        model.eval()
        with torch.inference_mode():
            model(mixture)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        model(mixture).abs().mean().backward()
        optimizer.step()

    return forward, train


def timed(step: Step, clock: Callable[[], float]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = clock()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - started


def measure_times(case: str, repeats: int, device: str, busy: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    if busy:
        torch.set_num_threads(1)  # threads that wait for a processor would spend its time
    clock = time.process_time if busy else time.perf_counter
    ours, peers, mixture = CASES[case]()
    mixture = mixture.to(device)
    pairs = {name: steps(model.to(device), mixture) for name, model in {"ours": ours, **peers}.items()}
    samples: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in pairs}
    for repeat in range(repeats + 1):
        for name, (forward, train) in pairs.items():
            both = timed(forward, clock), float("nan") if case in FORWARD_ALONE else timed(train, clock)
            if repeat:  # the first warms up
                for kept, seconds in zip(samples[name], both, strict=True):
                    kept.append(seconds)
    return {name: [median(kept) for kept in both] for name, both in samples.items()}


def measure_memory(case: str, name: str, device: str) -> float:
    ours, peers, mixture = CASES[case]()
    model = {"ours": ours, **peers}[name].to(device)
    del ours, peers
    forward, train = steps(model, mixture.to(device))
    before = held_bytes(device)
    for _ in range(3):
        (forward if case in FORWARD_ALONE else train)()
    return held_bytes(device) - before


def held_bytes(device: str) -> int:
    """The most that has been held until now."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return peak_bytes()


def in_own_process(*arguments: str) -> Any:
    """Run this file in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr or f"{' '.join(arguments)}: exit code {done.returncode} (out of memory?)")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(CASES), help="beginnings of cases")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--busy", action="store_true", help="time of the processor, on one thread")
    parser.add_argument("--times", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.times:
        print(json.dumps(measure_times(options.times, options.repeats, options.device, options.busy)))
        return
    if options.memory:
        print(json.dumps(measure_memory(*options.memory, options.device)))
        return
    where = (
        torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    )
    clock = "processor time of one thread" if options.busy else "wall time"
    print(f"torch {torch.__version__}, {where}, {clock}, median of {options.repeats}\n")
    print("| case | peer | forward s | theirs | ratio | step s | theirs | ratio | step MiB | theirs | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if not any(case.startswith(start) for start in options.only):
            continue
        same = ("--device", options.device)
        busy = ["--busy"] if options.busy else []
        times = in_own_process("--times", case, "--repeats", str(options.repeats), *same, *busy)
        forward, train = times.pop("ours")
        memory = in_own_process("--memory", case, "ours", *same) / 2**20
        for peer, (peer_forward, peer_train) in times.items():
            theirs = in_own_process("--memory", case, peer, *same) / 2**20
            cells = [case, peer, f"{forward:.3f}", f"{peer_forward:.3f}", f"{peer_forward / forward:.2f}"]
            cells += [f"{train:.3f}", f"{peer_train:.3f}", f"{peer_train / train:.2f}"]
            cells += [f"{memory:.0f}", f"{theirs:.0f}", f"{theirs / memory:.2f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
