"""Metrics of separation quality; each module says what it computes and from which paper."""

from msbench.metrics.bsseval import bss_eval

__all__ = ["bss_eval"]
