"""The state dicts of torchaudio's Hybrid Demucs (torchaudio 2.11, models/_hdemucs.py and
pipelines/_source_separation_pipeline.py). The network is that of the package demucs under other names, with a
normalization in each layer of the waveform's encoder that it never calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msbench import Converted, Weights, read_weights

_UNUSED = re.compile(r"tencoder\.\d+\.norm1\.")
_PARTS = {"freq_encoder.": "encoder.", "freq_decoder.": "decoder."}
_PARTS |= {"time_encoder.": "tencoder.", "time_decoder.": "tdecoder."}


def convert(paths: Sequence[Path], about: Weights) -> Converted:
    """Hybrid Demucs of torchaudio's pipelines."""
    content = read_weights(paths[0])
    if not isinstance(content, dict) or "freq_encoder.0.conv.weight" not in content:
        raise ValueError(f"{paths[0]} is no Hybrid Demucs of torchaudio: it must hold the weights of freq_encoder")
    named = {_name(key): value for key, value in content.items()}
    own = {key: value for key, value in named.items() if not _UNUSED.match(key)}
    options = {"targets": list(about.targets), "sample_rate": about.sample_rate, "normalize": False}
    options["filters"], width = named["encoder.0.conv.weight"].shape[:2]
    options["channels"] = width // 2
    return Converted("hdemucs", options, own)


def _name(key: str) -> str:
    part = next((part for part in _PARTS if key.startswith(part)), "")
    return _PARTS.get(part, "") + key.removeprefix(part)
