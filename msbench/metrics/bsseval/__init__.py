"""BSSEval v4, v3 and v2, as museval has them."""

from msbench.metrics.bsseval.fast import ISR, SAR, SDR, SIR
from msbench.metrics.bsseval.score import BACKENDS, bss_eval
from msbench.metrics.bsseval.settings import windows
from msbench.metrics.bsseval.versions import (
    bss_eval_images,
    bss_eval_images_framewise,
    bss_eval_sources,
    bss_eval_sources_framewise,
)

__all__ = [
    "BACKENDS",
    "ISR",
    "SAR",
    "SDR",
    "SIR",
    "bss_eval",
    "bss_eval_images",
    "bss_eval_images_framewise",
    "bss_eval_sources",
    "bss_eval_sources_framewise",
    "windows",
]
