"""Audio that libsndfile does not read, decoded by ffmpeg: AAC, ALAC, WMA, the first audio track of a video.

ffmpeg is a program, not a requirement: where it is missing, files of these formats are refused with a sentence.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from msbench.system import errors

# Formats that hold samples themselves. ffmpeg also knows playlists and lists of files, in any file whatever its name;
# a stranger's would have it read other files of this machine, or of the network.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,ogg,aac,mp3,flac,wav,w64,aiff,au,caf,ac3,eac3,dts,truehd,mlp,ape,wv,"
    "tta,tak,mpc,mpc8,dsf,iff,amr,shn,oma,mpeg,mpegts,flv,rm"
)
_INPUT = ("-protocol_whitelist", "file", "-format_whitelist", _FORMATS)
_FACTS = "stream=sample_rate,channels,duration,duration_ts,time_base:format=format_name,duration:format_tags"
# Reported as errors, though no sample is missing.
_HARMLESS = ("Referenced QT chapter track not found",)
# Of these, the duration is an estimate by the size of the file or by time stamps, and may be far from the samples'.
_WITHOUT_INDEX = ("aac", "ac3", "eac3", "dts", "truehd", "mlp", "mp3", "amr", "mpeg", "mpegts", "flv", "rm")
_SECONDS_OFF = 0.3  # by which the duration in a header may miss the samples


def is_there() -> bool:
    """Whether ffmpeg is installed, with the ffprobe that comes with it."""
    return all(shutil.which(tool) for tool in ("ffmpeg", "ffprobe"))


@dataclass(frozen=True)
class Decoding:
    """What ffmpeg makes of a file.

    Attributes:
        path: The file.
        sample_rate: In Hz.
        channels: Number of channels.
        frames: Samples per channel, where the container tells exactly.
        seconds: Duration, as far as the container tells.
        promised: Duration of the audio track by the container's index, None where there is none.
        tags: Title, artist and the like, by soundfile's names.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int | None
    seconds: float | None
    promised: float | None
    tags: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> Decoding | None:
        """Look at a file; None if ffmpeg cannot read it either.

        Raises:
            ValueError: If it can, and there is no audio in it.
        """
        command = ["ffprobe", "-v", "error", *_INPUT, "-select_streams", "a:0", "-show_entries", _FACTS, "-of", "json"]
        command.append(f"file:{path}")
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
        facts = json.loads(done.stdout) if done.returncode == 0 else {}
        if "format" not in facts:
            return None
        if not facts.get("streams"):
            raise ValueError(f"{path} has no audio track: give a file with sound")
        stream = facts["streams"][0]
        rate, channels = int(stream.get("sample_rate", 0)), int(stream.get("channels", 0))
        if rate < 1 or channels < 1:
            return None  # what was taken for audio by its first bytes
        # An MP4's edit list leaves the encoder's padding out, to the sample; ffmpeg does so at the start alone.
        exact = "mp4" in facts["format"]["format_name"] and _number(stream, "time_base") == Fraction(1, rate)
        frames = stream.get("duration_ts") if exact else None
        promised = _number(stream, "duration")
        seconds = promised or _number(facts["format"], "duration")
        if facts["format"]["format_name"] in _WITHOUT_INDEX:
            promised = None
        tags = {key.lower(): str(text) for key, text in facts["format"].get("tags", {}).items()}
        tags["tracknumber"] = tags.get("track", "")
        durations = [None if x is None else float(x) for x in (seconds, promised)]
        return cls(path, rate, channels, frames, durations[0], durations[1], tags)

    @contextlib.contextmanager
    def blocks(self, frames: int) -> Iterator[Iterator[np.ndarray]]:
        """Decode: the samples in order, as arrays (channels, at most `frames`); ffmpeg ends with the context.

        Raises:
            ValueError: While iterating, if the file is corrupt or cut short.
        """
        command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", *_INPUT, "-i", f"file:{self.path}", "-map", "0:a:0"]
        shape = ["-ar", str(self.sample_rate), "-ac", str(self.channels), "-f", "f32le", "pipe:1"]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [*command, *shape], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            )
            try:
                yield self._decoded(process, said, frames)
            finally:
                process.kill()
                process.communicate()

    def _decoded(self, process: subprocess.Popen[bytes], said: BinaryIO, frames: int) -> Iterator[np.ndarray]:
        assert process.stdout is not None
        done, frame_bytes = 0, 4 * self.channels
        while content := process.stdout.read(frames * frame_bytes):
            block = np.frombuffer(content[: len(content) // frame_bytes * frame_bytes], "<f4").reshape(
                -1, self.channels
            )
            if self.frames is not None:
                block = block[: self.frames - done]
            done += len(block)
            if len(block):
                yield np.ascontiguousarray(block.T)
        self._check_end(process.wait(), said, done / self.sample_rate)

    def _check_end(self, status: int, said: BinaryIO, seconds: float) -> None:
        said.seek(0)
        lines = said.read(4096).decode(errors="replace").splitlines()
        faults = [line for line in lines if line and not any(text in line for text in _HARMLESS)]
        fix = f"download it again or, if it plays to its end, rewrite it with `ffmpeg -i {self.path} -vn rewritten.wav`"
        if status or faults:
            # "[matroska,webm @ 0x55d2] File ended prematurely": the address says nothing to anybody
            detail = errors.one_line(faults[0].rpartition("] ")[2], 200) if faults else f"it ended with {status}"
            raise ValueError(f"{self.path} is corrupt or cut short after {seconds:.3f} s (ffmpeg: {detail}): {fix}")
        if self.promised is not None and seconds < 0.98 * self.promised - _SECONDS_OFF:
            raise ValueError(
                f"{self.path} does not hold what its header says ({self.promised:.1f} s promised, {seconds:.1f} s "
                f"decoded): {fix}"
            )


def _number(facts: dict[str, Any], key: str) -> Fraction | None:
    try:
        return Fraction(facts[key])
    except (KeyError, ValueError, ZeroDivisionError):  # "N/A"
        return None
