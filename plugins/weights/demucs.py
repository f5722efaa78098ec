"""The files of facebookresearch/demucs. Those of versions 3 and 4 (read at e976d93) are a class, the arguments of its
constructor, and half-precision weights, pickled by `serialize_model` of demucs/states.py. The class is not imported:
its name and the arguments tell which model of ours it is, and a model that ours cannot hold is refused. Those of
version 2 (read at 8c34a99, demucs/pretrained.py) are state dicts of the networks of demucs/model.py and tasnet.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import julius
from torch import Tensor

from msbench import Converted, Weights, read_weights, refuse_other_fields

HYBRID, TRANSFORMER, TIME = "demucs.hdemucs.HDemucs", "demucs.htdemucs.HTDemucs", "demucs.demucs.Demucs"
STAND_INS = (HYBRID, TRANSFORMER, TIME, "fractions.Fraction")

# Arguments of their constructors that have one value here, which is their default too unless it is given.
_FIXED: dict[str, Any] = {
    "channels_time": None,
    "growth": 2,
    "rewrite": True,
    "freq_emb": 0.2,
    "emb_scale": 10,
    "kernel_size": 8,
    "time_stride": 2,
    "stride": 4,
    "context": 1,
    "context_enc": 0,
    "norm_groups": 4,
    "dconv_depth": 2,
}
_FIXED_HYBRID = {**_FIXED, "hybrid": True, "dconv_mode": 1}
_FIXED_TRANSFORMER = {
    **_FIXED,
    "cac": True,
    "multi_freqs": None,
    "t_emb": "sin",
    "t_hidden_scale": 4,
    "t_norm_in": True,
    "t_norm_in_group": False,
    "t_group_norm": False,
    "t_norm_first": True,
    "t_norm_out": True,
    "t_max_period": 10000,
    "t_layer_scale": True,
    "t_gelu": True,
    "t_weight_pos_embed": 1,
    "t_sin_random_shift": 0,
    "t_sparse_self_attn": False,
    "t_sparse_cross_attn": False,
    "t_cross_first": False,
}
_FIXED_TIME = {
    "growth": 2,
    "kernel_size": 8,
    "stride": 4,
    "gelu": True,
    "glu": True,
    "norm_starts": 4,
    "norm_groups": 4,
    "dconv_mode": 1,
    "dconv_depth": 2,
    "dconv_comp": 4,
    "dconv_attn": 4,
    "dconv_lstm": 4,
    "normalize": True,
    "resample": True,
}


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """Demucs (facebookresearch/demucs): its networks of versions 2 to 4, Conv-TasNet, and bags of them."""
    package = read_weights(paths[0], STAND_INS)
    if isinstance(package, dict) and "encoder.conv1d_U.weight" in package:
        return tasnet(package, about)
    if isinstance(package, dict) and "lstm.lstm.weight_ih_l0" in package:
        return version2(package, about)
    if not isinstance(package, dict) or not {"klass", "args", "kwargs", "state"} <= package.keys():
        raise ValueError(f"{paths[0]} is no file that demucs wrote: it must hold klass, args, kwargs and state")
    state = package["state"]
    if not isinstance(state, dict):
        raise ValueError(f"{paths[0]} holds no weights in its state")
    if state.get("__quantized"):
        raise ValueError(f"{paths[0]} is quantized by diffq, which msbench does not read: take the unquantized weights")
    names = [name for name in STAND_INS if _is_named(package["klass"], name)]
    arguments = dict(package["kwargs"])
    if package["args"]:
        arguments["sources"] = package["args"][0]
    if names == [HYBRID]:
        return Converted("hdemucs", hybrid_options(arguments), state)
    if names == [TRANSFORMER]:
        return Converted("htdemucs", transformer_options(arguments), state)
    if names == [TIME]:
        return Converted("demucs", time_options(arguments), waveform_state(state))
    raise ValueError(f"{paths[0]} holds a network that msbench has not: {', '.join(names) or 'none that it knows'}")


def version2(state: Mapping[str, Any], about: Weights) -> Converted:
    """A state dict of version 2, of an unpadded network of songs that demucs/separate.py normalizes before it."""
    found = waveform_state(state)
    first, widened = (found.get(f"{layer}.weight") for layer in ("down.0.0", "up.0.0"))
    if not isinstance(first, Tensor) or not isinstance(widened, Tensor):
        raise ValueError("the file lacks a layer of Demucs's version 2, down.0.0 or up.0.0")
    options = {"targets": list(about.targets), "sample_rate": about.sample_rate, "channels": first.shape[1]}
    options |= {"filters": len(first), "context": widened.shape[-1]}
    options["depth"] = len({key.split(".")[1] for key in found if key.startswith("down.")})
    return Converted("demucs", {**options, "normalize": "song", "padded": False}, found)


def waveform_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """That of `demucs`, of the networks of waveforms alone, whose resampling is a function there without filters."""
    names = {"encoder.": "down.", "decoder.": "up.", "lstm.lstm.": "lstm.", "lstm.linear.": "linear."}
    found = {}
    for key, value in state.items():
        theirs = next((each for each in names if str(key).startswith(each)), "")
        found[names.get(theirs, "") + str(key).removeprefix(theirs)] = value
    for name, ratio in (("upsample", (1, 2)), ("downsample", (2, 1))):
        found |= {f"{name}.{key}": value for key, value in julius.ResampleFrac(*ratio).state_dict().items()}
    return found


# Parts of demucs/tasnet.py of version 2, and of `conv_tasnet`; within a block, those behind its number.
_TASNET = {
    "encoder.conv1d_U": "encoder",
    "decoder.basis_signals": "decoder",
    "separator.network.0": "bottleneck.0",
    "separator.network.1": "bottleneck.1",
    "separator.network.3": "mask.1",
    "net.0": "body.0",
    "net.1": "body.1",
    "net.2": "body.2",
    "net.3.net.0": "body.3",
    "net.3.net.1": "body.4",
    "net.3.net.2": "body.5",
    "net.3.net.3": "residual",
}
_TASNET_BLOCK = re.compile(r"separator\.network\.2\.(\d+)\.(\d+)\.(.+)")


def tasnet(state: Mapping[str, Any], about: Weights) -> Converted:
    """A state dict of Conv-TasNet in version 2, of songs that demucs/separate.py normalizes before it."""
    places = [(int(found[1]), int(found[2])) for found in map(_TASNET_BLOCK.fullmatch, map(str, state)) if found]
    repeats, blocks = (1 + max((place[axis] for place in places), default=-1) for axis in (0, 1))
    found = {}
    for key, value in state.items():
        block = _TASNET_BLOCK.fullmatch(str(key))
        part, _, kind = (block[3] if block else str(key)).rpartition(".")
        before = f"blocks.{int(block[1]) * blocks + int(block[2])}." if block else ""
        name = before + _TASNET.get(part, part) + "." + {"gamma": "weight", "beta": "bias"}.get(kind, kind)
        found[name] = value.flatten() if kind in ("gamma", "beta") and isinstance(value, Tensor) else value
    parts = ("encoder", "bottleneck.1", "blocks.0.body.3", "decoder")
    layers: list[Any] = [found.get(f"{part}.weight") for part in parts]
    if not all(isinstance(layer, Tensor) for layer in layers):
        raise ValueError("the file lacks a layer of Conv-TasNet as in demucs/tasnet.py of version 2")
    bank, narrow, depthwise, basis = layers
    filters, channels, kernel = bank.shape
    found["decoder.weight"] = basis.t().unflatten(1, (channels, kernel))  # a linear layer there
    sizes = {"filters": filters, "kernel_samples": kernel, "bottleneck": len(narrow), "hidden": len(depthwise)}
    sizes |= {"kernel": depthwise.shape[-1], "blocks": blocks, "repeats": repeats, "channels": channels}
    variant = {"skip": 0, "bias": False, "mask": "relu", "encoder_activation": "relu", "first_norm": "channel"}
    variant |= {"mask_prelu": False, "normalize": "song"}
    own = {"targets": list(about.targets), "sample_rate": about.sample_rate}
    return Converted("conv_tasnet", {**own, **sizes, **variant}, found)


def _is_named(stand_in: Any, name: str) -> bool:
    return isinstance(stand_in, type) and f"{stand_in.__module__}.{stand_in.__qualname__}" == name


def hybrid_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `hdemucs` for arguments of demucs/hdemucs.py, class HDemucs."""
    magnitudes, splits = not arguments.get("cac", True), arguments.get("multi_freqs")
    used = _FIXED_HYBRID | ({"wiener_iters": 0, "end_iters": 0} if magnitudes else {})
    refuse_other_fields(arguments, used | ({"multi_freqs_depth": 2} if splits else {}))
    depth, normalized = arguments.get("depth", 6), arguments.get("norm_starts", 4)
    starts = {arguments.get(name, 4) for name in ("dconv_attn", "dconv_lstm")}
    starts |= {normalized} if normalized < depth else set()
    if len(starts) > 1:
        raise ValueError(f"normalization, attention and LSTM begin in different layers ({starts}): ours begin in one")
    return {
        **_common_options(arguments),
        "depth": depth,
        "compress": arguments.get("dconv_comp", 4),
        "plain_layers": starts.pop(),
        "spectrum": "magnitudes" if magnitudes else "complex",
        "late_spectrum": bool(arguments.get("hybrid_old")),
        "deep_norm": normalized < depth,
        "splits": list(splits) if splits else None,
    }


def transformer_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `htdemucs` for arguments of demucs/htdemucs.py, class HTDemucs."""
    refuse_other_fields(arguments, _FIXED_TRANSFORMER)
    depth = arguments.get("depth", 4)
    if arguments.get("norm_starts", 4) < depth or arguments.get("dconv_mode", 1) not in (1, 3):
        raise ValueError("norm_starts below depth, and a dconv_mode other than 1 and 3, are not in msbench")
    return {
        **_common_options(arguments),
        "depth": depth,
        "compress": arguments.get("dconv_comp", 8),
        "branches_up": arguments.get("dconv_mode", 1) == 3,
        "transformer_channels": arguments.get("bottom_channels") or None,
        "transformer_layers": arguments.get("t_layers", 5),
        "heads": arguments.get("t_heads", 8),
        "dropout": arguments.get("t_dropout", 0.0),
        "chunk_seconds": _number(arguments.get("segment", 10)) if arguments.get("use_train_segment", True) else None,
    }


def time_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `demucs` for arguments of demucs/demucs.py, class Demucs, of version 3."""
    refuse_other_fields(arguments, _FIXED_TIME)
    common = _common_options(arguments)
    del common["window_samples"]
    return {
        **common,
        "version": "v3",
        "filters": arguments.get("channels", 64),
        "depth": arguments.get("depth", 6),
        "context": 2 * arguments.get("context", 1) + 1,
        "lstm_layers": arguments.get("lstm_layers", 0),
        "rewrite": arguments.get("rewrite", True),
    }


def _common_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A song is normalized before it is cut (demucs/separate.py, demucs/api.py), and its chunks by the networks."""
    return {
        "targets": list(arguments["sources"]),
        "sample_rate": arguments.get("samplerate", 44100),
        "channels": arguments.get("audio_channels", 2),
        "filters": arguments.get("channels", 48),
        "window_samples": arguments.get("nfft", 4096),
        "normalize": "song",
    }


def _number(value: Any) -> float:
    """A number, or what is read for a `Fraction`: two integers, or a text of both."""
    given = getattr(value, "arguments", (value,))
    parts = [float(part) for each in given for part in str(each).split("/")]
    return parts[0] / parts[1] if len(parts) == 2 else parts[0]
