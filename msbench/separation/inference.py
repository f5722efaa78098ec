"""How a model is run over audio of any length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import torch

from msbench.model.separator import Separator
from msbench.separation.chunks import WINDOWS
from msbench.system.bounded import shown
from msbench.system.wording import choices

TTA = ("polarity", "swap")
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MOST_OVERLAP, MOST_SHIFTS = 0.95, 100


@dataclass(frozen=True)
class Inference:
    """How a model is run over audio of any length.

    Attributes:
        chunk_seconds: Length of the pieces that the model is given; one that cannot hold a stride of the model grows. A
            model whose `chunking` is "song" is given the whole, and one with `chunk_samples` pieces of that length.
        overlap: Share of a chunk that it has in common with the next, 0 to 0.95. Nothing to a model of whole songs.
        window: Weights of the samples of a chunk where several overlap, and how the ends of a song are handled; see
            `msbench.separation.chunks`. Nothing to a model of whole songs.
        shifts: If above 0, the song is separated that many times, each time behind another stretch of silence of up to
            half a second, and the estimates are averaged (the "shift trick" of demucs). The stretches are the same in
            each call.
        tta: Test-time augmentation. The song is separated once as it is and once for each name, and the estimates are
            averaged: `polarity` inverts the waveform, `swap` exchanges the two channels. Each is done for all shifts.
        precision: float32, or bf16 or fp16 by autocast.
        compile: Whether the model goes through `torch.compile`.
        batch_size: Chunks per call of the model; "auto" is what fits, see `msbench.separation.model_calls`.
        device: Where the model is moved to and runs; None leaves it where it is.

    Raises:
        TypeError: If a value is of another type.
        ValueError: If a value is out of its range, or torch knows no such device.
    """

    chunk_seconds: float = 10.0
    overlap: float = 0.25
    batch_size: int | Literal["auto"] = 1
    device: str | torch.device | None = None
    window: str = "crossfade"
    shifts: int = 0
    tta: tuple[str, ...] = ()
    precision: str = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.chunk_seconds < math.inf):
            raise ValueError(f"chunk_seconds must be above 0, not {self.chunk_seconds}")
        if not 0 <= self.overlap <= MOST_OVERLAP:
            raise ValueError(f"overlap is a share of a chunk between 0 and {MOST_OVERLAP}, not {self.overlap}")
        if self.batch_size != "auto" and not _is_whole(self.batch_size, least=1):
            raise ValueError(f"batch_size must be at least 1, or auto, not {shown(self.batch_size)}")
        if not _is_whole(self.shifts, least=0) or self.shifts > MOST_SHIFTS:
            raise ValueError(f"shifts must be a whole number from 0 to {MOST_SHIFTS}, not {shown(self.shifts)}")
        if not isinstance(self.compile, bool):
            raise TypeError(f"compile must be True or False, not {shown(self.compile)}")
        if isinstance(self.tta, str) or not isinstance(self.tta, Sequence):
            raise TypeError(f"tta must be a list of names, as ['swap'], not {shown(self.tta)}")
        _refuse_unknown("window", [self.window], WINDOWS)
        _refuse_unknown("precision", [self.precision], tuple(PRECISIONS))
        _refuse_unknown("tta", self.tta, TTA)
        # In one order, so that the order of the names makes no other result.
        object.__setattr__(self, "tta", tuple(name for name in TTA if name in self.tta))
        device = _device(self.device)
        if device is not None:
            refuse_precision(self.precision, device)

    @classmethod
    def of(cls, options: Mapping[str, Any], others: Sequence[str] = ()) -> Self:
        """From keywords, as `msbench.separate` takes them.

        Args:
            options: Fields by name.
            others: Names that the caller takes besides, for the message about an unknown one.

        Raises:
            TypeError: If a name is unknown.
            ValueError: As the constructor.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise TypeError(f"unknown option '{name}'. {choices(name, [*known, *others])}")
        return cls(**options)

    def within(self, ensemble: Separator) -> Inference:
        """How the models of an ensemble are run: in chunks of its length, where it has one and they do not."""
        if ensemble.chunk_samples is None:
            return self
        return replace(self, chunk_seconds=ensemble.chunk_samples / ensemble.sample_rate)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _refuse_unknown(field: str, given: Sequence[Any], known: Sequence[str]) -> None:
    for name in given:
        if not isinstance(name, str) or name not in known:
            raise ValueError(f"unknown {field} {shown(name)}. {choices(str(name), known)}")


def _device(name: str | torch.device | None) -> torch.device | None:
    try:
        device = None if name is None else torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"unknown device '{name}': it is cpu, cuda, or one of several as cuda:1") from error
    if device is None:
        return None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ValueError(f"no device {name}, torch sees {count or 'no'} GPUs: use another one or cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"no device {name}, torch sees no GPU of Apple: use another one or cpu")
    return device


def refuse_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that a device cannot compute at.

    Raises:
        ValueError: If it cannot.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ValueError("fp16 is a precision of GPUs, and the device is the CPU: use bf16 or float32")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ValueError(f"the GPU {torch.cuda.get_device_name(device)} cannot compute in bf16: use fp16 or float32")


DEFAULTS = Inference()
