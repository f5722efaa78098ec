"""Band-split RNN: Luo & Yu, "Music source separation with band-split RNN", IEEE/ACM Transactions on Audio, Speech, and
Language Processing 31, 2023, arXiv:2209.15174.

The complex STFT of each channel is cut into bands, narrow where the target's notes are; a normalization and a linear
layer per band make features of it. BLSTMs run over time within a band and over the bands of a frame in turn, each
added to its input, and a small network per band gives a complex mask. Each target has a network, which is given each
channel by itself, as if of two songs. It is trained on the absolute errors of the waveform and of the real and
imaginary parts.

The authors' own code, from the challenge SDX 2023 (gitlab.aicrowd.com/Tomasyu), could not be read. The reference is
magronp/bsrnn (f2ecc62; models/bsrnn.py, models/bs.py), which was made of it and quotes the paper: the same outputs with
the same weights. Its checkpoints of one target are state dicts whose keys, with `target_models.vocals.` before each,
are ours, but for its two windows:

    weights = torch.load("vocals.ckpt")["state_dict"]
    ours = {f"target_models.vocals.{key}": value for key, value in weights.items() if "stft" not in key}
    msbench.load("bsrnn", targets=["vocals"]).load_state_dict(ours, strict=True)

That the published files load is unverified: none was at hand.

Differences:

- Bands of targets other than vocals, bass and drums are those of vocals, as the reference has them for `other`.
- Songs are not cut to where a target sounds before training, and there is no semi-supervised second stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from msbench import MUSDB_TARGETS, STFT, Batch, Separator, dual_path

EPS = 1e-7
# Of each target: bandwidths in Hz and how many bands have them, from the lowest; the rest is one band more. Those of
# vocals are the paper's V7.
BANDS = {
    "vocals": [(100, 10), (250, 12), (500, 8), (1000, 8), (2000, 2)],
    "bass": [(50, 10), (100, 5), (500, 6), (1000, 4), (2000, 4)],
    "drums": [(50, 20), (100, 10), (250, 8), (500, 8), (1000, 8)],
}


class BSRNN(Separator):
    """Complex masks by BLSTMs over time and over bands, one network per target (Luo & Yu 2022).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels, each separated by itself.
        window_samples, hop_samples: The STFT; the hop is at most half the window.
        features: Of each band and frame.
        depth: Pairs of BLSTMs, one over time and one over bands.
        hidden: Units of a BLSTM each way.
        mask_expansion: Units of a hidden layer of the mask networks, divided by `features`.
        spectrum_loss: Whether training by `l1` or `mse` compares the real and imaginary parts of the STFT too. Other
            losses are of waveforms alone.
        checkpointing: Whether training computes each BLSTM again for its gradients: less memory, more time.
        chunk_seconds: Length of all chunks of a separation: the network normalizes over a chunk, and was trained on
            these alone. None for any.
    """

    whole_loss: ClassVar[bool] = False

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 512,
        features: int = 128,
        depth: int = 12,
        hidden: int = 256,
        mask_expansion: int = 4,
        spectrum_loss: bool = True,
        checkpointing: bool = False,
        chunk_seconds: float | None = 3.0,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        sizes = {"features": features, "depth": depth, "hidden": hidden, "mask_expansion": mask_expansion}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        if chunk_seconds is not None:
            if chunk_seconds * sample_rate < hop_samples:
                raise ValueError(f"chunk_seconds must be a hop of {hop_samples} samples or more, not {chunk_seconds}")
            self.chunk_samples = round(chunk_seconds * sample_rate)
        self.stft = STFT(window_samples, hop_samples, plain=True)
        self.stride_samples = hop_samples
        self.spectrum_loss = spectrum_loss
        self.target_models = nn.ModuleDict()
        for target in self.targets:
            widths = band_widths(target, sample_rate, self.stft.bins)
            self.target_models[target] = Network(widths, **sizes, checkpointing=checkpointing)

    def networks(self) -> Mapping[str, nn.Module]:
        return dict(self.target_models.items())

    def forward(self, mixture: Tensor) -> Tensor:
        spectrum = self.stft(mixture)
        masked = torch.stack([self._masked(network, spectrum) for network in self.target_models.values()], 1)
        return self.stft.inverse(masked, mixture.shape[-1])

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Mapping[str, Tensor]:
        """Of each target: of the waveform, plus of the real and of the imaginary part of the STFT."""
        spectrum = self.stft(batch.mixture)
        losses: dict[str, Tensor] = {}
        of_parts = self.spectrum_loss and getattr(criterion, "loss", None) in ("l1", "mse")
        for i, (target, network) in enumerate(self.target_models.items()):
            true = batch.references[:, i : i + 1]
            masked = self._masked(network, spectrum).unsqueeze(1)
            losses[target] = criterion(self.stft.inverse(masked, true.shape[-1]), true)
            if of_parts:
                true_spectrum = self.stft(true)
                losses[target] = losses[target] + criterion(masked.real, true_spectrum.real)
                losses[target] = losses[target] + criterion(masked.imag, true_spectrum.imag)
        return losses

    def _masked(self, network: nn.Module, spectrum: Tensor) -> Tensor:
        """The STFT (B, C, F, N) of a mixture, through a network for one channel."""
        return network(spectrum.flatten(0, 1)).unflatten(0, spectrum.shape[:2])


class Network(nn.Module):
    """Masks for one target of one channel; the names of its weights are those of magronp/bsrnn."""

    def __init__(
        self, widths: list[int], features: int, depth: int, hidden: int, mask_expansion: int, checkpointing: bool
    ) -> None:
        super().__init__()
        self.widths, self.checkpointing = widths, checkpointing
        self.BN = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, 2 * width, EPS), nn.Conv1d(2 * width, features, 1)) for width in widths
        )
        self.separator = nn.ModuleList(Pair(features, hidden) for _ in range(depth))
        self.maskers = nn.ModuleList([Masker(widths, features, mask_expansion * features)])

    def forward(self, spectrum: Tensor) -> Tensor:
        """Complex (B, F, N) to the same."""
        parts = torch.stack([spectrum.real, spectrum.imag], 1)  # (B, 2, F, N)
        bands = [layer(band.flatten(1, 2)) for layer, band in zip(self.BN, parts.split(self.widths, 2), strict=True)]
        x = torch.stack(bands, 1).permute(0, 3, 1, 2)  # (B, N, K, features)
        for pair in self.separator:
            x = dual_path(x, *map(self._run, pair.children()))
        real, imaginary = self.maskers[0](x).float().unbind(1)
        return spectrum * torch.complex(real, imaginary)

    def _run(self, part: nn.Module) -> Callable[[Tensor], Tensor]:
        if self.checkpointing and torch.is_grad_enabled():
            return lambda x: checkpoint(part, x, use_reentrant=False)
        return part


class Pair(nn.Module):
    """A BLSTM over time, and one over bands."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.time_net, self.band_net = ResidualLSTM(features, hidden), ResidualLSTM(features, hidden)


class ResidualLSTM(nn.Module):
    """Normalization over a whole sequence, a BLSTM and a linear layer, added to the input: (B, L, C) to the same."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, features, EPS)
        self.main_layer = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.proj = nn.Linear(2 * hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        normed = functional.layer_norm(x, x.shape[1:], eps=EPS) * self.norm.weight + self.norm.bias
        return x + self.proj(self.main_layer(normed)[0])


class Masker(nn.Module):
    """A network per band: (B, N, K, C) to real and imaginary masks (B, 2, F, N)."""

    def __init__(self, widths: list[int], features: int, hidden: int) -> None:
        super().__init__()
        self.mask = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, features, EPS),
                nn.Conv1d(features, hidden, 1),
                nn.Tanh(),
                nn.Conv1d(hidden, hidden, 1),
                nn.Tanh(),
                nn.Conv1d(hidden, 4 * width, 1),
            )
            for width in widths
        )

    def forward(self, x: Tensor) -> Tensor:
        bands = x.permute(2, 0, 3, 1)  # (K, B, C, N)
        masks = [functional.glu(network(band), 1) for network, band in zip(self.mask, bands, strict=True)]
        return torch.cat([mask.unflatten(1, (2, -1)) for mask in masks], 2)


def band_widths(target: str, sample_rate: int, bins: int) -> list[int]:
    """Bins of each band, rounded down as in the reference; what is left above is the last.

    >>> widths = band_widths("vocals", 44100, 1025)
    >>> len(widths), widths[0], widths[-1]
    (41, 4, 117)
    """
    widths: list[int] = []
    for bandwidth, count in BANDS.get(target, BANDS["vocals"]):
        width = max(1, int(bandwidth * bins / (sample_rate / 2)))
        room = bins - 1 - sum(widths)  # at a low sample rate, bands end before the table
        widths += [width] * min(count, max(0, room) // width)
    return [*widths, bins - sum(widths)]
