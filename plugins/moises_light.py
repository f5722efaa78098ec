"""Moises-Light: Hung, Pereira, Korzeniowski, "Moises-Light: resource-efficient band-split U-Net for music source
separation", WASPAA 2025, arXiv:2510.06785.

The authors published no code, and of their paper the abstract alone could be read. The reference is the package
moises-light 0.1.5 (crlandsc/moises-light b5e11a6), which is independent of them: the same outputs with the same
weights. A U-Net over the complex spectrogram below 14.7 kHz, which is cut into four bands of equal width. Convolutions
in groups keep the bands apart; linear layers over the frequencies of a band are those of TFC-TDF. Steps down and up
halve and double the frames alone. In the middle, transformers with rotary positions attend over time and over
frequencies in turn. The way up has one full stage; the others only multiply by what the way down has found.

State dicts of the package load as they are: `msbench.load("moises_light").load_state_dict(...)`, with targets in the
order of its `sources`. Its presets, in our names:

    paper_large: the defaults                    paper_small: filters 32, layers 6
    fullband_large: filters 60, bands 6,         fullband_small: filters 36, layers 6, bands 6,
        bins 3072                                    bins 3072

Where the package departs from the paper, by its own README, this does too: one network for all targets (the paper has
one per target, `targets: [vocals]`; see `shared_output`), masks (`output: direct` for spectrograms), a normalized
input, and sizes that the paper leaves unsaid (heads, `bottleneck`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from msbench import (
    MUSDB_TARGETS,
    STFT,
    ComplexSpectrogramSeparator,
    RMSNorm,
    RotaryEmbedding,
    RotaryTransformer,
    dual_path,
)

OUTPUTS = ("mask", "direct")


class MoisesLight(ComplexSpectrogramSeparator):
    """U-Net of convolutions in bands, with rotary transformers in its middle (Hung et al. 2025).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT.
        bins: Lowest frequency bins, which are read and estimated; the others are silent.
        bands: The bins are cut into as many, each with a group of every convolution.
        filters: Channels of the first stage, and what each step down adds.
        depth: Steps down.
        full_stages: Of the way up, from the middle; the rest of its stages have no convolutions but the steps.
        convolutions: Before and after the linear layers of each stage down and of the middle.
        convolutions_up: The same of the full stages up.
        bottleneck: The linear layers have as many units as a band has bins, divided by this.
        layers: Pairs of transformers, one over time and one over frequencies.
        heads, head_features: Of each attention.
        output: `mask`, which multiplies real and imaginary parts of the mixture each by itself, or `direct`.
        shared_output: As in the package, all targets are weighted sums of the same `2 * channels` numbers per bin.
            Masks of four targets that sum to one need three, so in mono some stems stay mixed. False: a last
            convolution per target.
        chunk_seconds: Length of all chunks of a separation, as attention sees a whole one. None for any.
    """

    ends_silent = True

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 6144,
        hop_samples: int = 1024,
        bins: int = 2048,
        bands: int = 4,
        filters: int = 56,
        depth: int = 3,
        full_stages: int = 1,
        convolutions: int = 3,
        convolutions_up: int = 1,
        bottleneck: int = 8,
        layers: int = 5,
        heads: int = 4,
        head_features: int = 32,
        output: str = "mask",
        shared_output: bool = True,
        chunk_seconds: float | None = 6.0,
    ) -> None:
        if min(bands, filters, depth, bottleneck, heads) < 1 or min(convolutions, convolutions_up, layers) < 0:
            raise ValueError("bands, filters, depth, bottleneck and heads must be at least 1, the other sizes 0")
        if not 0 <= full_stages <= depth:
            raise ValueError(f"full_stages must be from 0 to the depth, {depth}, not {full_stages}")
        if head_features < 2 or head_features % 2:
            raise ValueError(f"head_features must be even, as positions turn pairs of them, not {head_features}")
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, not '{output}'")
        stft = STFT(window_samples, hop_samples, plain=True, unitary=True)
        super().__init__(targets, sample_rate, channels, stft, 2**depth, chunk_seconds)
        if not 1 <= bins <= stft.bins or bins % bands or bins // bands < bottleneck:
            raise ValueError(
                f"bins must be a multiple of {bands} bands up to {stft.bins}, with {bottleneck} (bottleneck) or more "
                f"in each, not {bins}"
            )
        if filters % bands:
            raise ValueError(f"filters must be a multiple of {bands} bands, not {filters}")
        self.bins, self.bands, self.output = bins, bands, output
        units, folded = (bins // bands, bins // bands // bottleneck), 2 * channels * bands
        widths = [filters * (i + 1) for i in range(depth + 1)]
        self.first_conv = Convolution(folded, filters, bands)
        self.encoder_blocks = nn.ModuleList(Stage(width, bands, convolutions, units) for width in widths[:-1])
        self.ds = nn.ModuleList(Step(nn.Conv2d, width, width + filters) for width in widths[:-1])
        stage = Stage(widths[-1], bands, convolutions, units)
        self.bottleneck = Middle(stage, widths[-1], layers, heads, head_features)
        up = [Step(nn.ConvTranspose2d, width + filters, width) for width in reversed(widths[:-1])]
        self.dec_heavy_us, self.dec_light_us = nn.ModuleList(up[:full_stages]), nn.ModuleList(up[full_stages:])
        self.dec_heavy_blocks = nn.ModuleList(
            Stage(width, bands, convolutions_up, units) for width in widths[-2::-1][:full_stages]
        )
        parts = 2 * channels * len(self.targets)
        shared = shared_output and len(self.targets) > 1
        self.final_conv = nn.Conv2d(filters, folded if shared else bands * parts, 3, padding=1, groups=bands)
        self.source_head = nn.Conv2d(2 * channels, parts, 1) if shared else nn.Identity()
        self.register_load_state_dict_pre_hook(_drop_constants)

    def estimate(self, spectrogram: Tensor) -> Tensor:
        mixture = spectrogram[:, :, : self.bins]
        mean, deviation = mixture.mean((1, 2, 3), keepdim=True), mixture.std((1, 2, 3), keepdim=True)
        x = (mixture - mean) / (deviation + 1e-5)
        x = x.unflatten(2, (self.bands, -1)).transpose(1, 2).flatten(1, 2)  # (B, bands 2 C, F / bands, N)
        x = self.first_conv(x)
        skips: list[Tensor] = []
        for stage, down in zip(self.encoder_blocks, self.ds, strict=True):
            x = stage(x)
            skips.append(x)
            x = down(x)
        x = self.bottleneck(x)
        for up, stage in zip(self.dec_heavy_us, self.dec_heavy_blocks, strict=True):
            x = stage(up(x) * skips.pop())
        for up in self.dec_light_us:
            x = up(x) * skips.pop()
        x = self.final_conv(x).unflatten(1, (self.bands, -1)).transpose(1, 2).flatten(2, 3)  # (B, ..., F, N)
        x = self.source_head(x).unflatten(1, (len(self.targets), -1))
        if self.output == "mask":
            return x * mixture.unsqueeze(1)
        return x * deviation.unsqueeze(1) + mean.unsqueeze(1)


class Convolution(nn.Module):
    """A 3x3 convolution of each band by itself, batch normalization, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, groups=bands)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Step(nn.Module):
    """Half of the frames by a strided convolution, or twice as many by a transposed one; batch normalization, ReLU."""

    def __init__(self, convolution: type[nn.Conv2d | nn.ConvTranspose2d], channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = convolution(channels_in, channels_out, (1, 2), stride=(1, 2))
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Stage(nn.Module):
    """Convolutions around linear layers over the frequencies of each band, and one convolution around all of them."""

    def __init__(self, channels: int, bands: int, convolutions: int, units: tuple[int, int]) -> None:
        super().__init__()
        self.res = Convolution(channels, channels, bands)
        self.split1, self.split2 = (
            nn.Sequential(*(Convolution(channels, channels, bands) for _ in range(convolutions))) for _ in range(2)
        )
        self.tdf = Linears(channels, *units)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same, F being the bins of a band."""
        inner = self.split1(x)
        return self.split2(inner + self.tdf(inner)) + self.res(x)


class Linears(nn.Module):
    """Two linear layers over frequencies, the same for all channels and frames, each normalized by channel."""

    def __init__(self, channels: int, frequencies: int, units: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(frequencies, units), nn.Linear(units, frequencies)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same."""
        x = functional.relu(self.bn1(self.fc1(x.transpose(2, 3))))
        return functional.relu(self.bn2(self.fc2(x))).transpose(2, 3)


class Middle(nn.Module):
    """A stage (`split_merge`), then transformers over time and over frequencies in turn, and a normalization."""

    def __init__(self, stage: Stage, channels: int, layers: int, heads: int, head_features: int) -> None:
        super().__init__()
        self.split_merge = stage
        self.rope_blocks = nn.ModuleList()
        for _ in range(layers):
            pair = nn.Module()
            pair.time_transformer, pair.freq_transformer = (
                RotaryTransformer(channels, 1, heads, RotaryEmbedding(head_features), expansion=2) for _ in range(2)
            )
            self.rope_blocks.append(pair)
        self.final_norm = RMSNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) to the same."""
        x = self.split_merge(x).permute(0, 3, 2, 1)  # (B, N, F, C)
        for pair in self.rope_blocks:
            over_time, over_frequencies = pair.children()
            x = dual_path(x, over_time, over_frequencies)
        return self.final_norm(x).permute(0, 3, 2, 1)


def _drop_constants(module: nn.Module, weights: dict[str, Tensor], prefix: str, *_: object) -> None:
    """The package keeps the window and the zeros above the bins in its state dict; both follow from the options."""
    for name in ("stft_window", "freq_pad"):
        weights.pop(prefix + name, None)
