"""MUSDB18 as published in 2017: songs as stem.mp4, decoded once into WAV files and read from there ever after."""

from __future__ import annotations

import json
import os
import shutil
import wave
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from msbench.data.musdb18hq import MUSDB18HQ
from msbench.data.track import MIXTURE, Track

SUFFIX = ".stem.mp4"
STREAMS = (MIXTURE, "drums", "bass", "other", "vocals")  # in the order of the file

_SOURCE = "source.json"  # in a decoded track's folder: what it was decoded from
_MISSING_SHARE = 0.01  # of the frames the container promises, that a decoder may hold back at the ends


class MUSDB18(MUSDB18HQ):
    """MUSDB18 (Rafii et al. 2017): the 150 songs of MUSDB18-HQ as AAC at 256 kb/s, bandwidth 16 kHz.

    Each song is decoded through musdb, as 16-bit WAV in MUSDB18-HQ's layout, when its split is first asked for; an
    interrupted run goes on with the songs that are left. The mixture is coded apart from its stems and so only nearly
    their sum. 150 songs take 25 GB.

    Args:
        root: Folder of train/ and test/ with *.stem.mp4.
        cache: Folder for the decoded songs; $MSBENCH_CACHE/musdb18, or <root>-wav beside the root, when not given.
        progress: Called with (songs decoded, songs to decode); None shows a bar on a terminal.

    Raises:
        FileNotFoundError: If the root does not exist.
    """

    name = "musdb18"
    download = "https://zenodo.org/records/1117372"

    def __init__(
        self,
        root: str | Path | None = None,
        cache: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(root)
        if cache is None:
            beside = self.root.resolve()
            elsewhere = os.environ.get("MSBENCH_CACHE")
            cache = Path(elsewhere, self.name) if elsewhere else beside.with_name(f"{beside.name}-wav")
        self.cache = Path(cache).expanduser()
        self._progress = progress

    def entries(self, folder: Path) -> list[Path]:
        found = sorted(path for path in folder.glob(f"*{SUFFIX}") if path.name[0] != ".")
        if not found and any(folder.glob("*/mixture.wav")):
            raise ValueError(f"{folder} holds folders of WAV, not *{SUFFIX} files: it is the dataset 'musdb18hq'")
        return found

    def track_name(self, entry: Path) -> str:
        return entry.name.removesuffix(SUFFIX)

    def find_tracks(self, split: str) -> Iterable[Track]:
        """Decode what has not been decoded yet, then the tracks of the cache.

        Raises:
            FileNotFoundError: If something is to be decoded and ffmpeg is not installed.
            ValueError: If a file is corrupt.
            OSError: If the cache cannot be written, a full disk for one.
        """
        sources = self.members(split)
        self._decode([path for path in sources if not _is_decoded(path, self._folder(path))])
        return [self.track(self.track_name(path), split, self._folder(path)) for path in sources]

    def fingerprinted(self, split: str) -> Iterable[tuple[str, Path]]:
        """The stem files themselves: what a decoder makes of them may differ in a last bit between its versions."""
        return [(self.track_name(path), path) for path in self.members(split)]

    def _folder(self, source: Path) -> Path:
        return self.cache / source.parent.name / self.track_name(source)

    def _decode(self, sources: list[Path]) -> None:
        if not sources:
            return
        for tool in ("ffmpeg", "ffprobe"):  # musdb needs both, and asks for them when it is imported
            if shutil.which(tool) is None:
                raise FileNotFoundError(
                    f"musdb18 is decoded by ffmpeg, and there is no {tool} on the PATH: install it "
                    "(apt install ffmpeg), or use musdb18hq"
                )
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool, _shown(self._progress, len(sources)) as show:
            jobs = [pool.submit(decode, source, self._folder(source)) for source in sources]
            try:
                for done, job in enumerate(jobs, 1):
                    job.result()
                    show(done, len(jobs))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def decode(source: Path, folder: Path) -> None:
    """Decode one stem file into <folder>/{mixture,drums,bass,other,vocals}.wav, all at once or not at all.

    Raises:
        ValueError: If the file is corrupt, cut short or has not five streams.
        OSError: If the folder cannot be written.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        streams, sample_rate = _streams(source)
        frames = min(len(samples) for samples in streams.values())
        for stem, samples in streams.items():
            with wave.open(str(part / f"{stem}.wav"), "wb") as file:
                file.setnchannels(samples.shape[1])
                file.setsampwidth(2)
                file.setframerate(sample_rate)
                file.writeframes(samples[:frames].tobytes())
        (part / _SOURCE).write_text(json.dumps({"bytes": source.stat().st_size}) + "\n", encoding="utf-8")
        _publish(part, folder, source)
    except OSError as error:
        raise OSError(
            f"cannot write the decoded {source.name} into {folder.parent} ({error.strerror or error}): free some "
            "space, or name another folder in MSBENCH_CACHE; the songs decoded so far are kept"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _streams(source: Path) -> tuple[dict[str, np.ndarray], int]:
    """({stem: (time, channels) int16}, sample rate in Hz) as musdb reads them."""
    import ffmpeg
    from musdb.audio_classes import MultiTrack

    broken = f"{source} is corrupt, ffmpeg cannot decode it: download it again"
    try:
        track: Any = MultiTrack(path=str(source), name=source.name, stem_id=0)
        info = track.info
        if info.nb_audio_streams != len(STREAMS):
            raise ValueError(
                f"{source} has {info.nb_audio_streams} audio streams and a stem file of MUSDB18 has {len(STREAMS)} "
                f"({', '.join(STREAMS)}): download it again"
            )
        # One stream at a time: musdb gives float64, eight bytes a sample for what are 16 bits.
        decoded = {stem: _pcm(track.load_audio(track.path, i)) for i, stem in enumerate(STREAMS)}
        expected = min(info.nb_samples_streams)
    except (ffmpeg.Error, KeyError) as error:
        raise ValueError(broken) from error
    found = min(len(samples) for samples in decoded.values())
    if found == 0:
        raise ValueError(broken)
    if found < (1 - _MISSING_SHARE) * expected - 2048:
        raise ValueError(f"{source} is cut short, {found} samples of {expected} decode: download it again")
    return decoded, int(track.rate)


def _pcm(audio: np.ndarray) -> np.ndarray:
    """(time, channels) as 16-bit integers, which is what musdb has ffmpeg decode to."""
    audio = audio.reshape(len(audio), -1)
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2")


def _is_decoded(source: Path, folder: Path) -> bool:
    """Whether the folder holds this source, decoded; its size tells one download from another."""
    try:
        held = json.loads((folder / _SOURCE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(held.get("bytes") == source.stat().st_size)


def _publish(part: Path, folder: Path, source: Path) -> None:
    try:
        part.rename(folder)
    except OSError:
        if _is_decoded(source, folder):  # another process was first
            return
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier source
        part.rename(folder)


@contextmanager
def _shown(progress: Callable[[int, int], None] | None, total: int) -> Iterator[Callable[[int, int], None]]:
    """What to tell the progress: the caller's function, or a bar on stderr where that is a terminal."""
    if progress is not None:
        yield progress
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("decoding musdb18", total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)
