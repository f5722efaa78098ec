"""MUSDB18 as published in 2017: songs as stem.mp4, decoded once into WAV files that are read from then on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.song import Header, Song, Waves
from msbench.data.track import MIXTURE, Track
from msbench.data.upkeep.prepare import plan
from msbench.system.visible import is_visible

SUFFIX = ".stem.mp4"
STREAMS = (MIXTURE, "drums", "bass", "other", "vocals")  # in the order of the file

_BROKEN = "{} is corrupt, ffmpeg cannot decode it: download it again"
_MISSING_SHARE = 0.01  # of the frames the container promises, that a decoder may hold back at the ends


class MUSDB18(MUSDB18HQ):
    """MUSDB18 (Rafii et al. 2017): the 150 songs of MUSDB18-HQ as AAC at 256 kb/s, bandwidth 16 kHz.

    Each song is decoded through musdb, as 16-bit WAV, by `msbench data prepare` or when its split is first asked for;
    an interrupted run goes on with the songs that are left. The mixture is coded apart from its stems and so only
    nearly their sum. 150 songs take 25 GB.

    Args:
        root: Folder of train/ and test/ with *.stem.mp4.
        cache: Folder for the decoded songs; $MSBENCH_CACHE/musdb18, or <root>-wav next to the root, when not given.
        progress: Called with (songs decoded, songs to decode); None shows a bar on a terminal.

    Raises:
        FileNotFoundError: If the root does not exist.
    """

    name = "musdb18"
    verified = "a track of sigsep/sigsep-mus-eval's tests"
    download = "https://zenodo.org/records/1117372"
    layout = "{train,test}/*.stem.mp4"
    citation = 'Rafii et al., "The MUSDB18 corpus for music separation", 2017, doi:10.5281/zenodo.1117372'
    sum_error_db: float | None = -15.0  # the mixture is coded apart from its stems

    def __init__(
        self,
        root: str | Path | None = None,
        cache: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(root)
        if cache is None:
            source = self.root.resolve()
            elsewhere = os.environ.get("MSBENCH_CACHE")
            cache = Path(elsewhere, self.name) if elsewhere else source.with_name(f"{source.name}-wav")
        self.cache = Path(cache).expanduser()
        self._progress = progress

    def entries(self, folder: Path) -> list[Path]:
        found = sorted(path for path in folder.glob(f"*{SUFFIX}") if is_visible(path.name))
        if not found and any(folder.glob("*/mixture.wav")):
            raise ValueError(f"{folder} holds folders of WAV, not *{SUFFIX} files: it is the dataset 'musdb18hq'")
        return found

    def track_name(self, entry: Path) -> str:
        return entry.name.removesuffix(SUFFIX)

    def songs(self, split: str) -> Iterable[Song]:
        return [StemFile(path, split) for path in self.members(split)]

    def find_tracks(self, split: str) -> Iterable[Track]:
        """Decode what has not been decoded yet (as `msbench data prepare` does), then the tracks of the cache.

        Raises:
            FileNotFoundError: If something is to be decoded and ffmpeg is not installed.
            ValueError: If a file is corrupt.
            OSError: If the cache cannot be written, a full disk for one.
        """
        prepared = plan(self, self.cache, splits=[split], hashes=False).run(progress=self._progress)
        return prepared.find_tracks(split)

    def fingerprinted(self, split: str) -> Iterable[tuple[str, Path]]:
        """The stem files themselves: what a decoder makes of them may differ in a last bit between its versions."""
        return [(self.track_name(path), path) for path in self.members(split)]


class StemFile:
    """One song as a stem.mp4, which must be decoded to be a track."""

    stems = STREAMS[1:]

    def __init__(self, path: Path, split: str) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self.split = split

    @property
    def files(self) -> dict[str, Path]:
        return {"stems": self.path}

    def estimated_bytes(self, sample_rate: int | None) -> int:
        """From the lengths that the file states."""
        _, info = _opened(self.path)
        width = 2 if sample_rate in (None, 44100) else 4
        return int(sum(info.duration_streams) * (sample_rate or 44100) * 2 * width)

    def waves(self) -> Waves:
        """Its five streams, decoded.

        Raises:
            ValueError: If the file is corrupt, cut short or has not five streams.
            FileNotFoundError: If ffmpeg is not installed.
        """
        streams, sample_rate = _streams(self.path)
        frames = min(len(samples) for samples in streams.values())

        def read(name: str, start: int, count: int) -> np.ndarray:
            return streams[name][start : start + count].T * np.float32(1 / 32768)

        header = Header(sample_rate, streams[MIXTURE].shape[1], frames)
        return Waves(header, dict.fromkeys(streams, "PCM_16"), read)


def _opened(source: Path) -> tuple[Any, Any]:
    """(musdb's track, what its file says of itself), its five streams counted."""
    for tool in ("ffmpeg", "ffprobe"):  # musdb needs both, and asks for them when it is imported
        if shutil.which(tool) is None:
            raise FileNotFoundError(
                f"musdb18 is decoded by ffmpeg, and there is no {tool} on the PATH: install it "
                "(apt install ffmpeg), or use musdb18hq"
            )
    import ffmpeg
    from musdb.audio_classes import MultiTrack

    try:
        track: Any = MultiTrack(path=str(source), name=source.name, stem_id=0)
        info = track.info
    except (ffmpeg.Error, KeyError) as error:
        raise ValueError(_BROKEN.format(source)) from error
    if info.nb_audio_streams != len(STREAMS):
        raise ValueError(
            f"{source} has {info.nb_audio_streams} audio streams and a stem file of MUSDB18 has {len(STREAMS)} "
            f"({', '.join(STREAMS)}): download it again"
        )
    return track, info


def _streams(source: Path) -> tuple[dict[str, np.ndarray], int]:
    """({stem: (time, channels) int16}, sample rate in Hz) as musdb reads them."""
    track, info = _opened(source)
    import ffmpeg

    try:
        # One stream at a time: musdb gives float64, eight bytes a sample for what are 16 bits.
        decoded = {stem: _pcm(track.load_audio(track.path, i)) for i, stem in enumerate(STREAMS)}
        expected = min(info.nb_samples_streams)
    except (ffmpeg.Error, KeyError) as error:
        raise ValueError(_BROKEN.format(source)) from error
    found = min(len(samples) for samples in decoded.values())
    if found == 0:
        raise ValueError(_BROKEN.format(source))
    if found < (1 - _MISSING_SHARE) * expected - 2048:
        raise ValueError(f"{source} is cut short, {found} samples of {expected} decode: download it again")
    return decoded, int(track.rate)


def _pcm(audio: np.ndarray) -> np.ndarray:
    """(time, channels) as 16-bit integers, which is what musdb has ffmpeg decode to."""
    audio = audio.reshape(len(audio), -1)
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2")
