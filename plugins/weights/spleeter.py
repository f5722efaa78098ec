"""The archives of deezer/spleeter's release v1.4.0 (read at 64daa5a, spleeter/model/provider/github.py): checkpoints of
TensorFlow. `plugins/spleeter.py` knows the names of their variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msbench_plugins.spleeter import convert as model_of

from msbench import Converted, Weights, read_tensorflow


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """Spleeter (deezer/spleeter): an archive with a checkpoint of TensorFlow."""
    model = model_of(read_tensorflow(paths[0]), **{"targets": list(about.targets), **about.options})
    assert model.registered is not None, "built by its name"
    return Converted("spleeter", model.registered["options"], model.state_dict())
