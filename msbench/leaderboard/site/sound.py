"""What a board lets one hear: excerpts that evaluations kept, with spectrograms."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msbench.leaderboard.display import name
from msbench.leaderboard.site.encoding import script

if TYPE_CHECKING:
    from msbench.leaderboard.site.ranking import RankingPages

TOP_HERTZ = 16000
RANGE_DB = 80.0
WINDOW, HOP = 2048, 512
HEIGHT, WIDTH = 128, 480  # of a picture, in pixels
FILES = ("data/audio-", "data/sound-", "pictures/")  # how the names of a site's files begin that come from runs


class Sound:
    """The excerpts under a board's runs/, found by walking it: no name in a record becomes a path.

    Args:
        board: The board's folder.
        site: The folder of the new site; what is heard goes to data/, what is seen to pictures/.
    """

    def __init__(self, board: Path, site: Path) -> None:
        self._site = site
        self._pictures: dict[str, str] = {}
        self._folders: dict[tuple[str, str, str], Path] = {}  # (dataset, split, model) -> the excerpts of its first run
        for about in sorted(board.glob("runs/*/evaluation/excerpts/*/excerpts.json")):
            content = json.loads(about.read_text("utf-8"))
            key = (content["dataset"], content["split"], content["model"])
            self._folders.setdefault(key, about.parent)

    def of(self, ranking: RankingPages) -> dict[str, list[dict[str, Any]]]:
        """{track: what can be heard of it: label, target (None for the mixture), script of the sound, picture}."""
        heard: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {}
        for model in (row.model for row in ranking.ranking.rows):
            folder = self._folders.get((ranking.dataset, ranking.split, model))
            for about in [] if folder is None else sorted(folder.glob("*/excerpt.json")):
                track = name(about.parent.name)
                if about.parent.name in ranking.tracks:
                    self._add(heard.setdefault(track, {}), about, model, ranking.targets)
        return {track: sorted(entries.values(), key=lambda entry: entry["place"]) for track, entries in heard.items()}

    def _add(self, entries: dict[tuple[str, ...], dict[str, Any]], about: Path, model: str, targets: list[str]) -> None:
        excerpt = json.loads(about.read_text("utf-8"))
        files: list[tuple[str, tuple[str, ...], str | None, str, int]] = [("mixture", ("mixture",), None, "Mixture", 0)]
        for target in [target for target in excerpt["targets"] if target in targets]:
            files.append((f"reference.{target}", ("reference", target), target, f"Reference: {target}", 1))
            files.append((f"estimate.{target}", ("estimate", target, model), target, model, 2))
        for stem, key, target, label, place in files:
            path = about.parent / f"{stem}.mp3"
            if key not in entries and path.is_file():
                entries[key] = {
                    "label": name(label),
                    "target": None if target is None else name(target),
                    "place": place,
                    "start": excerpt["start"],
                    "seconds": excerpt["seconds"],
                    **self._published(path),
                }

    def _published(self, path: Path) -> dict[str, Any]:
        content = path.read_bytes()
        key = "audio-" + hashlib.sha256(content).hexdigest()[:16]
        if key not in self._pictures:
            encoded = base64.b64encode(content).decode()
            (self._site / "data" / f"{key}.js").write_text(script(key, encoded), "ascii")
            self._pictures[key] = self._picture(path, key)
        return {"audio": key, "picture": self._pictures[key], "hertz": TOP_HERTZ}

    def _picture(self, path: Path, key: str) -> str:
        import soundfile
        from matplotlib.image import imsave

        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        picture = f"pictures/{key.removeprefix('audio-')}.png"
        (self._site / "pictures").mkdir(exist_ok=True)
        imsave(
            self._site / picture, _levels(samples.mean(1), rate), cmap="magma", vmin=-RANGE_DB, vmax=0, origin="lower"
        )
        return picture


def _levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """dB below full scale, (HEIGHT, WIDTH), of 0 to TOP_HERTZ; what a low rate cannot hold is silent."""
    from scipy.signal import stft

    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    frequencies, _, spectrum = stft(padded, rate, nperseg=WINDOW, noverlap=WINDOW - HOP)
    power = np.abs(spectrum) ** 2
    edges = np.searchsorted(frequencies, np.linspace(0, TOP_HERTZ, HEIGHT + 1))
    columns = np.linspace(0, power.shape[1], WIDTH + 1).astype(int)
    rows = [power[a : max(b, a + 1)].max(axis=0, initial=0) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    level = np.stack(
        [np.stack(rows)[:, a : max(b, a + 1)].max(axis=1) for a, b in zip(columns[:-1], columns[1:], strict=True)], 1
    )
    decibels: np.ndarray = 10 * np.log10(level + 1e-12) + 20
    return decibels
