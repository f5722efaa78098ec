"""What makes two runs of `msbench fit` the same run."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from msbench.records.record import digest

# What changes nothing in the weights has no part in a run's identity.
COSMETIC = (
    "config",
    "output",
    "ckpt_path",
    "wandb",
    "wandb_project",
    "checkpoint_minutes",
    "checkpoint.dirpath",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.logger",
    "trainer.log_every_n_steps",
    "trainer.default_root_dir",
    "data.workers",
    "data.root",
    "data.memory_gb",
    "data.strict",
)
# Settings that came later, each with the value that stands for what was done before it was one. At that value it has no
# part either: a run from before keeps its folder, and is resumed.
LATER: dict[str, Any] = {
    "init_from": None,
    "separator.encoder_activation": "none",
    "separator.first_norm": "global",
    "separator.initialization": "torch",
    "separator.mask_prelu": True,
    "separator.normalize": None,
    "separator.upsampling_edge": "repeat",
}


def identity_of(settings: dict[str, Any]) -> str:
    """Eight hexadecimal digits of a configuration, without what changes no weight.

    Folders of runs bear them: another way to write the settings down would make every run start over. A cell of a
    suite bears the digest of its suite's and recipe's words instead (`SuiteFile.identity`), which needs no torch.

    Args:
        settings: All fields, defaults too, as YAML holds them; `init_from` is the SHA-256 of its checkpoint.
    """
    return digest(counted(settings))[:8]


def counted(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that have a part in the weights."""
    rest = deepcopy(settings)
    for key in (*COSMETIC, *LATER):
        *path, last = key.split(".")
        group = rest
        for part in path:
            group = group.get(part, {})
        if key in COSMETIC or group.get(last) == LATER[key]:
            group.pop(last, None)
    return rest
