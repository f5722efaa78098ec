"""The ceilings of a board: ideal masks made from the true stems (Wang 2005; SiSEC 2018, Stöter, Liutkus & Ito 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, STFT, Separator

# Added to the diagonal of spatial covariances of trace C. Sources that are panned are of rank one, and what rounding
# of the STFT, some 1e-7 of their amplitude, leaves off their direction must not count.
LOAD = 1e-8
EPS = torch.finfo(torch.float64).eps
BLOCK = 2**20  # covariance matrices at a time: what bounds the memory beyond the spectra


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
    """Multichannel Wiener filter with the true parameters of the local Gaussian model (MWF of SiSEC 2018, mended).

    A source's STFT s (C channels) is Gaussian with the covariance v R: v its power in each bin of time and frequency, R
    its spatial covariance at each frequency (Duong, Vincent & Gribonval 2010). From the true s, R is the mean over time
    of s s^H over their mean power, its trace set to C, and v is s^H R^-1 s / C. The estimate is v R Cov^-1 x, for the
    mixture's STFT x and the sum Cov of all sources' v R. As R is a mean over the whole song, the song is taken whole;
    ten minutes of four stereo stems need about 7 GB of memory.

    The published scores of SiSEC's MWF are not those of this filter: its code, MWF.py of sigsep/sigsep-mus-oracle
    (commit 1590b09), has two numerical faults. `np.trace` of the (F, C, C) array of all R sums over frequency and one
    channel, so that all frequencies are scaled alike by what stands in bins 0 and 1; and 2.2e-16 is added to
    determinants that are as small as the fourth power of an amplitude. On two demo songs and a mixture of noises, its
    SDR is 0.0 to 1.7 dB below this filter's, and its ISR and SIR up to 2.7 dB apart. `variant="sisec"` computes what
    that code does; where a stem lies exactly in one direction, that is decided by rounding, in its authors' code too.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        window_samples, hop_samples: Of the STFT.
        variant: "exact", or "sisec" for the published code with its faults. That has two channels, and what the targets
            leave of the mixture is no source of its own.

    Raises:
        ValueError: If there is no such variant, or `sisec` is not given two channels.
    """

    chunking: ClassVar[Literal["any", "song"]] = "song"

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 1024,
        variant: str = "exact",
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if variant not in ("exact", "sisec"):
            raise ValueError(f"unknown variant '{variant}': choose exact or sisec")
        if variant == "sisec" and channels != 2:
            raise ValueError(f"the variant sisec has 2 channels, not {channels}: use exact")
        self.variant = variant
        if variant == "sisec":
            self.song_memory = 6.0  # its spectra are in double precision

    def forward(self, mixture: Tensor, references: Tensor) -> Tensor:  # type: ignore[override]
        # Item by item and frequency by frequency: the covariances of a whole song would take many times its memory.
        return torch.stack([self._filtered(*song) for song in zip(mixture, references, strict=True)])

    def _filtered(self, mixture: Tensor, references: Tensor) -> Tensor:
        """The estimates (S, C, T) of one mixture (C, T) with its references (S, C, T)."""
        sources = [*references]
        if self.variant == "exact":
            sources.append(mixture - references.sum(0))  # what no target covers is one more source
        spectra = torch.stack([self._spectrum(source) for source in sources])  # (S, C, F, N), later the estimates
        mixed = self._spectrum(mixture)
        # What np.trace makes of all R, (S, 1, 1, C): the sum over bin i and row i, for each column.
        first = spectra[:, :, : self.channels].to(torch.complex128).permute(0, 2, 3, 1)
        scale = _spatial(first).diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]
        step = max(1, BLOCK // (len(sources) * spectra.shape[-1]))
        for low in range(0, self.stft.bins, step):
            # In double precision: covariances of bins that are all but silent are all but singular.
            true = spectra[:, :, low : low + step].to(torch.complex128).permute(0, 2, 3, 1).contiguous()  # (S, f, N, C)
            x = mixed[:, low : low + step].to(torch.complex128).permute(1, 2, 0).contiguous()  # (f, N, C)
            estimates = self._exact(true, x) if self.variant == "exact" else _sisec(true, x, scale)
            spectra[:, :, low : low + step] = estimates.permute(0, 3, 1, 2)
        time = mixture.shape[-1]
        return torch.stack([self.stft.inverse(spectrum, time) for spectrum in spectra[: len(references)]])

    def _spectrum(self, waveform: Tensor) -> Tensor:
        """The STFT; for `sisec` in double precision, as its scale follows from bins that hold little but rounding."""
        if self.variant == "exact":
            return self.stft(waveform)
        window, hop = self.stft.window_samples, self.stft.hop_samples
        padded = nn.functional.pad(waveform.double(), (0, -waveform.shape[-1] % hop))
        shape = torch.hann_window(window, dtype=torch.float64, device=waveform.device)
        spectrum = torch.stft(padded, window, hop, window=shape, pad_mode="constant", return_complex=True)
        return spectrum * self.stft.scale

    def _exact(self, true: Tensor, x: Tensor) -> Tensor:
        """The estimates' STFTs (S, f, N, C) at some frequencies, from the sources' (same shape) and the mixture's."""
        eye = torch.eye(self.channels, device=x.device)
        spatial = _spatial(true)
        trace = spatial.diagonal(dim1=-2, dim2=-1).sum(-1).real.clamp_min(EPS)
        spatial = self.channels * spatial / trace[..., None, None] + LOAD * eye
        power = _power(true, torch.linalg.inv(spatial)).clamp_min(0)
        mixed = _mixed(power, spatial)
        load = LOAD**2 * mixed.diagonal(dim1=-2, dim2=-1).sum(-1).real + torch.finfo(torch.float64).tiny ** 0.5
        whitened = torch.linalg.solve(mixed + load[..., None, None] * eye, x)
        return power.unsqueeze(-1) * (whitened @ spatial.mT)


def _sisec(true: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """As `Wiener._exact`, with the faults of MWF.py."""
    spatial = 2 * _spatial(true) / scale + EPS * torch.eye(2, device=x.device)
    power = _power(true, _sisec_inverse(spatial))
    whitened = (_sisec_inverse(_mixed(power, spatial)) @ x.unsqueeze(-1)).squeeze(-1)
    return power.unsqueeze(-1) * (whitened @ spatial.mT)


def _sisec_inverse(matrices: Tensor) -> Tensor:
    a, b, c, d = matrices.flatten(-2).unbind(-1)
    return torch.stack([d, -b, -c, a], -1).unflatten(-1, (2, 2)) / (EPS + a * d - b * c)[..., None, None]


def _spatial(true: Tensor) -> Tensor:
    """R before it is scaled, (S, f, C, C): the mean over time of s s^H over the power, for STFTs (S, f, N, C)."""
    power = true.abs().square().mean(-1, keepdim=True)
    return (true / (power + EPS)).mT @ true.conj() / true.shape[2]


def _power(true: Tensor, inverse: Tensor) -> Tensor:
    """v of each bin, (S, f, N): s^H R^-1 s / C, for STFTs (S, f, N, C) and R^-1 (S, f, C, C)."""
    return (true.conj() * (true @ inverse.mT)).sum(-1).real / true.shape[-1]


def _mixed(power: Tensor, spatial: Tensor) -> Tensor:
    """Cov of each bin, (f, N, C, C): the sum over the sources of v R."""
    return torch.einsum("sfn,sfij->fnij", power.to(spatial.dtype), spatial)
