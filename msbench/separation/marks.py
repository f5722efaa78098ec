"""How a stem says what it was made with and from, so that a command that was stopped knows what it has done.

A comment in the file ends with a digest of the model's weights and options, of how it was run, of what is written and
of the input. The names of stems are no part of it, nor is what changes no sample: the device and the batch size.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, fields
from pathlib import Path

import soundfile
import torch

from msbench.model.separator import Separator
from msbench.public import VERSION
from msbench.separation.inference import Inference
from msbench.separation.output import Output
from msbench.system.files import sha256_of

_MARK = re.compile(r"\[([0-9a-f]{16})\]$")


class Marks:
    """The marks of one call.

    Args:
        model: With its weights.
        name: Of the model, for people.
        inference: How the model is run.
        output: What is written.
    """

    def __init__(self, model: Separator, name: str, inference: Inference, output: Output) -> None:
        self.inference, self.output = inference, output
        registered = model.registered or {"name": type(model).__qualname__}
        # Of how it is run, what differs from the defaults: a later version may have further fields.
        run = {
            field.name: value
            for field in fields(inference)
            if field.name not in ("device", "batch_size") and (value := getattr(inference, field.name)) != field.default
        }
        written = {key: value for key, value in asdict(output).items() if key != "name"}
        self._digest = hashlib.sha256(json.dumps([registered, run, written], sort_keys=True, default=str).encode())
        for key, weight in sorted(model.state_dict().items()):
            self._digest.update(f"{key} {weight.dtype} {tuple(weight.shape)}".encode())
            self._digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        self._words = f"separated by msbench {VERSION} with {name}"

    def comment(self, song: Path) -> str:
        """What the stems of a song say."""
        return f"{self._words} [{self._mark(song)}]"

    def are_on(self, song: Path, files: list[Path]) -> list[bool]:
        """Which of these files are stems that this call would write of the song."""
        found = [mark_of(file) for file in files]
        mark = self._mark(song) if any(found) else None
        return [each is not None and each == mark for each in found]

    def _mark(self, song: Path) -> str:
        digest = self._digest.copy()
        digest.update(sha256_of(song).encode())
        return digest.hexdigest()[:16]


def mark_of(file: Path) -> str | None:
    """The mark on a file; None where it has none, or is no audio."""
    if not file.is_file():
        return None
    try:
        with soundfile.SoundFile(file) as audio:
            found = _MARK.search(audio.comment)
    except (OSError, soundfile.SoundFileError):
        return None
    return None if found is None else found[1]
