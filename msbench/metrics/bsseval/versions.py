"""museval's calls of BSSEval v2 and v3, with its arguments and defaults: `bss_eval` with the settings of each.

Filters are estimated for each window. `bss_eval_sources` modifies the references by the estimates, which
boosts its numbers (a frequency without estimate is not scored): museval advises against it, and so does msbench.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from msbench.metrics.bsseval.score import bss_eval
from msbench.metrics.bsseval.settings import Scores

SourcesScores = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # sdr, sir, sar, perm
TAPS = 512


def bss_eval_images(reference_sources: Any, estimated_sources: Any, compute_permutation: bool = True) -> Scores:
    """BSSEval v3 `bss_eval_images`: one window over the whole track.

    Args:
        reference_sources: (S, T, C), (S, T) or (T,), as for `bss_eval`.
        estimated_sources: The same for the estimates.
        compute_permutation: Match estimates to references by the best mean SIR.

    Returns:
        sdr, isr, sir, sar and perm, each (S, 1).

    Raises:
        ValueError: As `bss_eval`.
    """
    return bss_eval(reference_sources, estimated_sources, np.inf, np.inf, compute_permutation, TAPS, True, False)


def bss_eval_images_framewise(
    reference_sources: Any,
    estimated_sources: Any,
    window: float = 30 * 44100,
    hop: float = 15 * 44100,
    compute_permutation: bool = False,
) -> Scores:
    """BSSEval v3 `bss_eval_images_framewise`: the same in each window.

    Args:
        reference_sources: (S, T, C), (S, T) or (T,), as for `bss_eval`.
        estimated_sources: The same for the estimates.
        window: Samples of a window.
        hop: Samples between the starts of windows.
        compute_permutation: Match estimates to references by the best mean SIR, for each window.

    Returns:
        sdr, isr, sir, sar and perm, each (S, windows).

    Raises:
        ValueError: As `bss_eval`.
    """
    return bss_eval(reference_sources, estimated_sources, window, hop, compute_permutation, TAPS, True, False)


def bss_eval_sources(reference_sources: Any, estimated_sources: Any, compute_permutation: bool = True) -> SourcesScores:
    """BSSEval v3 `bss_eval_sources`: one window over the whole track.

    Args:
        reference_sources: (S, T, C), (S, T) or (T,), as for `bss_eval`.
        estimated_sources: The same for the estimates.
        compute_permutation: Match estimates to references by the best mean SIR.

    Returns:
        sdr, sir, sar and perm, each (S, 1).

    Raises:
        ValueError: As `bss_eval`.
    """
    arguments = (np.inf, np.inf, compute_permutation, TAPS, True, True)
    sdr, _, sir, sar, perm = bss_eval(reference_sources, estimated_sources, *arguments)
    return sdr, sir, sar, perm


def bss_eval_sources_framewise(
    reference_sources: Any,
    estimated_sources: Any,
    window: float = 30 * 44100,
    hop: float = 15 * 44100,
    compute_permutation: bool = False,
) -> SourcesScores:
    """BSSEval v3 `bss_eval_sources_framewise`: the same in each window.

    Args:
        reference_sources: (S, T, C), (S, T) or (T,), as for `bss_eval`.
        estimated_sources: The same for the estimates.
        window: Samples of a window.
        hop: Samples between the starts of windows.
        compute_permutation: Match estimates to references by the best mean SIR, for each window.

    Returns:
        sdr, sir, sar and perm, each (S, windows).

    Raises:
        ValueError: As `bss_eval`.
    """
    arguments = (window, hop, compute_permutation, TAPS, True, True)
    sdr, _, sir, sar, perm = bss_eval(reference_sources, estimated_sources, *arguments)
    return sdr, sir, sar, perm
