"""Metrics of separation quality; each module says what it computes and from which paper."""

from msbench.metrics.bsseval import (
    bss_eval,
    bss_eval_images,
    bss_eval_images_framewise,
    bss_eval_sources,
    bss_eval_sources_framewise,
)
from msbench.metrics.global_nsdr import gnsdr
from msbench.metrics.perceptual import pesq, stoi
from msbench.metrics.ratios import nsdr, snr, track_sdr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir
from msbench.metrics.spectral import l1_spectrogram

__all__ = [
    "bss_eval",
    "bss_eval_images",
    "bss_eval_images_framewise",
    "bss_eval_sources",
    "bss_eval_sources_framewise",
    "gnsdr",
    "l1_spectrogram",
    "nsdr",
    "pesq",
    "si_sar",
    "si_sdr",
    "si_sir",
    "snr",
    "stoi",
    "track_sdr",
]
