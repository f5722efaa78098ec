"""Metrics of separation quality; each module says what it computes and from which paper."""

from msbench.metrics.bsseval.score import bss_eval
from msbench.metrics.perceptual import pesq, stoi
from msbench.metrics.ratios import nsdr, snr, track_sdr
from msbench.metrics.scale_invariant import si_sar, si_sdr, si_sir
from msbench.metrics.spectral import l1_spectrogram

__all__ = ["bss_eval", "l1_spectrogram", "nsdr", "pesq", "si_sar", "si_sdr", "si_sir", "snr", "stoi", "track_sdr"]
