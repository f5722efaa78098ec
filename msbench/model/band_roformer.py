"""The band-split transformer with rotary positions that BS-RoFormer and Mel-Band RoFormer share.

Lu et al. 2023 (arXiv:2309.02612), Wang et al. 2023 (arXiv:2310.01809). Weights have the names of
ZFTurbo/Music-Source-Separation-Training (msst 0.1.0), whose format the public checkpoints have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from msbench.model.band_split import BandSplit, MaskEstimator, dual_path
from msbench.model.rotary_attention import RMSNorm, RotaryEmbedding, RotaryTransformer
from msbench.model.separator import Separator
from msbench.model.stft import STFT, are_whole
from msbench.system.bounded import shown


@dataclass(frozen=True)
class RoformerShape:
    """Sizes and switches of the network.

    Attributes:
        features: Of each band and frame.
        depth: Pairs of transformers, one over time and one over bands.
        time_layers, band_layers: Of each transformer.
        heads, head_features: Of each attention.
        mask_layers: Hidden layers of each mask network.
        mask_expansion: Units of a hidden layer, divided by `features`.
        dropout: Probability in the transformers.
        norm_each: Whether the output of each transformer is normalized; else that of the last one.
        skips: Whether each pair of transformers also reads the outputs of all before it.
        zero_dc: Whether the lowest bin of the estimates is silent.
        checkpointing: Whether training computes each part again for its gradients, in place of keeping what is inside.

    Raises:
        ValueError: If a size is out of its range.
    """

    features: int
    depth: int
    time_layers: int
    band_layers: int
    heads: int
    head_features: int
    mask_layers: int
    mask_expansion: int
    dropout: float
    norm_each: bool
    skips: bool
    zero_dc: bool
    checkpointing: bool

    def __post_init__(self) -> None:
        for field in fields(self):
            size, least = getattr(self, field.name), 0 if field.name == "mask_layers" else 1
            if field.type == "int" and (not are_whole(size) or size < least):
                raise ValueError(f"{field.name} must be a whole number of at least {least}, not {shown(size)}")
        if self.head_features % 2:
            raise ValueError(f"head_features must be even, as positions turn pairs of them, not {self.head_features}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, not {self.dropout}")

    def transformers(self) -> nn.ModuleList:
        """Pairs of transformers, over time and over bands; each of the two has the same positions at every depth."""
        positions = [RotaryEmbedding(self.head_features) for _ in range(2)]
        return nn.ModuleList(
            nn.ModuleList(
                RotaryTransformer(
                    self.features,
                    layers,
                    self.heads,
                    rotary,
                    dropout=self.dropout,
                    norm=self.norm_each,
                )
                for layers, rotary in zip((self.time_layers, self.band_layers), positions, strict=True)
            )
            for _ in range(self.depth)
        )


class BandRoformer(Separator):
    """Bands of the complex STFT to complex masks, by transformers over time and over bands in turn.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        stft: The transform.
        bands: Numbers of the bins of each band. Where bands overlap, the masks of a bin are averaged.
        shape: Sizes and switches of the network.
        chunk_seconds: Length of all chunks of a separation: attention sees a chunk whole. None for any.

    Raises:
        ValueError: As `Separator`, if a bin is in no band, or if chunks are shorter than a hop.
    """

    band_bins: Tensor
    bands_per_bin: Tensor

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        stft: STFT,
        bands: Sequence[Sequence[int]],
        shape: RoformerShape,
        chunk_seconds: float | None = None,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        bins = np.array([number for band in bands for number in band])
        if set(bins.tolist()) != set(range(stft.bins)):
            raise ValueError(f"the bands must hold all {stft.bins} bins of the STFT, and no other")
        if chunk_seconds is not None:
            if chunk_seconds * sample_rate < stft.hop_samples:
                raise ValueError(
                    f"chunk_seconds must be a hop of {stft.hop_samples} samples or more, not {chunk_seconds}"
                )
            self.chunk_samples = round(chunk_seconds * sample_rate)
        self.stft = stft
        self.stride_samples = stft.hop_samples
        self.skips, self.zero_dc, self.checkpointing = shape.skips, shape.zero_dc, shape.checkpointing
        self.overlapping = len(bins) > stft.bins
        self.register_buffer("band_bins", torch.from_numpy(bins), persistent=False)
        self.register_buffer("bands_per_bin", torch.from_numpy(np.bincount(bins)), persistent=False)
        widths = [2 * channels * len(band) for band in bands]  # real and imaginary parts
        self.band_split = BandSplit(shape.features, widths)
        self.layers = shape.transformers()
        self.final_norm = nn.Identity() if shape.norm_each else RMSNorm(shape.features)
        self.mask_estimators = nn.ModuleList(
            MaskEstimator(shape.features, widths, shape.mask_expansion * shape.features, shape.mask_layers)
            for _ in self.targets
        )

    def forward(self, mixture: Tensor) -> Tensor:
        spectrum = self.stft(mixture).permute(0, 3, 2, 1)  # (B, N, F, C)
        parts = torch.view_as_real(spectrum).flatten(3)  # (B, N, F, 2 C)
        read = parts[:, :, self.band_bins] if self.overlapping else parts
        x = self._attended(self._run(self.band_split, read.flatten(2)))
        masks = (self._mask(self._run(estimator, x)) for estimator in self.mask_estimators)
        masked = torch.stack([mask * spectrum for mask in masks], 1)  # (B, S, N, F, C)
        if self.zero_dc:
            masked[:, :, :, 0] = 0
        return self.stft.inverse(masked.permute(0, 1, 4, 3, 2), mixture.shape[-1])

    def _attended(self, x: Tensor) -> Tensor:
        """(B, N, K, features) to the same."""
        before: list[Tensor] = []
        for pair in self.layers:
            over_time, over_bands = pair.children()
            if self.skips:
                x = x + sum(before)
            x = dual_path(x, partial(self._run, over_time), partial(self._run, over_bands))
            before.append(x)
        return self.final_norm(x)

    def _mask(self, values: Tensor) -> Tensor:
        """Values of all bands (B, N, all bins 2 C) to complex masks (B, N, F, C)."""
        parts = values.float().unflatten(2, (len(self.band_bins), -1))
        if self.overlapping:
            batch, frames, _, both = parts.shape
            total = parts.new_zeros(batch, frames, self.stft.bins, both)
            parts = total.index_add(2, self.band_bins, parts) / self.bands_per_bin[:, None]
        return torch.view_as_complex(parts.unflatten(3, (-1, 2)))

    def _run(self, part: nn.Module, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(part, x, use_reentrant=False)
        return part(x)
