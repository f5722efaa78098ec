"""The files of sigsep/open-unmix-pytorch (openunmix 1.3): for each target the state dict of its network, as
`load_state_dict_from_url` of openunmix/__init__.py reads them.

Keys that no network has, such as the `sample_rate` and the window that earlier versions stored, are left out, as
`strict=False` does there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from msbench import Converted, Weights, read_weights

OWN = ("fc1.", "bn1.", "lstm.", "fc2.", "bn2.", "fc3.", "bn3.", "input_", "output_")  # how the keys of a network begin


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """Open-Unmix (sigsep/open-unmix-pytorch): one file per target."""
    state: dict[str, Tensor] = {}
    for target, path in zip(about.targets, paths, strict=True):
        network = read_weights(path)
        if not isinstance(network, dict) or "fc1.weight" not in network:
            raise ValueError(f"{path} is no file that openunmix wrote: it must hold the weights of one network")
        state |= {f"target_models.{target}.{key}": value for key, value in network.items() if key.startswith(OWN)}
    hidden, read = network["fc1.weight"].shape
    channels = read // len(network["input_mean"])
    options = {"targets": list(about.targets), "sample_rate": about.sample_rate, "channels": channels, "hidden": hidden}
    return Converted("open_unmix", options, state)
