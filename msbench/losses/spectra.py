"""Training losses that compare the spectrograms of waveforms, (B, S, C, T) twice to (B,), as in functions.py."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from msbench.losses.functions import l1


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


def _stft(signals: Tensor, window_samples: int, hop_samples: int, fft_samples: int) -> Tensor:
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
        torch.hann_window(window_samples, device=signals.device, dtype=signals.dtype),
        return_complex=True,
    )
    return spectra.view(*signals.shape[:-1], *spectra.shape[-2:])


multi_resolution.domains = ("waveform",)  # type: ignore[attr-defined]
