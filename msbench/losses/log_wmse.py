"""Log-WMSE as a training loss; its filter is that of PyPI torch-log-wmse, which the extra `logwmse` installs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def log_wmse(
    estimates: Tensor, references: Tensor, mixture: Tensor, *, sample_rate: int = 44100, p: float = 0.0
) -> Tensor:
    """4 times the logarithm of the error as the ear hears it, over the level of the mixture, (B, S, C, T) to (B,).

    Calls `LogWMSELoss` of torch-log-wmse 1.1.0 and later, after nomonosound/log-wmse-audio-quality. An estimate of
    silence by silence has the least value, -73.7.

    Args:
        estimates, references: Waveforms.
        mixture: Waveform (B, C, T).
        sample_rate: In Hz; that of the model where none is given.
        p: Exponent of the mean over channels and targets; 0 is the mean of logarithms.
    """
    with torch.autocast(estimates.device.type, enabled=False):
        signals = (x.float().transpose(1, 2) for x in (estimates, references))
        value: Tensor = _loss(sample_rate, p, mixture.device)(mixture.float(), *signals)
    return value


@lru_cache(maxsize=8)
def _loss(sample_rate: int, p: float, device: torch.device) -> Any:
    from torch_log_wmse import LogWMSELoss

    return LogWMSELoss(sample_rate=sample_rate, p=p, reduction="none").to(device)


log_wmse.domains = ("waveform",)  # type: ignore[attr-defined]
log_wmse.needs_mixture = True  # type: ignore[attr-defined]
log_wmse.requires = {"torch_log_wmse": "msbench[logwmse]"}  # type: ignore[attr-defined]
