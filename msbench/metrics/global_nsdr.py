"""NSDR by BSSEval v3, whose mean over tracks, weighted by their lengths, is GNSDR: the measure of MIR-1K.

References:
    C.-L. Hsu, J.-S. R. Jang, "On the improvement of singing voice separation for monaural recordings using the MIR-1K
    dataset", IEEE TASLP 2010 (unverified: the paper was not read).
    P.-S. Huang et al., "Singing-voice separation from monaural recordings using deep recurrent neural networks", ISMIR
    2014; code: posenhuang/deeplearningsourceseparation, codes/BSS_3_EVAL.m and codes/mir1k/test_mir1k_general_kl_bss3.m
    (GNSDR_bss3). The code also prints a GNSDR by BSSEval 2's `bss_decomp_gain`, which allows a gain, not a filter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.bsseval import SAR, bss_eval
from msbench.metrics.bsseval.versions import TAPS
from msbench.metrics.signals import checked, readable


def gnsdr(estimates: Any, references: Any, mixture: Any) -> np.ndarray:
    """The gain in SDR over the mixture of one track, by BSSEval v3's `bss_eval_sources`: one value to average.

    Channels are averaged first: the measure is of mono. Whether the other sources are separated changes nothing.

    Args:
        estimates: (S, C, T).
        references: (S, C, T).
        mixture: (1, C, T).

    Returns:
        (S,) in dB; NaN where the reference, the estimate or the mixture is silent.

    Raises:
        ValueError: If the shapes do not fit or a sample is not finite.
    """
    estimates, references = checked(estimates, references)
    mixed = _Mono(readable(mixture), 0)
    return np.array(
        [
            _sdr(_Mono(references, i), _Mono(estimates, i)) - _sdr(_Mono(references, i), mixed)
            for i in range(references.shape[0])
        ]
    )


def _sdr(reference: _Mono, estimate: _Mono) -> float:
    """BSSEval v3's SDR of a source, which is the SAR of the source alone: what no filter of it gives is an error."""
    if reference.is_silent() or estimate.is_silent():
        return float("nan")
    return float(bss_eval(reference, estimate, np.inf, np.inf, filters_len=TAPS, strict=False)[SAR][0, 0])


class _Mono:
    """The mean over channels of one source of (S, C, T), as (1, T): `[:, a:b]` reads."""

    def __init__(self, signals: Any, source: int) -> None:
        self._signals, self._source, self.shape = signals, source, (1, signals.shape[-1])

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        block: np.ndarray = np.asarray(self._signals[..., key[-1]], np.float64)[self._source]
        return block.mean(axis=0, keepdims=True)

    def is_silent(self) -> bool:
        """Whether no sample differs from zero."""
        step = 2**15
        return not any(self[:, start : start + step].any() for start in range(0, self.shape[-1], step))
