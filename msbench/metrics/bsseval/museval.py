"""museval's own evaluator, loaded without the package around it."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from msbench.metrics.bsseval.settings import Scores, Settings


def museval_scores(references: Any, estimates: Any, settings: Settings) -> Scores:
    """museval's own scores, warnings and errors, from all the samples at once.

    Raises:
        numpy.linalg.LinAlgError: A `ValueError`, if the samples are too large.
    """
    samples = [signals[:, 0 : signals.shape[1]] for signals in (references, estimates)]
    try:
        scores: Scores = museval_metrics().bss_eval(*samples, *settings.arguments)
    except np.linalg.LinAlgError as error:
        problem = f"the samples are too large for BSSEval in double precision ({error})"
        raise np.linalg.LinAlgError(problem) from error
    return scores


@cache
def museval_metrics() -> Any:
    """museval's `metrics.py` as a module.

    `import museval` imports musdb and stempeg, which refuse to load on a machine without ffmpeg; the evaluator itself
    needs numpy and scipy alone.

    Raises:
        ModuleNotFoundError: If museval is not installed.
    """
    package = importlib.util.find_spec("museval")  # finds it, without running it
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("museval is not installed: pip install 'museval>=0.4.1,<0.5'")
    path = Path(package.submodule_search_locations[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("msbench.metrics._museval_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    # museval catches np.linalg.linalg.LinAlgError to solve a singular system by least squares. numpy 2 has no
    # np.linalg.linalg, so that it stops with an AttributeError instead. This copy alone is given the old name back;
    # numpy itself is left as it is.
    linalg = _copy(np.linalg)
    vars(linalg)["linalg"] = np.linalg
    numpy = _copy(np)
    vars(numpy)["linalg"] = linalg
    vars(metrics)["np"] = numpy
    return metrics


def _copy(module: ModuleType) -> ModuleType:
    copy = ModuleType(module.__name__)
    vars(copy).update(vars(sys.modules[module.__name__]))
    return copy
