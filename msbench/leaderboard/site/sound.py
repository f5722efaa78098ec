"""What a board lets one hear: excerpts that evaluations kept, with spectrograms."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msbench.leaderboard.display import is_number, name
from msbench.leaderboard.files import FileWarning, check_inside, read_object
from msbench.leaderboard.site.encoding import script
from msbench.system.errors import is_bug, sentence

if TYPE_CHECKING:
    from msbench.leaderboard.site.ranking import RankingPages

TOP_HERTZ = 16000
RANGE_DB = 80.0
WINDOW, HOP = 2048, 512
HEIGHT, WIDTH = 128, 480  # of a picture, in pixels
MOST_SECONDS, MOST_CHANNELS, HIGHEST_RATE = 60, 2, 192_000  # of one excerpt
LARGEST = 4 * 2**20  # bytes of one excerpt; 8 s have some 200,000
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
        self.faults: list[str] = []
        self._runs = board / "runs"  # it may be a link to a larger disk; nothing may lead out of that
        for about in sorted(self._runs.glob("*/evaluation/excerpts/*/excerpts.json")):
            with self._faults_noted(about):
                content = read_object(self._runs, about)
                fields = [content.get(field) for field in ("dataset", "split", "model")]
                if not all(isinstance(field, str) for field in fields):
                    raise ValueError(f"{about} does not say of which dataset, split and model it is")
                self._folders.setdefault((str(fields[0]), str(fields[1]), str(fields[2])), about.parent)

    @contextlib.contextmanager
    def _faults_noted(self, place: Path) -> Iterator[None]:
        """What a run's excerpts lack keeps nobody from the pages: it is said, and cannot be heard."""
        try:
            yield
        except (ValueError, OSError) as error:
            if is_bug(error):
                raise
            self.faults.append(sentence(error).replace(f"{self._runs.parent}/", ""))
            warnings.warn(f"{sentence(error)}; {place.parent.name} cannot be heard", FileWarning, stacklevel=4)

    def of(self, ranking: RankingPages) -> dict[str, list[dict[str, Any]]]:
        """{track: what can be heard of it: label, target (None for the mixture), script of the sound, picture}."""
        heard: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {}
        for model in (row.model for row in ranking.ranking.rows):
            folder = self._folders.get((ranking.dataset, ranking.split, model))
            for about in [] if folder is None else sorted(folder.glob("*/excerpt.json")):
                track = name(about.parent.name)
                if about.parent.name in ranking.tracks:
                    with self._faults_noted(about):
                        self._add(heard.setdefault(track, {}), about, model, ranking.targets)
        return {
            track: sorted(entries.values(), key=lambda entry: entry["place"])
            for track, entries in heard.items()
            if entries
        }

    def _add(self, entries: dict[tuple[str, ...], dict[str, Any]], about: Path, model: str, targets: list[str]) -> None:
        excerpt = read_object(self._runs, about)
        listed, times = excerpt.get("targets"), [excerpt.get("start"), excerpt.get("seconds")]
        if not isinstance(listed, list) or not all(is_number(value) for value in times):
            raise ValueError(f"{about} does not say targets, start and seconds")
        files: list[tuple[str, tuple[str, ...], str | None, str, int]] = [("mixture", ("mixture",), None, "Mixture", 0)]
        for scored in [scored for scored in targets if scored in listed]:
            files.append((f"reference.{scored}", ("reference", scored), scored, f"Reference: {scored}", 1))
            files.append((f"estimate.{scored}", ("estimate", scored, model), scored, model, 2))
        for stem, key, target, label, place in files:
            path = about.parent / f"{stem}.mp3"
            if key not in entries and path.is_file():
                check_inside(about.parent, path)
                entries[key] = {
                    "label": name(label),
                    "target": None if target is None else name(target),
                    "place": place,
                    "start": times[0],
                    "seconds": times[1],
                    **self._published(path),
                }

    def _published(self, path: Path) -> dict[str, Any]:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} is larger than {LARGEST / 2**20:.0f} MiB: it is no excerpt")
        content = path.read_bytes()
        key = "audio-" + hashlib.sha256(content).hexdigest()[:16]
        if key not in self._pictures:
            self._pictures[key] = self._picture(path, key)
            encoded = base64.b64encode(content).decode()
            (self._site / "data" / f"{key}.js").write_text(script(key, encoded), "ascii")
        return {"audio": key, "picture": self._pictures[key], "hertz": TOP_HERTZ}

    def _picture(self, path: Path, key: str) -> str:
        import soundfile
        from matplotlib.image import imsave

        try:
            with soundfile.SoundFile(path) as file:  # of silence, 4 MiB of FLAC may hold years
                if file.channels > MOST_CHANNELS or file.samplerate > HIGHEST_RATE:
                    raise ValueError(f"{path} has {file.channels} channels at {file.samplerate} Hz: it is no excerpt")
                rate, most = file.samplerate, MOST_SECONDS * file.samplerate
                samples = file.read(most + 1, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise ValueError(f"{path} is no MP3 that can be read: evaluate the model again") from error
        if len(samples) > most:
            raise ValueError(f"{path} is longer than {MOST_SECONDS} s: it is no excerpt")
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
