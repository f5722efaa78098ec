"""How a model is run over audio of any length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch

from msbench.system.wording import choices


@dataclass(frozen=True)
class Inference:
    """How a model is run over audio of any length.

    Attributes:
        chunk_seconds: Length of the pieces that the model is given; one that cannot hold a stride of the model grows. A
            model whose `chunking` is "song" is given the whole, and one with `chunk_samples` pieces of that length.
        overlap: Share of a chunk that it has in common with the next, 0 to 0.5. A quarter of the overlap at each side
            is left out of the estimate, so a model that looks at most that far gives what it gives on the whole.
        batch_size: Chunks per call of the model.
        device: Where the model is moved to and runs; None leaves it where it is.

    Raises:
        ValueError: If a value is out of its range, or torch knows no such device.
    """

    chunk_seconds: float = 10.0
    overlap: float = 0.25
    batch_size: int = 1
    device: str | torch.device | None = None

    def __post_init__(self) -> None:
        if not (0 < self.chunk_seconds < math.inf):
            raise ValueError(f"chunk_seconds must be above 0, not {self.chunk_seconds}")
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"overlap is a share of a chunk between 0 and 0.5, not {self.overlap}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}")
        try:
            device = None if self.device is None else torch.device(self.device)
        except RuntimeError as error:
            raise ValueError(f"unknown device '{self.device}': it is cpu, cuda, or one of several as cuda:1") from error
        if device is not None and device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise ValueError(f"no device {self.device}, torch sees {count or 'no'} GPUs: use another one or cpu")

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


DEFAULTS = Inference()
