"""What is written of a song: which stems, in which format, under which names."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msbench.audio.formats import FORMATS, Format
from msbench.system.names import plain_name
from msbench.system.wording import choices

CLIPS = ("none", "clamp", "rescale")
_FIELDS = ("track", "target", "model")


@dataclass(frozen=True)
class Output:
    """What is written of a song.

    Attributes:
        format: wav32f holds every sample as it is; wav16, wav24 and flac (24 bits) cut beyond full scale; mp3 (320
            kbit/s) and ogg (Vorbis, quality 8) lose something.
        clip: What is done to a song whose stems go beyond full scale. none: nothing, the format cuts it or holds it.
            clamp: it is cut, in every format. rescale: all stems of the song are turned down by one factor, so that
            they keep their balance and the loudest peak is full scale.
        name: Of a file within the folder, without its ending; {track} keeps the folders of an input in a folder.
        residual: Name of one more stem, the mixture less all estimates; None writes none.
        two_stems: A target that is written with all the rest of the mixture, in place of the model's stems.

    Raises:
        ValueError: If a value is none of these, or a name cannot name a file.
    """

    format: str = "wav32f"
    clip: str = "none"
    name: str = "{track}/{target}"
    residual: str | None = None
    two_stems: str | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("format", self.format, FORMATS), ("clip", self.clip, CLIPS)):
            if value not in known:
                raise ValueError(f"unknown {what} '{value}'. {choices(value, list(known))}")
        if self.residual is not None:
            plain_name(self.residual, "the residual")
        if self.residual is not None and self.two_stems is not None:
            raise ValueError("the residual of two stems is silence, as they add up to the mixture: give one of the two")
        _check_name(self.name)

    @property
    def kind(self) -> Format:
        """The format, as libsndfile knows it."""
        return FORMATS[self.format]

    def stems(self, targets: Sequence[str]) -> list[str]:
        """Names of what is written of a model's targets.

        Raises:
            ValueError: If the model has no such target, or one of the residual's name.
        """
        if self.two_stems is not None:
            if self.two_stems not in targets:
                raise ValueError(f"the model has no target '{self.two_stems}'. {choices(self.two_stems, targets)}")
            return [self.two_stems, f"no_{self.two_stems}"]
        if self.residual in targets:
            raise ValueError(f"the residual cannot be named '{self.residual}', as a target is: give it another name")
        return [*targets] if self.residual is None else [*targets, self.residual]

    def parts(self, mixture: np.ndarray, estimates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is written of estimates {target: (C, frames)} and their mixture (C, frames)."""
        if self.two_stems is not None:
            return dict(zip(self.stems([*estimates]), shared_out(mixture, estimates[self.two_stems]), strict=True))
        if self.residual is not None:
            rest = mixture - sum(estimate.astype(np.float64) for estimate in estimates.values())
            return {**estimates, self.residual: rest.astype(np.float32)}
        return dict(estimates)

    def paths(self, folder: Path, place: Path, model: str, targets: Sequence[str]) -> dict[str, Path]:
        """The files of a song.

        Args:
            folder: That all are in.
            place: The song's own name, with the folders that it keeps.
            model: Its name.
            targets: Of the model.

        Raises:
            ValueError: If a stem or the model has a name that cannot name a file.
        """
        fields = {"track": str(place), "model": plain_name(model, "the model")}
        stems = [plain_name(stem, "the target") for stem in self.stems(targets)]
        names = {stem: self.name.format(target=stem, **fields) for stem in stems}
        return {stem: folder / f"{name}.{self.kind.extension}" for stem, name in names.items()}


def shared_out(mixture: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An estimate and the rest of its mixture, as float32 that add up to it again.

    Both are rounded to one step, that of float32 at the largest of the three. A mixture of whole steps is met exactly:
    any of 16 or 24 bits within full scale, as long as no estimate reaches 6 dB above that. Any other is met to half
    a step.
    """
    exact, wanted = mixture.astype(np.float64), estimate.astype(np.float64)
    largest = np.maximum(np.maximum(np.abs(exact), np.abs(wanted)), np.abs(exact - wanted))
    step = np.ldexp(1.0, np.frexp(largest)[1] - 24)
    rest = np.rint((exact - wanted) / step) * step
    return (exact - rest).astype(np.float32), rest.astype(np.float32)


def _check_name(name: str) -> None:
    try:
        fields = [tuple(parts) for _, *parts in string.Formatter().parse(name) if parts[0] is not None]
    except ValueError:
        fields = []
    if ("target", "", None) not in fields or any(field not in [(f, "", None) for f in _FIELDS] for field in fields):
        raise ValueError(f"the name '{name}' must hold {{target}}, and of other fields only {{track}} and {{model}}")
    for part in name.format(track="t", target="t", model="m").split("/"):
        plain_name(part, f"a part of the name '{name}'")
