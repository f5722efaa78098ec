"""Training losses that compare the spectrograms of waveforms, (B, S, C, T) twice to (B,), as in functions.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from msbench.losses.functions import l1
from msbench.losses.levels import l1_snr, level_difference


def multi_resolution(
    estimates: Tensor,
    references: Tensor,
    *,
    windows: Sequence[int] = (4096, 2048, 1024, 512, 256),
    hop_samples: int = 147,
    fft_samples: int = 2048,
    stft_weight: float = 1.0,
) -> Tensor:
    """L1 of the waveforms, and L1 of their complex STFTs at several resolutions, (B, S, C, T) twice to (B,).

    Lu et al. 2023 (BS-RoFormer) train with it. Values and defaults are those of PyPI msst 0.1.0,
    models/bs_roformer/bs_roformer.py, `forward`: the terms of the windows are summed, no STFT is normalized, and of a
    complex difference the modulus counts.

    Args:
        estimates, references: Waveforms.
        windows: Lengths of the Hann windows in samples.
        hop_samples: Step from one frame to the next, of all windows.
        fft_samples: Shorter windows are padded to this length, which is that of the model's STFT there.
        stft_weight: Of the sum over resolutions, against the waveforms.

    Raises:
        ValueError: If the waveforms are too short for a window.
    """
    total = l1(estimates, references)
    for window in windows:
        spectra = [_stft(each, window, hop_samples, max(window, fft_samples)) for each in (estimates, references)]
        total = total + stft_weight * l1(*spectra)
    return total


def spectrogram_rmse(
    estimates: Tensor,
    references: Tensor,
    *,
    window_samples: int = 4096,
    hop_samples: int = 1024,
    window: str = "rectangular",
) -> Tensor:
    """Root of the mean square error of complex STFTs, per target, then their mean: (B, S, C, T) twice to (B,).

    Tong et al. 2024 (SCNet) train with it: starrytong/SCNet (a50f55d), scnet/loss.py, with an STFT that is normalized
    and has no window there. Channels and both parts of a complex number are in the mean. The root begins at 1e-8, as in
    msst 0.1.0: the gradient of a perfect estimate is finite.

    Args:
        estimates, references: Waveforms.
        window_samples: Length of the window and of the FFT.
        hop_samples: Step from one frame to the next.
        window: `rectangular`, which is none, or `hann`.

    Raises:
        ValueError: If the waveforms are too short for the window, or there is no such window.
    """
    if window not in ("rectangular", "hann"):
        raise ValueError(f"window must be rectangular or hann, not {window!r}")
    shape = torch.hann_window if window == "hann" else torch.ones
    error = _stft(estimates - references, window_samples, hop_samples, window_samples, shape)  # it is linear
    squares = torch.view_as_real(error).square().flatten(2).mean(2) / window_samples  # so torch normalizes an STFT
    return (squares + 1e-8).sqrt().mean(1)


def stft_l1_snr(
    estimates: Tensor,
    references: Tensor,
    *,
    windows: Sequence[int] = (2048, 1024, 512),
    level_weight: float = 0.0,
    eps: float = 1e-3,
) -> Tensor:
    """`l1_snr` of the real and of the imaginary parts of STFTs, summed; mean over resolutions. (B, S, C, T) to (B,).

    Watcharasupat et al. 2024 (arXiv:2309.02539) and PyPI torch-l1-snr 0.2.1, `STFTL1SNRDBLoss`: Hann windows of unit
    energy, a quarter of each as its hop. The recommended mixture there, `MultiL1SNRDBLoss`, is half of this and half of
    `l1_snr_db`.

    Args:
        estimates, references: Waveforms.
        windows: Their lengths, and those of the FFTs.
        level_weight: Of the difference between levels of the magnitudes (see `l1_snr_db`); 0.1 where that package is
            asked for it.
        eps: Added to error and reference.

    Raises:
        ValueError: If the waveforms are too short for a window.
    """
    total = torch.zeros((), device=references.device)
    for window in windows:
        made = [_stft(each, window, window // 4, window, _unit_hann) for each in (estimates, references)]
        (real, imaginary), (true_real, true_imaginary) = ((each.real, each.imag) for each in made)
        total = total + l1_snr(real, true_real, eps=eps) + l1_snr(imaginary, true_imaginary, eps=eps)
        if level_weight:
            total = total + level_weight * level_difference(*(each.abs() for each in made))
    return total / len(windows)


def _unit_hann(length: int, **options: Any) -> Tensor:
    window = torch.hann_window(length, **options)
    return window / window.square().sum().sqrt()


def _stft(
    signals: Tensor,
    window_samples: int,
    hop_samples: int,
    fft_samples: int,
    shape: Callable[..., Tensor] = torch.hann_window,
) -> Tensor:
    """The complex STFT of (..., T), reflected at its ends: (..., F, N)."""
    time = signals.shape[-1]
    if time <= fft_samples // 2:
        raise ValueError(
            f"a loss on spectrograms of {fft_samples} samples needs chunks of more than {fft_samples // 2}, and these "
            f"have {time}: raise data.chunk_seconds, or give the loss shorter windows"
        )
    signals = signals.float() if signals.dtype in (torch.bfloat16, torch.float16) else signals  # no FFT takes these
    spectra = torch.stft(
        signals.reshape(-1, time),
        fft_samples,
        hop_samples,
        window_samples,
        shape(window_samples, device=signals.device, dtype=signals.dtype),
        return_complex=True,
    )
    return spectra.view(*signals.shape[:-1], *spectra.shape[-2:])


multi_resolution.domains = ("waveform",)  # type: ignore[attr-defined]
spectrogram_rmse.domains = ("waveform",)  # type: ignore[attr-defined]
stft_l1_snr.domains = ("waveform",)  # type: ignore[attr-defined]
