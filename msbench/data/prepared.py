"""What `data prepare` wrote: <split>/<track>/{mixture,<stem>...}.wav, and a list of it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msbench.data.dataset import PREPARED, Dataset
from msbench.data.song import Header
from msbench.data.track import MIXTURE, Stem, Track
from msbench.system.bounded import read_json
from msbench.system.names import LONGEST_FILE, plain_name

FORMAT = 1


class Prepared(Dataset):
    """A dataset decoded, mapped and resampled once; opened under the dataset's own name at the folder's path.

    Args:
        name: The dataset it must hold.
        root: The folder that `data prepare` wrote.

    Raises:
        ValueError: If the folder holds another dataset, or its list cannot be read.
        FileNotFoundError: If the folder or its list does not exist.
    """

    sum_error_db = None  # it was checked where it came from

    def __init__(self, name: str, root: str | Path) -> None:
        self.name = name
        super().__init__(root)
        self.contents = read_contents(self.root)
        if self.contents["dataset"] != name:
            held = self.contents["dataset"]
            raise ValueError(f"{self.root} holds '{held}', prepared, not '{name}': give it as the dataset '{held}'")
        self.version = self.contents["version"]
        self.sums = {target: tuple(parts) for target, parts in self.contents["sums"].items()}
        self.targets = (*self.contents["stems"], *self.sums)
        self.stem_map = self.contents["stem_map"]
        for field in ("licence", "citation", "rule", "download"):
            setattr(self, field, self.contents[field])  # as they were when it was prepared
        self.notes = list(self.contents["notes"])

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.contents["splits"])

    @property
    def manifest(self) -> Path:
        return self.root / PREPARED  # it has the hashes of all files

    def find_tracks(self, split: str) -> Iterable[Track]:
        return self.songs(split)

    def check(self, track: Track) -> None:
        """Compare the files' sizes with what was written; none is opened.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If one is not as large as it was written.
        """
        files = self.contents["splits"][track.split]["tracks"][track.name]["files"]
        for held, path in track.files.items():
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing: run `msbench data prepare` again")
            if (size := path.stat().st_size) != files[held]["bytes"]:
                raise ValueError(
                    f"{path} has {size} bytes, and {files[held]['bytes']} were written: run `msbench data prepare` "
                    "again"
                )

    def songs(self, split: str) -> Iterable[Track]:
        for name, track in self.contents["splits"][split]["tracks"].items():
            paths = {held: self.root / track["folder"] / file["file"] for held, file in track["files"].items()}
            stems: dict[str, Stem] = {stem: paths.get(stem, {}) for stem in self.stems}
            header = Header(*track["header"])
            yield Track(name, split, stems, mixture=paths.get(MIXTURE), sums=self.sums, header=header, prepared=True)

    def fingerprint(self, split: str) -> str:
        """The source's, where these are its very samples: scores on both rank together; else one of its own.

        Raises:
            ValueError: If the list does not have them.
        """
        own = super().fingerprint(split)
        known = self.contents["splits"][split]
        if not {"fingerprint", "source_fingerprint"} <= known.keys():
            raise _not_ours(self.manifest)
        same = own == known["fingerprint"] and self.contents["sample_rate"] is None
        return str(known["source_fingerprint"]) if same else own


def read_contents(root: Path) -> dict[str, Any]:
    """The list of a prepared folder.

    Raises:
        ValueError: If it cannot be read, another version of msbench wrote it, or a name in it is no plain name.
    """
    path = root / PREPARED
    try:
        contents: dict[str, Any] = read_json(path)
        ours = contents["format"] == FORMAT and _is_list(contents)
    except (ValueError, KeyError, TypeError, AttributeError):  # not UTF-8, not JSON, or JSON of another kind
        ours = False
    if not ours:
        raise _not_ours(path)
    for name in _names(contents):
        plain_name(name, f"{path}: the name", LONGEST_FILE)
    return contents


def _not_ours(path: Path) -> ValueError:
    return ValueError(f"{path} is not a list that this msbench wrote: run `msbench data prepare` again")


def _is_list(contents: dict[str, Any]) -> bool:
    """Whether the list has what is read of it; what is missing, or cannot be looked into, raises an error of Python."""
    for field in ("sample_rate", "licence", "citation", "rule", "download"):
        contents[field]
    tracks = [track for split in contents["splits"].values() for track in split["tracks"].values()]
    headers = [number for track in tracks for number in track["header"]]
    files = [(held, file) for track in tracks for held, file in track["files"].items()]
    return (
        isinstance(contents["dataset"], str)
        and isinstance(contents["version"], str)
        and isinstance(contents["stem_map"], dict)
        and isinstance(contents["notes"], list)
        and all(isinstance(parts, list) for parts in (contents["stems"], *contents["sums"].values()))
        and all(part in contents["stems"] for parts in contents["sums"].values() for part in parts)
        and all(len(track["header"]) == 3 and isinstance(track["folder"], str) for track in tracks)
        and all(type(number) is int and number > 0 for number in headers)
        and all(file["file"] == f"{held}.wav" and type(file["bytes"]) is int for held, file in files)
    )


def _names(contents: dict[str, Any]) -> Iterator[str]:
    """All that become parts of paths."""
    yield from (*contents["stems"], *contents["sums"], *contents["splits"])
    for split in contents["splits"].values():
        for name, track in split["tracks"].items():
            yield from (name, *track["files"], *track["folder"].split("/", 1))
