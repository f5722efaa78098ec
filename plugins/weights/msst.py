"""The files of ZFTurbo/Music-Source-Separation-Training (read at ccc011a; the package msst 0.1.0 has the networks): a
state dict, and the YAML of its training, whose fields `model`, `audio` and `training` tell network, sizes and targets.

The YAML does not name the network: `freqs_per_bands` is of BS-RoFormer, `num_bands` of Mel-Band RoFormer, and
`num_subbands` of MDX23C. Fields that only training reads are passed over; others that ours cannot follow are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msbench import Converted, Weights, read_weights, read_yaml

_ROFORMER = {  # their fields -> our options, and their defaults
    "dim": ("features", None),
    "depth": ("depth", None),
    "time_transformer_depth": ("time_layers", 2),
    "freq_transformer_depth": ("band_layers", 2),
    "heads": ("heads", 8),
    "dim_head": ("head_features", 64),
    "stft_n_fft": ("window_samples", 2048),
    "stft_hop_length": ("hop_samples", 512),
    "mlp_expansion_factor": ("mask_expansion", 4),
    "skip_connection": ("skips", False),
    "zero_dc": ("zero_dc", True),
}
_MDX23C = {
    "num_subbands": ("subbands", None),
    "num_scales": ("scales", None),
    "num_channels": ("filters", None),
    "growth": ("growth", None),
    "num_blocks_per_scale": ("blocks", None),
    "bottleneck_factor": ("bottleneck", None),
}
# What has one value here, which is their default too unless it is given.
_FIXED = {"linear_transformer_depth": 0, "stft_normalized": False, "use_pope": False}
_FIXED_MDX23C = {"norm": "InstanceNorm", "act": "gelu", "scale": [2, 2]}
_STATES = ("state_dict", "state", "model_state_dict")  # where a checkpoint with more in it holds the weights


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """BS-RoFormer, Mel-Band RoFormer and MDX23C (ZFTurbo/Music-Source-Separation-Training): weights and their YAML."""
    if len(paths) != 2:
        raise ValueError(f"{paths[0]} needs the YAML of its training next to it: give both files, the weights first")
    config = read_yaml(paths[1])
    parts = [config.get(name) if isinstance(config, dict) else None for name in ("model", "audio", "training")]
    model, audio, training = (part if isinstance(part, dict) else {} for part in parts)
    name = _network(model)
    if name is None:
        raise ValueError(f"{paths[1]} is of no network that msbench has: BS-RoFormer, Mel-Band RoFormer or MDX23C")
    if (config.get("inference") or {}).get("normalize"):
        raise ValueError(f"{paths[1]} asks for a normalization of each song, which msbench does not make")
    try:
        options = _mdx23c(model, audio) if name == "tfc_tdf" else _roformer(name, model, audio)
    except KeyError as error:
        raise ValueError(f"{paths[1]} lacks the field {error.args[0]}") from error
    target = training.get("target_instrument")
    options["targets"] = [target] if target else list(training.get("instruments") or about.targets)
    options["chunk_seconds"] = audio["chunk_size"] / options["sample_rate"] if "chunk_size" in audio else None
    return Converted(name, options, _state(read_weights(paths[0])))


def _network(model: Mapping[str, Any]) -> str | None:
    names = {"freqs_per_bands": "bs_roformer", "num_bands": "mel_band_roformer", "num_subbands": "tfc_tdf"}
    return next((name for field, name in names.items() if field in model), None)


def _roformer(name: str, model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    window = model.get("stft_n_fft", 2048)
    _refuse_others(model, {**_FIXED, "stft_win_length": window})
    options = _renamed(model, _ROFORMER)
    options["sample_rate"] = model.get("sample_rate", audio.get("sample_rate", 44100))
    options["channels"] = 2 if model.get("stereo", False) else 1
    if name == "bs_roformer":
        return {**options, "bands": list(model["freqs_per_bands"]), "mask_layers": _depth(model, 2) - 1}
    return {**options, "bands": model["num_bands"], "mask_layers": _depth(model, 1)}


def _depth(model: Mapping[str, Any], default: int) -> int:
    return int(model.get("mask_estimator_depth", default))


def _mdx23c(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_others(model, _FIXED_MDX23C)
    return {
        **_renamed(model, _MDX23C),
        "sample_rate": audio.get("sample_rate", 44100),
        "channels": audio.get("num_channels", 2),
        "window_samples": audio["n_fft"],
        "hop_samples": audio["hop_length"],
        "bins": audio["dim_f"],
    }


def _renamed(model: Mapping[str, Any], names: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    given = {field: default for field, (_, default) in names.items() if default is not None} | dict(model)
    return {ours: given[field] for field, (ours, _) in names.items()}


def _refuse_others(model: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    for field, value in fixed.items():
        given = model.get(field, value)
        if given != value:
            raise ValueError(f"the network has {field}={given!r}, and that of msbench {value!r}")


def _state(content: Any) -> Any:
    """The weights of a checkpoint, whether it holds more than these or not."""
    return next((content[name] for name in _STATES if isinstance(content, dict) and name in content), content)
