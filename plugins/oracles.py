"""The ceilings of a board: ideal masks made from the true stems (Wang 2005; SiSEC 2018, Stöter, Liutkus & Ito 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from msbench import MUSDB_TARGETS, STFT, Separator

# Added to the diagonal of spatial covariances of trace C. Sources that are panned are of rank one, and what rounding
# of the STFT, some 1e-7 of their amplitude, leaves off their direction must not count.
LOAD = 1e-8


class _Oracle(Separator):
    trainable = False
    needs_references = True
    role = "ceiling"

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 1024,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples


class _IdealMask(_Oracle):
    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        alpha: float = 1.0,
        window_samples: int = 2048,
        hop_samples: int = 1024,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if alpha <= 0:
            raise ValueError(f"alpha, the exponent of the magnitudes, must be above 0, not {alpha}")
        self.alpha = alpha

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


class Wiener(_Oracle):
    """Multichannel Wiener filter with the true parameters of the local Gaussian model (SiSEC 2018's MWF).

    A source's STFT s (C channels) is Gaussian with the covariance v R: v its power in each bin of time and frequency, R
    its spatial covariance at each frequency (Duong, Vincent & Gribonval 2010). From the true s, R is the mean over time
    of s s^H over their mean power, its trace set to C, and v is s^H R^-1 s / C. The estimate is v R Cov^-1 x, for the
    mixture's STFT x and the sum Cov of all sources' v R. R is of the excerpt that is given: of a chunk, in `separate`.
    """

    def forward(self, mixture: Tensor, references: Tensor) -> Tensor:  # type: ignore[override]
        rest = (mixture - references.sum(1)).unsqueeze(1)  # what no target covers is one more source
        # In double precision: covariances of bins that are all but silent are all but singular.
        spectra = self.stft(torch.cat([references, rest], 1)).to(torch.complex128).permute(0, 1, 3, 4, 2)
        covariances = self._covariances(spectra)  # (B, S + 1, F, N, C, C)
        mixed = covariances.sum(1)
        load = LOAD**2 * mixed.diagonal(dim1=-2, dim2=-1).sum(-1).real + torch.finfo(torch.float64).tiny ** 0.5
        mixed = mixed + load[..., None, None] * torch.eye(self.channels, device=mixed.device)
        x = self.stft(mixture).to(torch.complex128).permute(0, 2, 3, 1)
        whitened = torch.linalg.solve(mixed, x).unsqueeze(1)  # (B, 1, F, N, C)
        estimates = (covariances[:, :-1] @ whitened.unsqueeze(-1)).squeeze(-1).permute(0, 1, 4, 2, 3)
        return self.stft.inverse(estimates, mixture.shape[-1])

    def _covariances(self, spectra: Tensor) -> Tensor:
        """v R of each source and bin, (B, S, F, N, C, C), from its true STFT (B, S, F, N, C)."""
        eps = torch.finfo(torch.float64).eps
        outer = spectra.unsqueeze(-1) * spectra.conj().unsqueeze(-2)  # (B, S, F, N, C, C)
        power = spectra.abs().square().mean(-1)
        spatial = (outer / (power + eps)[..., None, None]).mean(3)  # (B, S, F, C, C)
        trace = spatial.diagonal(dim1=-2, dim2=-1).sum(-1).real.clamp_min(eps)
        spatial = self.channels * spatial / trace[..., None, None] + LOAD * torch.eye(
            self.channels, device=spatial.device
        )
        inverse = torch.linalg.inv(spatial).unsqueeze(3)
        power = (inverse * outer.transpose(-2, -1)).sum((-2, -1)).real / self.channels  # s^H R^-1 s / C
        return power.clamp_min(0)[..., None, None] * spatial.unsqueeze(3)
