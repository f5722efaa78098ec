"""BSSEval v4, as museval has it."""

from msbench.metrics.bsseval.score import ISR, SAR, SDR, SIR, bss_eval, windows

__all__ = ["ISR", "SAR", "SDR", "SIR", "bss_eval", "windows"]
