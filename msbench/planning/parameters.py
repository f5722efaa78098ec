"""Counts the parameters of models that are built without memory."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable

COUNT_SECONDS = 1.5  # of the processor, for all models of a suite; one with many layers takes some tenths of a second


def counted_parameters(constructors: Iterable[str], seconds: float = COUNT_SECONDS) -> dict[str, int]:
    """Parameters by constructor, of as many as the time allows.

    Args:
        constructors: Each a model and its options, as JSON (`Training.constructor`).
        seconds: Nothing is begun after so long, not counting the first model, for which much of torch is imported.

    Returns:
        Nothing for those that cannot be built so, or that the time did not reach.
    """
    import torch

    from msbench.model.checkpoints import create
    from msbench.model.costs import parameter_count

    counts = {}
    end = None
    for constructor in constructors:
        if end is not None and time.process_time() >= end:
            break
        name, options = json.loads(constructor)
        try:
            with warnings.catch_warnings(), torch.device("meta"):
                warnings.simplefilter("ignore")
                counts[constructor] = parameter_count(create(name, options))
        except Exception:  # whatever a plugin raises: `bench` will say it, and the plan of the others stands
            continue
        finally:
            end = end or time.process_time() + seconds
    return counts
