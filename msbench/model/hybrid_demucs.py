"""The U-Net of two branches, over the spectrogram and over the waveform, that Hybrid Demucs and its transformer share.

Défossez, "Hybrid spectrogram and waveform source separation", 2021, arXiv:2111.03600. Weights have the names of the
authors' package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from msbench.model.demucs_bands import BandsDown, BandsUp
from msbench.model.demucs_layers import (
    NORM_GROUPS,
    FrequencyEmbedding,
    HybridLayer,
    LayerDown,
    LayerUp,
    rescale_convolutions,
)
from msbench.model.separator import Separator
from msbench.model.stft import LONGEST_WINDOW, are_whole
from msbench.system.bounded import shown

KERNEL, STRIDE = 8, 4  # of the layers before the branches meet; those after have half of each
BANDED_LAYERS = 2  # the outermost ones, where frequencies are split


@dataclass(frozen=True)
class HybridShape:
    """Sizes of the two branches.

    Attributes:
        filters: Channels of the first layer, doubled by each further one.
        depth: Number of layers down, and up.
        window_samples: Of the STFT, whose hop is a quarter of it.
        compress: Residual branches have as many channels as their layer, divided by this.
        plain_layers: Layers before those with group normalization, BLSTMs and local attention.
        branches_up: Whether layers up have residual branches too.
        complex_spectrum: Whether the STFT is read and estimated as real and imaginary channels, and not as magnitudes.
        deep_norm: Whether the layers after the plain ones have group normalization.
        splits: Where the frequencies of the two outermost layers are split into bands of their own weights, as shares
            of them in rising order.

    Raises:
        ValueError: If a size is out of its range.
    """

    filters: int
    depth: int
    window_samples: int
    compress: int
    plain_layers: int
    branches_up: bool
    complex_spectrum: bool = True
    deep_norm: bool = True
    splits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("filters", "depth", "window_samples", "compress", "plain_layers"):
            size = getattr(self, name)
            if not are_whole(size) or size < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {shown(size)}")
        if self.window_samples > LONGEST_WINDOW:
            raise ValueError(f"window_samples must be at most {LONGEST_WINDOW}, not {self.window_samples}")
        if not all(isinstance(share, float) and 0 < share < 1 for share in self.splits):
            raise ValueError(f"splits must be numbers between 0 and 1, not {shown(list(self.splits))}")
        # A group of one channel could not be normalized where a signal is as short as one value.
        if self.filters % (2 * NORM_GROUPS) or self.filters < 2 * self.compress:
            raise ValueError(
                f"filters must be a multiple of {2 * NORM_GROUPS}, and at least twice compress ({self.compress}), "
                f"not {self.filters}"
            )

    def layers(self, channels: int, targets: int) -> Iterator[tuple[HybridLayer, HybridLayer | None]]:
        """The layers at each depth, from the outermost: of the spectrogram, and of the waveform until both have met.

        Raises:
            ValueError: If a layer would leave a rest of the frequencies, or the branches would meet at other rates.
        """
        frequencies, ends = self.window_samples // 2, (channels, channels * targets)
        for i in range(self.depth):
            meets = frequencies == KERNEL and 4 * STRIDE ** (i + 1) == self.window_samples
            fits = frequencies == 1 or meets or (frequencies > KERNEL and frequencies % STRIDE == 0)
            if self.window_samples % 8 or not fits:
                raise ValueError(
                    f"a window_samples of {self.window_samples} does not fit {self.depth} layers: take a power of 4, "
                    f"or fewer layers; layer {i + 1} meets {frequencies} frequencies"
                )
            width, parts = self.filters * 2**i, 2 if i == 0 and self.complex_spectrum else 1
            splits = self.splits if i < BANDED_LAYERS else ()
            self._require_wide_bands(splits, frequencies, meets)
            spectral = HybridLayer(
                width=width,
                channels_in=parts * ends[0],
                channels_out=parts * ends[1],
                kernel=KERNEL,
                stride=STRIDE,
                padding=0 if meets else KERNEL // 4,
                over_frequencies=True,
                meets=meets,
                deep=i >= self.plain_layers,
                normalized=self.deep_norm and i >= self.plain_layers,
                outermost=i == 0,
                splits=splits,
            )
            in_time = replace(spectral, channels_in=ends[0], channels_out=ends[1], over_frequencies=False, splits=())
            if frequencies == 1:
                yield replace(in_time, kernel=KERNEL // 2, stride=STRIDE // 2, padding=KERNEL // 8), None
            else:
                yield spectral, replace(in_time, padding=KERNEL // 4)
                frequencies = 1 if meets else frequencies // STRIDE
            ends = (width, width)

    def _require_wide_bands(self, splits: tuple[float, ...], frequencies: int, meets: bool) -> None:
        ends = [0.0, *splits, 1.0]
        narrowest = frequencies * min(b - a for a, b in zip(ends[:-1], ends[1:], strict=True))
        if splits and (meets or frequencies == 1 or self.plain_layers < BANDED_LAYERS or narrowest < KERNEL):
            raise ValueError(
                f"splits must be rising shares with {KERNEL} or more of a layer's frequencies between them, in "
                f"{BANDED_LAYERS} plain layers before the branches meet, not {shown(list(splits))} of {frequencies}"
            )


class HybridDemucs(Separator):
    """The two branches down and up, and what is around them: normalization, STFT, and the sum of both.

    The spectrogram's branch convolves over frequencies until one is left. There the waveform's branch has come to the
    frame rate of the STFT, and joins it; on the way up, it leaves again. Where layers end before, the branches stay
    apart. The STFT is read and estimated as real and imaginary channels, or as magnitudes, whose estimates get the
    phase of the mixture.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        shape: Sizes.
        rescale: Standard deviation that initial weights are brought half way to; 0 leaves them.
        normalize: Whether the mean of the mixture's channels is brought to zero mean and unit deviation, and estimates
            back; `song`: of whole songs, by a separation.
    """

    window: Tensor
    late_spectrum: bool = False  # True: zeros around the signal of the STFT, and its branch comes 1.5 hops late

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        shape: HybridShape,
        rescale: float,
        normalize: bool | Literal["song"],
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if rescale < 0:
            raise ValueError(f"rescale must be at least 0, not {rescale}")
        if normalize not in (True, False, "song"):
            raise ValueError(f"normalize must be true, false or 'song', not {shown(normalize)}")
        self.normalize, self.normalizes_songs = normalize is True, normalize == "song"
        self.window_samples, self.hop_samples = shape.window_samples, shape.window_samples // 4
        self.stride_samples = self.hop_samples
        self.register_buffer("window", torch.hann_window(shape.window_samples), persistent=False)
        self.layers = tuple(shape.layers(channels, len(self.targets)))
        compress, up, self.complex_spectrum = shape.compress, shape.branches_up, shape.complex_spectrum
        self.encoder = nn.ModuleList(
            (BandsDown if layer.splits else LayerDown)(layer, compress) for layer, _ in self.layers
        )
        self.tencoder = nn.ModuleList(LayerDown(layer, compress) for _, layer in self.layers if layer)
        self.decoder = nn.ModuleList(
            (BandsUp if layer.splits else LayerUp)(layer, compress, up) for layer, _ in self.layers[::-1]
        )
        self.tdecoder = nn.ModuleList(LayerUp(layer, compress, up) for _, layer in self.layers[::-1] if layer)
        self.freq_emb = FrequencyEmbedding(shape.window_samples // 2 // STRIDE, shape.filters)
        if rescale:
            rescale_convolutions(self, rescale)

    def forward(self, mixture: Tensor) -> Tensor:
        if not self.normalize:
            return self._separated(mixture)
        mean, deviation = _statistics(mixture.mean(1, keepdim=True))
        estimates = self._separated((mixture - mean) / (1e-8 + deviation))
        return estimates * deviation[:, None] + mean[:, None]

    def bottleneck(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """What layers up begin with in both branches, where layers down end: zeros, as all comes through the skips."""
        return torch.zeros_like(x), torch.zeros_like(xt)

    def _separated(self, mixture: Tensor) -> Tensor:
        spectrum = self.spectrum(mixture)
        if self.complex_spectrum:
            x = torch.view_as_real(spectrum).permute(0, 1, 4, 2, 3).flatten(1, 2)  # (B, 2 C, F, N)
        else:
            x = spectrum.abs()
        (mean, deviation), (mean_t, deviation_t) = _statistics(x), _statistics(mixture)
        x, xt = self._branches((x - mean) / (1e-5 + deviation), (mixture - mean_t) / (1e-5 + deviation_t))
        count = len(self.targets)
        x = x.unflatten(1, (count, -1)) * deviation[:, None] + mean[:, None]  # (B, S, 2 C, F, N)
        xt = xt.unflatten(1, (count, -1)) * deviation_t[:, None] + mean_t[:, None]
        return self.waveform(self._complex(x.float(), spectrum), mixture.shape[-1]) + xt

    def _complex(self, x: Tensor, spectrum: Tensor) -> Tensor:
        """Estimates (B, S, 2 C or C, F, N) and the mixture's STFT (B, C, F, N) to complex (B, S, C, F, N)."""
        if self.complex_spectrum:
            return torch.view_as_complex(x.unflatten(2, (-1, 2)).permute(0, 1, 2, 4, 5, 3).contiguous())
        phase = spectrum.sgn() + (spectrum == 0)  # of silence 1, as in the package
        return x * phase.unsqueeze(1)

    def _branches(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """From (B, 2 C, F, N) and (B, C, T) to (B, 2 S C, F, N) and (B, S C, T)."""
        saved = []  # of each layer down: outputs for the skips, and the lengths before it
        for i, (layer, layer_t) in enumerate(self.layers):
            lengths = x.shape[-1], xt.shape[-1]
            if layer_t is not None:
                xt = self.tencoder[i](xt)
            elif x.dim() == 4:
                x = x[:, :, 0]  # the one frequency that is left
            x = self.encoder[i](x, xt if layer.meets else None)
            x = self.freq_emb(x) if layer.outermost else x
            saved.append((x, xt, lengths))
        x, xt = self.bottleneck(x, xt)
        decoders_t = iter(self.tdecoder)
        for decoder, (layer, layer_t) in zip(self.decoder, reversed(self.layers), strict=True):
            skip, skip_t, (time, time_t) = saved.pop()
            x = x[:, :, None] if layer.over_frequencies and x.dim() == 3 else x
            x, before = decoder(x, skip, time)
            if layer.meets:
                xt, _ = next(decoders_t)(before[:, :, 0], None, time_t)
            elif layer_t is not None:
                xt, _ = next(decoders_t)(xt, skip_t, time_t)
        return x, xt

    def spectrum(self, waveform: Tensor) -> Tensor:
        """(B, C, T) to complex (B, C, F, N): F is half the window, without the highest bin, and N = ceil(T / hop).

        A frame lies around the middle of its hop, as an output of the strided convolutions does.
        """
        before = self.hop_samples // 2 * 3
        after = before + -waveform.shape[-1] % self.hop_samples
        late = self.late_spectrum
        padded = functional.pad(waveform, (before, after)) if late else _reflected(waveform, before, after)
        with torch.autocast(waveform.device.type, enabled=False):  # half precision has no FFT on most devices
            frames = torch.stft(
                padded.flatten(0, 1).float(),
                self.window_samples,
                self.hop_samples,
                window=self.window,
                center=False,
                normalized=True,
                return_complex=True,
            )
        return frames[:, :-1].unflatten(0, waveform.shape[:2])

    def waveform(self, spectrum: Tensor, time: int) -> Tensor:
        """Complex (..., F, N) back to (..., time), with empty frames around them."""
        before = self.hop_samples // 2 * 3
        length = spectrum.shape[-1] * self.hop_samples + 2 * before
        padded = functional.pad(spectrum.flatten(0, -3), (2, 2, 0, 1))
        with torch.autocast(spectrum.device.type, enabled=False):
            signals = torch.istft(
                padded, self.window_samples, self.hop_samples, window=self.window, normalized=True, length=length
            )
        start = 0 if self.late_spectrum else before
        return signals[:, start : start + time].unflatten(0, spectrum.shape[:-2])


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each item, in dimensions of one."""
    dimensions = tuple(range(1, x.dim()))
    return x.mean(dimensions, keepdim=True), x.std(dimensions, keepdim=True, correction=min(1, x[0].numel() - 1))


def _reflected(x: Tensor, before: int, after: int) -> Tensor:
    """(B, C, T) padded by reflection; a signal too short for that is first padded with zeros, at its end if it can."""
    zeros = max(0, max(before, after) - x.shape[-1] + 1)
    right = min(after, zeros)
    x = functional.pad(x, (zeros - right, right))
    return functional.pad(x, (before - zeros + right, after - right), "reflect")
