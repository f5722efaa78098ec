"""Multi-scale multi-band DenseNets on magnitudes, without and with LSTMs.

- `MMDenseNet`: Takahashi & Mitsufuji, "Multi-scale multi-band DenseNets for audio source separation", WASPAA 2017
  (arXiv:1706.09588).
- `MMDenseLSTM`: Takahashi, Goswami & Mitsufuji, "MMDenseLSTM: An efficient combination of convolutional and recurrent
  neural networks for audio source separation", 2018 (arXiv:1805.02410).

The spectrogram is cut into bands. Each band, and the full band in addition, has a network of its own: dense blocks with
average pooling on the way down, and transposed convolutions and skips on the way up. Their outputs are joined, and a
last dense block and a gated 1 x 1 convolution give the magnitudes of one target. MMDenseLSTM adds bidirectional LSTMs
over time to some blocks. There is one network per target, as in the public code: `networks()`.

The authors published no code, and of the papers' text the abstracts alone could be read. The networks are those of
tky823/DNN-based_source_separation 8663d6f (src/models/mm_densenet.py, mm_dense_rnn.py and the files that they import),
with its sizes (egs/musdb18/mm-densenet/config/paper, egs/musdb18/mm-dense-lstm/config): 339,468 and 1,370,784
parameters per target. With its weights, the magnitudes are the same.

Differences from that code:

- That code scores with a multichannel Wiener filter over the estimates of four targets; `phase: wiener` has one.
- Where the mixture's magnitude is zero, the estimate is zero.
- The bands must cover the spectrum. That code passes bins above the last band through.
- An LSTM may be in each block. That code refuses one on the way down, and in the last block of a band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator

EPS = 1e-12  # of all normalizations, as in the public code: an epsilon of 1e-5 would let the network hear the level
POSITIONS = ("after", "before", "parallel")

# The rows of these tables are the bands from low to high, and the full band.
GROWTH_2017 = ((14, 16, 16, 16, 16, 16, 16), (10,) * 7, (6,) * 7)
DEPTH_2017 = ((4,) * 7, (3,) * 7, (2, 2, 2, 4, 2, 2, 2))
GROWTH_2018 = ((14,) * 7, (4,) * 7, (2, 2, 0, 2, 2), (7,) * 9)
DEPTH_2018 = ((5,) * 7, (4,) * 7, (1, 1, 0, 1, 1), (3, 3, 4, 5, 5, 5, 4, 3, 3))
UNITS_2018 = ((0, 0, 0, 64, 0, 64, 0), (0, 0, 0, 16, 0, 0, 0), (0, 0, 4, 0, 0), (0, 0, 0, 0, 64, 0, 0, 64, 0))


class _Sizes(NamedTuple):
    """Of the network of one band; a number per block, down and up again."""

    bins: int
    features: int
    growth: Sequence[int]
    depth: Sequence[int]
    units: Sequence[int]
    kernel: tuple[int, int]


class _Final(NamedTuple):
    """Of the last dense block."""

    growth: int
    depth: int
    kernel: tuple[int, int]
    dilated: bool


def _convolution(channels_in: int, channels_out: int, kernel: tuple[int, int], dilation: int = 1) -> nn.Module:
    """A convolution that keeps the size. Of an odd number of zeros, the larger part comes after."""
    bins, frames = (dilation * (size - 1) for size in kernel)
    if bins % 2 == frames % 2 == 0:
        return nn.Conv2d(channels_in, channels_out, kernel, dilation=dilation, padding=(bins // 2, frames // 2))
    pad = nn.ZeroPad2d((frames // 2, frames - frames // 2, bins // 2, bins - bins // 2))
    return nn.Sequential(pad, nn.Conv2d(channels_in, channels_out, kernel, dilation=dilation))


class _DenseBlock(nn.Module):
    """(B, C, F, N) to (B, growth, F, N): each layer sees what all layers before it have made for it.

    Layer i gives `growth` maps to each of the layers after it, and the sum of what a layer is given is its input. With
    one kernel per pair of layers, that is a convolution of their concatenation (DenseNet).
    """

    def __init__(self, channels: int, growth: int, depth: int, kernel: tuple[int, int], dilated: bool = False) -> None:
        super().__init__()
        self.growth = growth
        self.layers = nn.ModuleList()
        for i in range(depth):
            width = growth if i else channels
            convolution = _convolution(width, growth * (depth - i), kernel, 2**i if dilated else 1)
            self.layers.append(nn.Sequential(nn.BatchNorm2d(width, EPS), nn.ReLU(inplace=True), convolution))

    def forward(self, x: Tensor) -> Tensor:
        given = self.layers[0](x)
        for layer in self.layers[1:]:
            x, given = given.split([self.growth, given.shape[1] - self.growth], 1)
            given = given + layer(x)
        return given


class _Recurrence(nn.Module):
    """(B, C, F, N) to one map (B, 1, F, N): a bidirectional LSTM over the frames of one weighted sum of the maps."""

    def __init__(self, channels: int, bins: int, units: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, 1, 1)
        self.lstm = nn.LSTM(bins, units, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * units, bins)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.mix(x).squeeze(1).transpose(1, 2)  # (B, N, F)
        return self.linear(self.lstm(frames)[0]).transpose(1, 2).unsqueeze(1)


class _Block(nn.Module):
    """A dense block, an LSTM, or both."""

    def __init__(self, channels: int, sizes: _Sizes, i: int, bins: int, position: str) -> None:
        super().__init__()
        growth, depth, units = sizes.growth[i], sizes.depth[i], sizes.units[i]
        self.position = position
        seen = growth if position == "after" and depth else channels
        self.recurrence = _Recurrence(seen, bins, units) if units else None
        before = bool(units) and position == "before"
        self.dense = _DenseBlock(channels + before, growth, depth, sizes.kernel) if depth else None
        self.channels = (growth if depth else 0) + (bool(units) and not (before and depth))

    def forward(self, x: Tensor) -> Tensor:
        if self.recurrence is None or self.dense is None:
            only = self.dense or self.recurrence
            assert only is not None
            return only(x)
        if self.position == "before":
            return self.dense(torch.cat([x, self.recurrence(x)], 1))
        dense = self.dense(x)
        return torch.cat([dense, self.recurrence(dense if self.position == "after" else x)], 1)


class _Scales(nn.Module):
    """The multi-scale network of one band: (B, C, F, N) to (B, `channels`, F, N)."""

    def __init__(self, channels: int, sizes: _Sizes, position: str) -> None:
        super().__init__()
        levels = len(sizes.growth) // 2
        bins = [sizes.bins]
        for _ in range(levels):
            bins.append((bins[-1] + 1) // 2)
        self.first = _convolution(channels, sizes.features, sizes.kernel)
        width, skips = sizes.features, []
        self.down, self.grow, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(levels):
            block = _Block(width, sizes, i, 2 * bins[i + 1], position)
            self.down.append(block)
            width = block.channels
            skips.append(width)
        self.middle = _Block(width, sizes, levels, bins[-1], position)
        width = self.middle.channels
        for i in reversed(range(levels)):
            self.grow.append(nn.Sequential(nn.BatchNorm2d(width, EPS), nn.ConvTranspose2d(width, width, 2, 2)))
            block = _Block(width + skips[i], sizes, 2 * levels - i, bins[i], position)
            self.up.append(block)
            width = block.channels
        self.channels = width

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips = []
        for block in self.down:
            bins, frames = x.shape[-2:]
            x = block(nn.functional.pad(x, (0, frames % 2, 0, bins % 2)))
            skips.append(x[..., :bins, :frames])
            x = nn.functional.avg_pool2d(x, 2)
        x = self.middle(x)
        for grow, block in zip(self.grow, self.up, strict=True):
            skip = skips.pop()
            x = block(torch.cat([grow(x)[..., : skip.shape[-2], : skip.shape[-1]], skip], 1))
        return x


class _Network(nn.Module):
    """The magnitudes of a mixture to those of one target, (B, C, F, N) both."""

    def __init__(self, channels: int, bands: Sequence[_Sizes], full: _Sizes, final: _Final, position: str) -> None:
        super().__init__()
        self.bins = [band.bins for band in bands]
        networks = [_Scales(channels, band, position) for band in bands]
        widths = [network.channels for network in networks]
        widest = max(widths)
        self.bands = nn.ModuleList(networks)
        self.widen = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width, EPS), nn.Conv2d(width, widest, 1)) if width < widest else nn.Identity()
            for width in widths
        )
        self.full = _Scales(channels, full, position)
        joined = widest + self.full.channels
        self.last = _DenseBlock(joined, final.growth, final.depth, final.kernel, final.dilated)
        self.norm = nn.BatchNorm2d(final.growth, EPS)
        self.gated = nn.Conv2d(final.growth, 2 * channels, 1)  # the values, then the gates
        self.scale_in = nn.Parameter(torch.ones(full.bins, 1))
        self.shift_in = nn.Parameter(torch.zeros(full.bins, 1))
        self.scale_out = nn.Parameter(torch.ones(full.bins, 1))
        self.shift_out = nn.Parameter(torch.zeros(full.bins, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.shift_in) / (self.scale_in.abs() + EPS)
        parts = zip(self.bands, self.widen, x.split(self.bins, 2), strict=True)
        joined = torch.cat([widen(band(part)) for band, widen, part in parts], 2)
        x = self.norm(self.last(torch.cat([joined, self.full(x)], 1)))
        x = nn.functional.glu(self.gated(x), 1)
        return (self.scale_out * x + self.shift_out).relu()


class _MultiBand(SpectrogramSeparator):
    """One network per target, which estimates magnitudes."""

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        stft: tuple[int, int],
        sizes: Mapping[str, Sequence],
        final: _Final,
        position: str,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, *stft, **phase)
        *bands, full = _checked(sizes, self.stft.bins)
        if min(final[:2]) < 1 or len(final.kernel) != 2 or min(final.kernel) < 1:
            raise ValueError("final_growth, final_depth and the two sizes of final_kernel must be at least 1")
        self.per_target = nn.ModuleList(_Network(channels, bands, full, final, position) for _ in self.targets)
        self.stride_samples = stft[1] * 2 ** max(len(each.growth) // 2 for each in (*bands, full))

    def networks(self) -> Mapping[str, nn.Module]:
        """The network of each target."""
        return dict(zip(self.targets, self.per_target, strict=True))

    def mask(self, spectrogram: Tensor) -> Tensor:
        spectrogram = spectrogram / self.stft.scale  # as torch.stft has it, which the public code trains on
        estimates = torch.stack([network(spectrogram) for network in self.per_target], 1)
        return estimates / spectrogram.unsqueeze(1).clamp_min(1e-8)


def _checked(sizes: Mapping[str, Sequence], stft_bins: int) -> list[_Sizes]:
    """The options, gathered for each band and then for the full band.

    Raises:
        ValueError: If the bands do not add up to all bins, or rows or their lengths do not fit.
    """
    bands = list(sizes["bands"])
    if not bands or min(bands) < 1 or sum(bands) != stft_bins:
        raise ValueError(f"bands must add up to the {stft_bins} bins of the STFT, not {bands}")
    for name in ("features", "growth", "depth", "lstm_units", "kernels"):
        if len(sizes[name]) != len(bands) + 1:
            raise ValueError(f"{name} must have {len(bands) + 1} rows: one for each band and one for the full band")
    rows = zip(*(sizes[name] for name in ("features", "growth", "depth", "lstm_units", "kernels")), strict=True)
    checked = []
    for bins, (features, growth, depth, units, kernel) in zip([*bands, sum(bands)], rows, strict=True):
        if not len(growth) == len(depth) == len(units) or len(growth) % 2 == 0:
            raise ValueError(
                f"growth, depth and lstm_units of a band must have one number per block, an odd count of them, not "
                f"{list(growth)}, {list(depth)} and {list(units)}"
            )
        if any(d < 0 or u < 0 or (d and g < 1) or not (d or u) for g, d, u in zip(growth, depth, units, strict=True)):
            raise ValueError(
                f"each block needs layers (depth) that grow by at least 1, or an LSTM, not growth {list(growth)}, "
                f"depth {list(depth)}, lstm_units {list(units)}"
            )
        if features < 1 or len(kernel) != 2 or min(kernel) < 1:
            raise ValueError(
                f"features and the two sizes of a kernel must be at least 1, not {features}, {list(kernel)}"
            )
        checked.append(_Sizes(bins, features, growth, depth, units, (kernel[0], kernel[1])))
    return checked


class MMDenseNet(_MultiBand):
    """Multi-scale multi-band DenseNet (Takahashi & Mitsufuji 2017).

    Args:
        targets: Stems to estimate, each with a network of its own.
        sample_rate: Rate in Hz; 44100 in the paper.
        channels: Audio channels; 2 in the paper.
        window_samples, hop_samples: The STFT; 2048 and 1024 in the public code.
        bands: Number of bins of each band, from low to high, all bins together.
        growth: Maps that each layer of a dense block adds: a row for each band and one for the full band, each with a
            number per block, down and up again.
        depth: Layers of each block, in the same form.
        features: Maps of the first convolution of each band and of the full band.
        kernels: Sizes of the convolutions of each band and of the full band, bins and frames.
        final_growth, final_depth, final_kernel, final_dilated: The last dense block; layer i of a dilated one is
            dilated by 2^i.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 1024,
        bands: Sequence[int] = (512, 513),
        growth: Sequence[Sequence[int]] = GROWTH_2017,
        depth: Sequence[Sequence[int]] = DEPTH_2017,
        features: Sequence[int] = (32, 32, 32),
        kernels: Sequence[Sequence[int]] = ((4, 3), (3, 3), (4, 3)),
        final_growth: int = 4,
        final_depth: int = 2,
        final_kernel: Sequence[int] = (2, 1),
        final_dilated: bool = False,
        **phase: Any,
    ) -> None:
        units = [[0] * len(row) for row in growth]
        sizes = {"bands": bands, "growth": growth, "depth": depth, "features": features, "kernels": kernels}
        final = _Final(final_growth, final_depth, tuple(final_kernel), final_dilated)  # type: ignore[arg-type]
        stft = window_samples, hop_samples
        super().__init__(targets, sample_rate, channels, stft, {**sizes, "lstm_units": units}, final, "after", **phase)


class MMDenseLSTM(_MultiBand):
    """Multi-scale multi-band DenseNet with LSTMs (Takahashi, Goswami & Mitsufuji 2018).

    Args:
        targets, sample_rate, channels: As for `MMDenseNet`.
        window_samples, hop_samples: The STFT; 4096 and 1024 in the public code.
        bands, growth, depth, features, kernels: As for `MMDenseNet`. A block of depth 0 is an LSTM alone.
        lstm_units: Units each way of the LSTM of each block, 0 for none, in the form of `growth`.
        lstm_position: `after` the dense block, `before` it, or `parallel` to it.
        final_growth, final_depth, final_kernel, final_dilated, phase: As for `MMDenseNet`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        bands: Sequence[int] = (380, 644, 1025),
        growth: Sequence[Sequence[int]] = GROWTH_2018,
        depth: Sequence[Sequence[int]] = DEPTH_2018,
        lstm_units: Sequence[Sequence[int]] = UNITS_2018,
        lstm_position: str = "after",
        features: Sequence[int] = (32, 32, 32, 8),
        kernels: Sequence[Sequence[int]] = ((3, 3), (3, 3), (3, 3), (3, 3)),
        final_growth: int = 12,
        final_depth: int = 3,
        final_kernel: Sequence[int] = (3, 3),
        final_dilated: bool = True,
        **phase: Any,
    ) -> None:
        if lstm_position not in POSITIONS:
            raise ValueError(f"lstm_position must be one of {', '.join(POSITIONS)}, not '{lstm_position}'")
        sizes = {"bands": bands, "growth": growth, "depth": depth, "features": features, "kernels": kernels}
        final = _Final(final_growth, final_depth, tuple(final_kernel), final_dilated)  # type: ignore[arg-type]
        stft = window_samples, hop_samples
        sizes["lstm_units"] = lstm_units
        super().__init__(targets, sample_rate, channels, stft, sizes, final, lstm_position, **phase)
