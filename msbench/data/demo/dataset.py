"""The demo songs as a dataset that makes itself at first use."""

from __future__ import annotations

from collections.abc import Mapping

from msbench.data.demo.songs import MANIFEST, VERSION, write_demo
from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.system.bounded import read_json


class Demo(MUSDB18HQ):
    """The demo set: 14 short songs synthesized from a seed at first use, without a download.

    Raises:
        ValueError: If the folder holds the demo set of another version.
    """

    name = "demo"
    download = ""
    licence = "MIT, as msbench"
    verified = "its own songs"
    citation = "composed by msbench"
    rule = "8 songs to train on, 2 to validate, 4 to test"
    published: Mapping[str, int] = {"train": 8, "valid": 2, "test": 4}
    errata: Mapping[str, str] = {}
    sum_error_db: float | None = -60.0
    excerpts_allowed = True

    def prepare(self) -> None:
        self.version = str(VERSION)
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            # Two processes may get here at once: each writes under a temporary name, and the first one's rename counts.
            self.root.parent.mkdir(parents=True, exist_ok=True)
            write_demo(self.root)
            return
        manifest = self.root / MANIFEST
        try:
            found = read_json(manifest)["version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.root} is not the demo set, its {MANIFEST} is missing or broken: remove the folder, and the "
                "set is written again, or give another root"
            ) from error
        if found != VERSION:
            raise ValueError(
                f"{self.root} holds version {found} of the demo set and this msbench makes version {VERSION}: "
                "remove the folder, and the set is written again"
            )
