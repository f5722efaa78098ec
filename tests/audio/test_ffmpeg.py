"""Audio that ffmpeg decodes: to the sample where the container tells, and what is wrong with a file in one sentence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.audio.reading import AudioReader
from tests.audio.noise import RATE, noise

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg")
FRAMES = 66150  # no multiple of any encoder's frame


def encode(folder: Path, name: str, *options: str) -> Path:
    soundfile.write(folder / "source.wav", noise(FRAMES), RATE, subtype="PCM_16")
    command = ["ffmpeg", "-v", "error", "-y", "-i", folder / "source.wav", *options, folder / name]
    subprocess.run(list(map(str, command)), check=True)
    return folder / name


def read(path: Path) -> np.ndarray:
    with AudioReader(path) as reader:
        assert not reader.in_parts
        assert (reader.sample_rate, reader.channels) == (RATE, 2)
        return np.concatenate(list(reader.blocks(4099)), axis=1)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [("a.m4a", ["-c:a", "alac"]), ("a.mov", ["-c:a", "pcm_s24be"]), ("a.mkv", ["-c:a", "flac"]), ("a.wv", [])],
)
def test_what_loses_nothing_is_the_source(tmp_path: Path, name: str, options: list[str]) -> None:
    path = encode(tmp_path, name, *options)
    expected, _ = soundfile.read(tmp_path / "source.wav", dtype="float32")
    np.testing.assert_array_equal(read(path), expected.T)


@needs_ffmpeg
def test_aac_is_as_long_as_its_source(tmp_path: Path) -> None:
    path = encode(tmp_path, "a.m4a", "-c:a", "aac", "-b:a", "320k")
    with AudioReader(path) as reader:
        assert reader.frames == FRAMES
    samples = read(path)
    expected = noise(FRAMES).T
    assert samples.shape == expected.shape  # ffmpeg itself gives 66560
    assert np.corrcoef(samples[0], expected[0])[0, 1] > 0.9  # not a sample late


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.aac", "a.wma", "a.webm", "a.avi", "a.mka", "a.ac3"])
def test_formats_of_an_approximate_length(tmp_path: Path, name: str) -> None:
    with AudioReader(encode(tmp_path, name)) as reader:
        frames = sum(block.shape[1] for block in reader.blocks())
        assert frames / reader.sample_rate == pytest.approx(1.5, abs=0.05)
        assert reader.seconds == pytest.approx(1.5, abs=0.2)


@needs_ffmpeg
def test_the_first_audio_track_of_a_video(tmp_path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=5"]
    path = encode(tmp_path, "a.mp4", *picture, "-map", "1:v", "-map", "0:a", "-c:a", "aac")
    assert read(path).shape == (2, FRAMES)
    silent = tmp_path / "silent.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", silent], check=True)
    with pytest.raises(ValueError, match=r"silent\.mp4 has no audio track: give a file with sound$"):
        AudioReader(silent)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mkv", "a.wma", "a.aac"])
def test_cut_short(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with (
        pytest.raises(ValueError, match=rf"{name} (is corrupt or cut short after|does not hold what) .*rewrite it"),
        AudioReader(path) as reader,
    ):
        for _ in reader.blocks():
            pass


@needs_ffmpeg
def test_corrupt_in_the_middle(tmp_path: Path) -> None:
    path = encode(tmp_path, "a.m4a")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 1000] = bytes(range(250)) * 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.m4a is corrupt or cut short after \d\.\d+ s \(ffmpeg: "):
        read(path)


@needs_ffmpeg
def test_a_playlist_leads_to_no_other_file(tmp_path: Path) -> None:
    other = encode(tmp_path, "other.ts", "-c:a", "aac")
    path = tmp_path / "song.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n")
    with pytest.raises(ValueError, match="cannot read"):
        AudioReader(path)
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")
    with pytest.raises(ValueError, match="cannot read"):
        AudioReader(path)


@needs_ffmpeg
def test_title_and_artist(tmp_path: Path) -> None:
    path = encode(tmp_path, "a.m4a", "-metadata", "title=Café", "-metadata", "artist=東京", "-metadata", "track=3")
    with AudioReader(path) as reader:
        assert reader.tags == {"title": "Café", "artist": "東京", "tracknumber": "3"}


@needs_ffmpeg
@pytest.mark.parametrize("name", ["-dash.m4a", "a%03d [x].m4a", "new\nline.m4a", "http:x.m4a"])
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path, "a.m4a").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert read(Path(name)).shape == (2, FRAMES)


@needs_ffmpeg
def test_ffmpeg_ends_with_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Kept(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    path = encode(tmp_path, "a.wv")
    with AudioReader(path) as reader:
        next(iter(reader.blocks(16)))
        assert started[-1].returncode is None
    assert started[-1].returncode is not None


def test_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\2\0M4A mp42isom")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"a\.m4a as audio: .* needs ffmpeg, which is not installed: "):
        AudioReader(tmp_path / "a.m4a")
