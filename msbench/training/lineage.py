"""Where a run's weights come from: its settings, what they were, and the weights that it began with."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from msbench.model.checkpoints import Checkpoint
from msbench.model.fitting import Fitting
from msbench.model.separator import Separator
from msbench.records.schema import schema
from msbench.system.bounded import shown
from msbench.system.errors import one_line

_LISTED = 500  # weights that did not fit; a checkpoint's words on its run are bounded
_UNLABELLED = " (unlabelled)"  # ends the name of a folder of songs without stems (msbench.data.loading.module)


@dataclass(frozen=True)
class Change:
    """A setting that was another one before a run went on."""

    field: str
    before: Any
    after: Any
    step: int | None


@dataclass(frozen=True)
class Lineage:
    """How the weights of a run came about, for its checkpoints.

    Attributes:
        settings: All that have a part in the weights.
        initial: Of the weights that the run began with: `sha256` of their checkpoint, and what `training` it says; None
            where the run began with random ones. Where only those were taken that fit, also how many were `taken` and
            `left`, and what is said of the first `others`.
        changed: Settings that changed when the run went on, as {field, before, after, step}.
    """

    settings: dict[str, Any] | None = None
    initial: dict[str, Any] | None = None
    changed: Sequence[dict[str, Any]] = ()

    @classmethod
    def begun_from(
        cls, settings: dict[str, Any], initial: Checkpoint | None, fitting: Fitting | None = None
    ) -> Lineage:
        """Of a new run; with what was taken of the weights that it began with, where not all were."""
        if initial is None:
            return cls(settings)
        known: dict[str, Any] = {"sha256": initial.sha256, "training": initial.training}
        if fitting is not None:
            others = [one_line(other) for other in fitting.others[:_LISTED]]
            known |= {"taken": len(fitting.taken), "left": len(fitting.others), "others": others}
        return cls(settings, known)

    @classmethod
    def resumed(cls, settings: dict[str, Any], held: Checkpoint, changes: Sequence[Change]) -> Lineage:
        """Of a run that goes on from its checkpoint."""
        known = held.run or {}
        initial, earlier = known.get("initial"), known.get("changed") or []
        if initial is not None:  # also where it was left out of the call, as a run that goes on needs it no more
            settings = {**settings, "init_from": initial["sha256"]}
            if "others" in initial:
                settings["init_strict"] = False
        return cls(settings, initial, [*earlier, *(asdict(change) for change in changes)])

    def stored(self) -> dict[str, Any]:
        """What a checkpoint holds under `checkpoint_file.RUN`."""
        return {"settings": self.settings, "initial": self.initial, "changed": list(self.changed)}

    def training(self, own: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What the weights have learned from, as a record says it; that of the initial ones is part of it."""
        known = None if own is None else dict(own)
        if self.initial is not None:
            known = joined(self.initial["training"], own) | {"initialized_from": self.initial["sha256"]}
        if self.changed and known is not None:
            known["changed"] = [_published(change) for change in self.changed]
        return known

    def comments(self) -> str:
        """The same for those who read `config.yaml`."""
        lines = []
        for each in self.changed:
            before, after = shown(each["before"]), shown(each["after"])
            lines.append(f"# changed at step {each['step']}: {each['field']} from {before} to {after}\n")
        if self.initial is not None:
            begun = [f"# begun from the weights of a checkpoint with SHA-256 {self.initial['sha256']}\n"]
            if "others" in self.initial:
                taken, left = (self.initial[key] for key in ("taken", "left"))
                begun.append(f"# {taken} of them were taken; what did not fit, {left} in all:\n")
                begun += [f"#   {one_line(line)}\n" for line in self.initial["others"]]
            lines = begun + lines
        return "".join(lines)


def load_initial(initial: Checkpoint, separator: Separator, strict: bool = True) -> tuple[Checkpoint, Fitting | None]:
    """Give a model the weights that its run begins with; their average, where the checkpoint holds one.

    Args:
        initial: The checkpoint.
        separator: The model.
        strict: Whether all have to fit; else those are taken that do, of another model or other targets too.

    Returns:
        The checkpoint without its weights, which would take memory for as long as the run lasts; and what was taken of
        them, where not all had to fit.

    Raises:
        ValueError: If they do not fit the model, are for other targets, or come with words on their training that no
            record can hold.
    """
    assert separator.registered is not None, "built by the command line"
    before, asked = (each.get("targets") for each in (initial.options, separator.registered["options"]))
    if not strict:
        fitting = initial.load_fitting(separator)
        _refuse_damaged(initial)
        aims = [f"the file is for the targets {shown(before)}, not {shown(asked)}"] if before != asked else []
        return replace(initial, weights=None), replace(fitting, others=[*aims, *fitting.others])
    if before != asked:  # of the same number, they would fit, and each output would begin as another instrument's
        raise ValueError(
            f"{initial.path} is for the targets {shown(before)}, not {shown(asked)}: init_from needs the same targets "
            "in the same order, or init_strict false"
        )
    initial.load_into(separator)
    _refuse_damaged(initial)
    return replace(initial, weights=None), None


def _refuse_damaged(initial: Checkpoint) -> None:
    if initial.training is not None and not _is_training(initial.training):  # found when it is saved, an epoch is lost
        raise ValueError(f"{initial.path} is damaged: what it says of its training is not what `msbench fit` writes")


def _is_training(content: Any) -> bool:
    from jsonschema import Draft202012Validator  # takes longer to import than most commands run

    unknown = {"data": "unknown"}  # which of its values it is follows from what is scored
    part = schema()["properties"]["training"]
    return isinstance(content, dict) and Draft202012Validator(part).is_valid(unknown | content)


def joined(earlier: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """What weights have learned from that were trained twice.

    The tracks and hours of different datasets are summed. Datasets of one name are taken for the same tracks, which
    count once. Where the two parts share some datasets alone, the counts cannot be told: they are None.

    Args:
        earlier: The training of the weights that the second one began with; None if unknown.
        own: The second one.
    """
    first, second = dict(earlier or {}), dict(own or {})
    if not first.get("datasets") or not second.get("datasets"):
        return {"datasets": None, "tracks": None, "hours": None, "dropped": _dropped(first, second)}
    names = [*first["datasets"], *(name for name in second["datasets"] if name not in first["datasets"])]
    made = {"datasets": names, "dropped": _dropped(first, second)}
    for key, unlabelled in (("tracks", False), ("hours", False), ("unlabelled_hours", True)):
        parts = [(_named(each, unlabelled), each.get(key)) for each in (first, second)]
        if key != "unlabelled_hours" or any(value is not None for _, value in parts):
            made[key] = _count(*parts)
    return made


def _named(training: Mapping[str, Any], unlabelled: bool) -> set[str]:
    return {name for name in training["datasets"] if name.endswith(_UNLABELLED) == unlabelled}


def _count(first: tuple[set[str], Any], second: tuple[set[str], Any]) -> Any:
    if not first[0] or not second[0]:
        return first[1] if first[0] else second[1]
    if first[1] is None or second[1] is None:
        return None
    if not first[0] & second[0]:
        return round(first[1] + second[1], 4)
    nested = first[0] <= second[0] or second[0] <= first[0]
    return max(first[1], second[1]) if nested else None


def _dropped(*trainings: Mapping[str, Any]) -> list[dict[str, Any]]:
    tracks = {(each["split"], each["track"]): each for one in trainings for each in one.get("dropped") or []}
    return [tracks[key] for key in sorted(tracks)]


def _published(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change as records tell it, which are published: without values that may hold a path of this machine."""
    plain = all(_plain(change[key]) for key in ("before", "after"))
    return dict(change) if plain else {key: change[key] for key in ("field", "step")}


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return os.sep not in value
    return value is None or (isinstance(value, bool | int | float) and math.isfinite(value))
