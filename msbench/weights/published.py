"""Published weights as a checkpoint, which is what the rest of msbench knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench import records, registry
from msbench.model.checkpoints import Checkpoint
from msbench.model.separator import Separator
from msbench.system.errors import is_bug, sentence
from msbench.system.files import sha256_of
from msbench.weights import catalogue, fetching
from msbench.weights.bag import Bag
from msbench.weights.catalogue import Weights
from msbench.weights.reading import Converted, plain_state


@dataclass(frozen=True, kw_only=True)
class Published(Checkpoint):
    """Weights that others trained.

    Files that are not the publisher's, by their hashes, are of their format alone: nothing is known of their training.

    Attributes:
        about: What the catalog says of them.
        parts: The models whose estimates are averaged, where there are several; `weights` is None then.
    """

    about: Weights
    parts: tuple[Checkpoint, ...] = ()

    def separator(self, **options: Any) -> Separator:
        if not self.parts:
            return super().separator(**options)
        members = [part.separator(**options) for part in self.parts]
        for member, part in zip(members, self.parts, strict=True):
            member.origin = {"name": part.name, "sha256": part.sha256, "licence": None, "training": None}
        return Bag(members, self.about.mix, self.about.chunk_seconds)


def load(weights: Weights | str, files: Sequence[str | Path] | None = None) -> Published:
    """Read published weights; nothing is fetched.

    Args:
        weights: What the catalog says, or a name in it.
        files: Where the files are, in the catalog's order; in the cache when None.

    Raises:
        KeyError: If there are no weights of this name.
        FileNotFoundError: If a file is not there; the message says where it is to be had.
        ValueError: If a file cannot be read, or those of the cache are not the publisher's.
        ImportError: If the package that brought the weights is broken.
    """
    about = catalogue.find(weights) if isinstance(weights, str) else weights
    paths = fetching.require(about) if files is None else [Path(file) for file in files]
    if len(paths) != len(about.files):
        names = ", ".join(file.name for file in about.files)
        raise ValueError(f"the weights '{about.name}' are {len(about.files)} files, in this order: {names}")
    hashes = [_hash(path) for path in paths]
    same = [file.is_published(found) for file, found in zip(about.files, hashes, strict=True)]
    for path, file, found, is_same in zip(paths, about.files, hashes, same, strict=True):
        if files is None and not is_same:
            raise ValueError(
                f"{path} is not the publisher's file: its SHA-256 is {found}, and the publisher's "
                f"{file.hash_words.removeprefix('SHA-256 ')}: delete it, then msbench weights get {about.name}"
            )
    groups = [[path] for path in paths] if about.mix else [paths]
    parts = [_part(about, group, sha256) for group, sha256 in zip(groups, hashes, strict=False)]
    whole = hashes[0] if len(hashes) == 1 else records.digest(hashes)
    known: dict[str, Any] = {"path": paths[0], "sha256": whole, "about": about, "ema": None}
    of_cache = paths == fetching.paths_of(about)
    if all(same) and (of_cache or all(file.sha256 is not None for file in about.files)):
        known |= {"weights_name": about.name, "licence": about.licence}
        known["training"] = None if about.trained_on is None else about.trained_on.facts()
    if not about.mix:
        return Published(name=parts[0].name, options=parts[0].options, weights=parts[0].weights, **known)
    members = [{"model": part.name, "options": part.options} for part in parts]
    options = {"members": members, "mix": [list(row) for row in about.mix], "chunk_seconds": about.chunk_seconds}
    return Published(name="bag", options=options, parts=tuple(parts), **known)


def _hash(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: correct the path")
    return sha256_of(path)


def _part(about: Weights, paths: Sequence[Path], sha256: str) -> Checkpoint:
    """One model of the files."""
    read = registry.load("weights", about.family)
    try:
        model, options, state = read(paths, about)
    except (ValueError, KeyError, TypeError, LookupError) as error:
        if is_bug(error):
            raise
        raise ValueError(f"the weights '{about.name}' cannot be read: {sentence(error)}") from error
    return Checkpoint(
        path=paths[0],
        sha256=sha256,
        name=model,
        options={**options, **about.options},
        weights=plain_state(state, str(paths[0])),
    )


def own_checkpoint(paths: Sequence[Path], about: Weights) -> Converted:
    """The function of a family whose files are checkpoints of `msbench fit`."""
    held = Checkpoint.read(paths[0])
    return Converted(held.name, held.options, held.weights or {})
