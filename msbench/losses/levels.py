"""Training losses in decibels of mean absolute errors: the L1-SNR family. Functions as in functions.py."""

from __future__ import annotations

import torch
from torch import Tensor


def l1_snr(estimates: Tensor, references: Tensor, *, eps: float = 1e-3) -> Tensor:
    """10 log10 of the mean absolute error over the mean absolute reference, (B, S, ...) to (B,).

    D1 of Watcharasupat et al. 2024 (arXiv:2309.02539) as in PyPI torch-l1-snr 0.2.1, `L1SNRLoss`: means in place of
    the paper's sums, all targets and channels of an item in one ratio.

    Args:
        estimates, references: Of one shape.
        eps: Added to both means, so that silence is finite.
    """
    error, level = ((each.flatten(1).abs().mean(1)).float() for each in (estimates - references, references))
    return 10 * torch.log10((error + eps) / (level + eps))


def l1_snr_db(
    estimates: Tensor,
    references: Tensor,
    *,
    eps: float = 1e-3,
    least: float = 0.1,
    further: float = 0.9,
    silence_db: float = -60.0,
) -> Tensor:
    """`l1_snr`, and the difference between the levels of estimate and reference in dB, (B, S, ...) to (B,).

    Watcharasupat & Lerch 2025 (arXiv:2501.16171) as in PyPI torch-l1-snr 0.2.1, `L1SNRDBLoss`: the weight of the
    difference is higher where an estimate is quieter than its reference, so that silence is no way out.

    Args:
        estimates, references: Of one shape.
        eps: As for `l1_snr`.
        least: Weight of the difference between the levels.
        further: Added to it, in proportion to that difference, where the estimate is too quiet.
        silence_db: Below which a reference is silent.
    """
    levels = level_difference(estimates, references, least=least, further=further, silence_db=silence_db)
    return l1_snr(estimates, references, eps=eps) + levels


def level_difference(
    estimates: Tensor, references: Tensor, *, least: float = 0.1, further: float = 0.9, silence_db: float = -60.0
) -> Tensor:
    """The weighted difference between two levels in dB that `l1_snr_db` adds, (B, S, ...) to (B,)."""
    mine, true = (_decibels(each) for each in (estimates, references))
    difference = (mine - true).abs()
    quiet = true > mine.clamp_min(silence_db)
    share = (difference / (true - silence_db).clamp_min(1e-6)).clamp(0, 1)
    return (least + further * quiet * share).detach() * difference


def _decibels(signals: Tensor) -> Tensor:
    """The level of each item in dB of full scale; silence is at -80."""
    return 10 * torch.log10(signals.float().flatten(1).square().mean(1) + 1e-8)


l1_snr.domains = ("waveform",)  # type: ignore[attr-defined]
l1_snr_db.domains = ("waveform",)  # type: ignore[attr-defined]
