"""Stem maps: which instruments of a multitrack recording make up which target, declared in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from msbench.data.dataset import Dataset
from msbench.data.track import FileOrChannel
from msbench.system.errors import sentence
from msbench.system.names import plain_name
from msbench.system.yaml_files import read_yaml

FILE = "stem_map.yaml"  # in a dataset's folder, it stands in for the map that comes with msbench
PACKAGED = Path(__file__).parent / "maps"

_KEYS = ("targets", "rest", "sums", "options")


@dataclass(frozen=True)
class StemMap:
    """Targets, each with the labels that belong to it.

    Attributes:
        targets: Target -> patterns of labels, `*` standing for anything, upper and lower case alike. The first
            target with a pattern that fits has the label.
        rest: The target of every label that fits none; None makes such a label an error.
        sums: Further targets, each the sum of the targets named.
        options: What else the dataset reads from its map.
        path: Where it was read.
    """

    targets: dict[str, tuple[str, ...]]
    rest: str | None = None
    sums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def stems(self) -> tuple[str, ...]:
        """The targets that labels are mapped to, in the map's order."""
        return tuple(dict.fromkeys((*self.targets, *((self.rest,) if self.rest else ()))))

    def target_of(self, *labels: str) -> str:
        """The target of a recording with these labels: the one that all share, or else the rest.

        Raises:
            ValueError: If a label belongs to no target, and there is no rest.
        """
        found = {self._target(label) for label in labels or ("",)}
        if len(found) == 1:
            return found.pop()
        if self.rest is None:
            raise ValueError(f"{self.path} has no target for {' with '.join(labels)} in one file: add a rest")
        return self.rest

    def _target(self, label: str) -> str:
        for target, patterns in self.targets.items():
            if any(fnmatchcase(label.casefold().strip(), pattern) for pattern in patterns):
                return target
        if self.rest is None:
            raise ValueError(f"{self.path} has no target for '{label}': name it under a target, or add a rest")
        return self.rest


def read_stem_map(path: Path) -> StemMap:
    """Read a map from YAML: targets, and if need be rest, sums and options.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a map.
    """
    example = "targets: {vocals: [male singer, '*rapper'], drums: [drum set]}, and rest: other"
    try:
        content = read_yaml(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no stem map {path}: correct the path") from error
    except ValueError as error:
        raise ValueError(f"{sentence(error)}: write {example}") from error
    if not isinstance(content, dict) or not isinstance(content.get("targets"), dict) or not content["targets"]:
        raise ValueError(f"{path} is not a stem map: write {example}")
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise ValueError(f"{path} has an unknown key '{unknown[0]}': a stem map has {', '.join(_KEYS)}")
    for key in ("sums", "options"):
        if not isinstance(content.get(key) or {}, dict):
            raise ValueError(f"{path}: '{key}' is no table of names: write {example}")
    for name in (*content["targets"], *(content.get("sums") or {}), *filter(None, [content.get("rest")])):
        plain_name(name, f"{path}: the target")
    lists = {**content["targets"], **(content.get("sums") or {})}
    for name, labels in lists.items():
        if not isinstance(name, str) or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
            raise ValueError(f"{path}: '{name}' needs a list of names: write {example}")
    targets = {name: tuple(label.casefold().strip() for label in labels) for name, labels in content["targets"].items()}
    sums = {name: tuple(parts) for name, parts in (content.get("sums") or {}).items()}
    made = StemMap(targets, content.get("rest"), sums, content.get("options") or {}, path)
    for name, parts in sums.items():
        missing = [part for part in parts if part not in made.stems]
        if missing or name in made.stems:
            raise ValueError(
                f"{path}: the sum '{name}' must have a name of its own and add up some of {', '.join(made.stems)}"
            )
    return made


class MappedDataset(Dataset):
    """Base of the datasets of multitrack recordings; their targets are those of a stem map.

    Args:
        root: The dataset's folder.
        stem_map: A YAML file; when not given, stem_map.yaml in the root, or else the one that comes with msbench.

    Raises:
        ValueError: If the root is a file, or the stem map is none.
    """

    takes_stem_map = True
    mix: str = ""  # set where the stems are not mixed at the levels of their files: what that mix is called

    def __init__(self, root: str | Path | None = None, stem_map: str | Path | None = None) -> None:
        super().__init__(root)
        if not self.root.is_dir():
            raise self.without_tracks()
        own = self.root / FILE
        packaged = PACKAGED / f"{self.name}.yaml"
        self.map = read_stem_map(Path(stem_map) if stem_map else own if own.is_file() else packaged)
        self.targets = (*self.map.stems, *self.map.sums)
        self.sums = self.map.sums
        self.stem_map = {
            "targets": {target: list(labels) for target, labels in self.map.targets.items()},
            "rest": self.map.rest,
            "options": self.map.options,
        }

    def fingerprinted(self, split: str) -> Iterable[tuple[str, Path]]:
        """As of any dataset; stems mixed otherwise are other data, though their files are the same."""
        for role, path in super().fingerprinted(split):
            yield (f"{role} {self.mix}" if self.mix else role), path

    def label_stems(
        self, labelled: Mapping[FileOrChannel, tuple[str, ...]], gains: Mapping[FileOrChannel, float] | None = None
    ) -> dict[str, dict[FileOrChannel, float]]:
        """The stems of a track from the labels of its recordings.

        Args:
            labelled: {recording: its labels}.
            gains: {recording: what it is multiplied by}, where that is not one.

        Returns:
            {target: {recording: gain}}, of which it is the sum; a target without recordings is silent.
        """
        stems: dict[str, dict[FileOrChannel, float]] = {stem: {} for stem in self.stems}
        for source, labels in labelled.items():
            stems[self.map.target_of(*labels)][source] = (gains or {}).get(source, 1.0)
        return stems


def read_metadata(path: Path) -> dict[str, Any]:
    """A track's metadata.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no YAML table.
    """
    try:
        content = read_yaml(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no metadata {path}: restore the file, or remove the track's folder") from error
    except ValueError as error:
        raise ValueError(f"{sentence(error)}: download it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no metadata: download it again")
    return content


def metadata_stems(path: Path, metadata: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The stems that a track's metadata lists, (key, what is said of it) in the order of their keys.

    Raises:
        ValueError: If `stems` is no table of tables.
    """
    stems = metadata.get("stems") or {}
    if not isinstance(stems, dict) or not all(isinstance(stem, dict) for stem in stems.values()):
        raise ValueError(f"{path} does not list stems as it should, each with its own table: download it again")
    return sorted(((str(key), stem) for key, stem in stems.items()), key=lambda item: item[0])
