"""The files of ZFTurbo/Music-Source-Separation-Training (read at ccc011a; the package msst 0.1.0 has the networks): a
state dict, and the YAML of its training, whose fields `model`, `audio`, `training` and `inference` tell network, sizes,
targets, the length of chunks, and whether a song is normalized first.

The YAML need not name the network: `freqs_per_bands` is of BS-RoFormer, `num_bands` of Mel-Band RoFormer,
`num_subbands` of MDX23C, and `band_SR` of SCNet. Fields of `model` that only training reads, or that choose how the
same is computed, are passed over; others that ours cannot follow are refused. Of `inference`, `num_overlap` and
`batch_size` are the user's choice here: the collection separates as with `--window trapezoid` and an overlap of
1 - 1 / num_overlap. Its `dim_t` is read nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msbench import Converted, Weights, read_weights, read_yaml, refuse_other_fields


class _Network(NamedTuple):
    """How a network of the collection is known and read.

    Attributes:
        theirs: Its name there, `training.model_type`.
        mark: The field of `model` that tells it from the others.
        options: {their field: (our option, their default; None where they have none)}.
        fixed: Fields that have one value here, which is their default too unless it is given.
        unread: Fields that change no output, and those that are read below.
    """

    theirs: str
    mark: str
    options: Mapping[str, tuple[str, Any]]
    fixed: Mapping[str, Any]
    unread: Sequence[str]


_ROFORMER = {
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
_FIXED_ROFORMER = {"linear_transformer_depth": 0, "stft_normalized": False, "use_pope": False}
_READ_ROFORMER = ("stereo", "num_stems", "mask_estimator_depth", "stft_win_length")  # below, or by the weights' shapes
_UNREAD_ROFORMER = (
    *("attn_dropout", "ff_dropout", "flash_attn", "sage_attention", "use_torch_checkpoint", "dim_freqs_in"),
    *("match_input_audio_length", "multi_stft_resolution_loss_weight", "multi_stft_resolutions_window_sizes"),
    *("multi_stft_hop_size", "multi_stft_normalized", *_READ_ROFORMER),
)
_NETWORKS = {
    "bs_roformer": _Network("bs_roformer", "freqs_per_bands", _ROFORMER, _FIXED_ROFORMER, _UNREAD_ROFORMER),
    "mel_band_roformer": _Network(
        "mel_band_roformer", "num_bands", _ROFORMER, _FIXED_ROFORMER, ("sample_rate", *_UNREAD_ROFORMER)
    ),
    "tfc_tdf": _Network(
        "mdx23c",
        "num_subbands",
        {
            "num_subbands": ("subbands", None),
            "num_scales": ("scales", None),
            "num_channels": ("filters", None),
            "growth": ("growth", None),
            "num_blocks_per_scale": ("blocks", None),
            "bottleneck_factor": ("bottleneck", None),
        },
        {"norm": "InstanceNorm", "act": "gelu", "scale": [2, 2]},
        (),
    ),
    "scnet": _Network(
        "scnet",
        "band_SR",
        {
            "nfft": ("window_samples", 4096),
            "hop_size": ("hop_samples", 1024),
            "band_SR": ("band_shares", None),
            "band_stride": ("band_strides", [1, 4, 16]),
            "conv_depths": ("depths", [3, 2, 1]),
            "compress": ("compress", 4),
            "conv_kernel": ("kernel", 3),
            "num_dplayer": ("layers", 6),
            "expand": ("expand", 1),
            "audio_channels": ("channels", 2),
        },
        {"normalized": True},
        ("sources", "dims", "win_size", "band_kernel"),
    ),
}
_STATES = ("state_dict", "state", "model_state_dict")  # where a checkpoint with more in it holds the weights


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """BS-RoFormer, Mel-Band RoFormer, MDX23C and SCNet (ZFTurbo/Music-Source-Separation-Training): weights and YAML."""
    if len(paths) != 2:
        raise ValueError(f"{paths[0]} needs the YAML of its training next to it: give both files, the weights first")
    config = read_yaml(paths[1])
    sections = ("model", "audio", "training", "inference")
    parts = [config.get(name) if isinstance(config, dict) else None for name in sections]
    model, audio, training, inference = (part if isinstance(part, dict) else {} for part in parts)
    name = _network(model, training.get("model_type"), paths[1])
    network = _NETWORKS[name]
    refuse_other_fields(model, network.fixed, (network.mark, *network.options, *network.unread))
    try:
        given = {field: default for field, (_, default) in network.options.items() if default is not None} | model
        options = {ours: given[field] for field, (ours, _) in network.options.items()}
        options |= _OWN[name](model, audio)
    except KeyError as error:
        raise ValueError(f"{paths[1]} lacks the field {error.args[0]}") from error
    if inference.get("normalize") is True:
        if name != "scnet":
            raise ValueError(f"{paths[1]} asks for a normalization of each song, which {name} does not make")
        options["normalization"] = "song"
    target = training.get("target_instrument")
    options["targets"] = [target] if target else list(training.get("instruments") or about.targets)
    chunk = inference.get("chunk_size", audio.get("chunk_size"))
    options["chunk_seconds"] = None if chunk is None else chunk / options["sample_rate"]
    state = _state(read_weights(paths[0]))
    if name == "scnet" and isinstance(state, dict) and "pos_embed_f" in state:
        raise ValueError(f"{paths[0]} is of SCNet Masked, a network that msbench has not")
    return Converted(name, options, state)


def _network(model: Mapping[str, Any], named: Any, path: Path) -> str:
    for name, network in _NETWORKS.items():
        if network.mark in model and named in (None, network.theirs):
            return name
    which = "" if named is None else f" ({named})"
    raise ValueError(
        f"{path} is of no network that msbench has{which}: it has BS-RoFormer, Mel-Band RoFormer, MDX23C and SCNet"
    )


def _roformer(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    refuse_other_fields(model, {"stft_win_length": model.get("stft_n_fft", 2048)})
    rate = model.get("sample_rate", audio.get("sample_rate", 44100))
    return {"sample_rate": rate, "channels": 2 if model.get("stereo", False) else 1}


def _bs_roformer(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    masks = int(model.get("mask_estimator_depth", 2)) - 1
    return {**_roformer(model, audio), "bands": list(model["freqs_per_bands"]), "mask_layers": masks}


def _mel_band_roformer(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    masks = int(model.get("mask_estimator_depth", 1))
    return {**_roformer(model, audio), "bands": model["num_bands"], "mask_layers": masks}


def _mdx23c(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sample_rate": audio.get("sample_rate", 44100),
        "channels": audio.get("num_channels", 2),
        "window_samples": audio["n_fft"],
        "hop_samples": audio["hop_length"],
        "bins": audio["dim_f"],
    }


def _scnet(model: Mapping[str, Any], audio: Mapping[str, Any]) -> dict[str, Any]:
    """Their network without the normalization of spectrograms that the authors' has today."""
    kernels = [3 if stride == 1 else stride for stride in model.get("band_stride", [1, 4, 16])]
    first, *filters = model.get("dims", [4, 32, 64, 128])
    refuse_other_fields(model, {"win_size": model.get("nfft", 4096), "band_kernel": kernels})
    if first != 2 * model.get("audio_channels", 2):
        raise ValueError(f"the network has dims[0]={first!r}, and that of msbench twice its audio_channels")
    return {"sample_rate": audio.get("sample_rate", 44100), "filters": filters, "normalization": "none"}


_OWN = {"bs_roformer": _bs_roformer, "mel_band_roformer": _mel_band_roformer, "tfc_tdf": _mdx23c, "scnet": _scnet}


def _state(content: Any) -> Any:
    """The weights of a checkpoint, whether it holds more than these or not."""
    return next((content[name] for name in _STATES if isinstance(content, dict) and name in content), content)
