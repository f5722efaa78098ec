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
    "tensorboard",
    "group",
    "factors",
    "checkpoint_minutes",
    "checkpoint.dirpath",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.logger",
    "trainer.log_every_n_steps",
    "trainer.default_root_dir",
    "data.workers",
    "data.root",
    "data.extra_root",
    "data.memory_gb",
    "data.strict",
)
# Settings that came later, each with the value that stands for what was done before it was one. At that value it has no
# part either: a run from before keeps its folder, and is resumed.
LATER: dict[str, Any] = {
    "init_from": None,
    "init_strict": True,
    "validate_songs_every": None,
    "model.freeze": None,
    "model.lora": None,
    "separator.beta": None,
    "separator.chunk_seconds": None,
    "separator.deep_norm": True,
    "separator.encoder_activation": "none",
    "separator.first_norm": "global",
    "separator.hidden_shift": 0.0,
    "separator.initialization": "torch",
    "separator.last_norm": False,
    "separator.late_spectrum": False,
    "separator.layers": "torch",
    "separator.levels": "log",
    "separator.mask_prelu": True,
    "separator.norm": "parts",
    "separator.normalization": "spectrogram",
    "separator.normalize": None,
    "separator.padded": None,
    "separator.per_target": False,
    "separator.phase": "mixture",
    "separator.phase_iterations": None,
    "separator.phase_momentum": 0.99,
    "separator.phase_frames": 300,
    "separator.phase_residual": None,
    "separator.rewrite": True,
    "separator.spectrum": "complex",
    "separator.splits": None,
    "separator.upsampling_edge": "repeat",
    "data.gain": None,
    "data.remix_share": 1.0,
    "data.remix_group": None,
    "data.shift_seconds": 0.0,
    "data.repitch_share": 1.0,
    "data.mixup_share": 0.0,
    "data.effects": None,
    "data.extra": None,
    "data.tracks": None,
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
    for field in COSMETIC:
        group, name = _holder(rest, field)
        group.pop(name, None)
    for field, default in LATER.items():
        group, name = _holder(rest, field)
        if group.get(name, default) == default:
            group.pop(name, None)
    return rest


def completed(settings: dict[str, Any]) -> dict[str, Any]:
    """What `counted` gave, with the fields that came later, of the sections that are there."""
    rest = deepcopy(settings)
    for field, default in LATER.items():
        section = field.partition(".")[0]
        if "." in field and isinstance(rest.get(section), dict):
            rest[section].setdefault(field.partition(".")[2], default)
    return rest


def _holder(settings: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    """The section that holds a field, an empty one where there is none, and the field's name in it."""
    section, _, name = field.rpartition(".")
    holder = settings.get(section) if section else settings
    return (holder if isinstance(holder, dict) else {}), name
