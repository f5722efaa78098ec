"""The ceilings of a board: ideal masks made from the true stems (Wang 2005; SiSEC 2018, Stöter, Liutkus & Ito 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from msbench import MUSDB_TARGETS, STFT, Separator


class _IdealMask(Separator):
    trainable = False
    needs_references = True
    role = "ceiling"

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        alpha: float = 1.0,
        window_samples: int = 2048,
        hop_samples: int = 1024,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if alpha <= 0:
            raise ValueError(f"alpha, the exponent of the magnitudes, must be above 0, not {alpha}")
        self.alpha = alpha
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples

    def forward(self, mixture: Tensor, references: Tensor) -> Tensor:  # type: ignore[override]
        spectrum = self.stft(mixture)
        powers = self.stft(references).abs() ** self.alpha
        # What no target covers is one more source, so that masks of a few targets do not claim it.
        rest = self.stft(mixture - references.sum(1)).abs() ** self.alpha
        masks = self.masks(powers, rest, spectrum.abs() ** self.alpha)
        return self.stft.inverse(masks * spectrum.unsqueeze(1), mixture.shape[-1])

    def masks(self, powers: Tensor, rest: Tensor, mixture: Tensor) -> Tensor:
        """Masks (B, S, C, F, N) from the |STFT|^alpha of the references (same shape), the rest and the mixture."""
        raise NotImplementedError


class IdealRatioMask(_IdealMask):
    """Ideal ratio mask: |S_j|^alpha over the sum of all sources' |S|^alpha (SiSEC 2018's IRM1 and IRM2 by alpha)."""

    def masks(self, powers: Tensor, rest: Tensor, mixture: Tensor) -> Tensor:
        total = powers.sum(1, keepdim=True) + rest.unsqueeze(1)
        return powers / total.clamp_min(torch.finfo(total.dtype).tiny)


class IdealBinaryMask(_IdealMask):
    """Ideal binary mask: 1 where |S_j|^alpha is at least half of |X|^alpha (SiSEC 2018's IBM1 and IBM2 by alpha)."""

    def masks(self, powers: Tensor, rest: Tensor, mixture: Tensor) -> Tensor:
        return (powers >= 0.5 * mixture.unsqueeze(1)).to(powers.dtype)
