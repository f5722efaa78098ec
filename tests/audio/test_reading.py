"""Reading audio files: to the sample, in blocks, and what is wrong with a file in one sentence."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from msbench.audio.reading import MOST_CHANNELS, AudioReader
from tests.audio.noise import RATE, noise

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg")


def read(path, frames=4099):
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.blocks(frames)), axis=1).T


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.aiff"])
def test_blocks_are_the_whole(tmp_path, name):
    soundfile.write(tmp_path / name, noise(RATE), RATE)
    expected, _ = soundfile.read(tmp_path / name, dtype="float32")  # at once: without the seeks between blocks
    with AudioReader(tmp_path / name) as reader:
        assert (reader.sample_rate, reader.channels, reader.frames, reader.seconds) == (RATE, 2, RATE, 1)
        blocks = list(reader.blocks(4099))
    assert {block.shape for block in blocks[:-1]} == {(2, 4099)}
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1).T, expected)


def loud_then_quiet(seconds=20):
    """An MP3 of variable bit rate spends far more on one half of it."""
    samples = noise(RATE * seconds) * 2
    samples[: len(samples) // 2] *= 0.001
    return samples


@needs_ffmpeg
def test_mp3_keeps_its_bit_reservoir_from_block_to_block(tmp_path):
    soundfile.write(tmp_path / "a.wav", loud_then_quiet(), RATE)
    ffmpeg("-i", tmp_path / "a.wav", "-q:a", 2, tmp_path / "a.mp3")
    ffmpeg("-i", tmp_path / "a.mp3", "-c:a", "pcm_f32le", tmp_path / "decoded.wav")
    np.testing.assert_allclose(read(tmp_path / "a.mp3"), soundfile.read(tmp_path / "decoded.wav")[0], atol=2e-5)


@needs_ffmpeg
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_stream_of_unknown_length(tmp_path, extension):
    soundfile.write(tmp_path / "a.wav", noise(RATE), RATE)
    with open(tmp_path / f"piped.{extension}", "wb") as piped:
        command = ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", "-f", extension, "pipe:1"]
        encoder = subprocess.Popen(command, stdout=subprocess.PIPE)
        piped.write(encoder.communicate()[0])
    np.testing.assert_array_equal(read(tmp_path / f"piped.{extension}"), read(tmp_path / "a.wav"))


@needs_ffmpeg
def test_mp3_without_a_length_header(tmp_path):
    """libsndfile takes the length from the first frames' bit rate: it may end too early without a word."""
    soundfile.write(tmp_path / "a.wav", loud_then_quiet(), RATE)
    ffmpeg("-i", tmp_path / "a.wav", "-q:a", 2, "-write_xing", 0, tmp_path / "a.mp3")
    with pytest.raises(ValueError, match=r"does not hold what its header says .* -c copy rewritten\.mp3"):
        read(tmp_path / "a.mp3")
    ffmpeg("-i", tmp_path / "a.mp3", "-c", "copy", tmp_path / "rewritten.mp3")
    assert abs(len(read(tmp_path / "rewritten.mp3")) - 20 * RATE) < 3000
    ffmpeg("-i", tmp_path / "a.wav", "-b:a", "128k", "-write_xing", 0, tmp_path / "constant.mp3")
    assert abs(len(read(tmp_path / "constant.mp3")) - 20 * RATE) < 3000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.wav", r"a\.wav is cut short: its header promises 352800 bytes of samples and \d+ are there; download"),
        ("a.flac", r"a\.flac is corrupt after 0\.\d+ s: download or export it again"),
        ("a.mp3", r"a\.mp3 does not hold what its header says \(2\.0 s promised, [01]\.\d s decoded\)"),
        ("a.aiff", r"a\.aiff is cut short"),
    ],
)
def test_cut_short(tmp_path, name, message):
    path = tmp_path / name
    soundfile.write(path, noise(2 * RATE), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_corrupt_in_the_middle(tmp_path, name):
    path = tmp_path / name
    soundfile.write(path, noise(2 * RATE), RATE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name} (is corrupt after|does not hold)"):
        read(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.txt"])
def test_no_audio(tmp_path, name):
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match=rf"cannot read .*{name} as audio.*: check that it plays"):
        AudioReader(tmp_path / name)


def test_zero_length(tmp_path):
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "header.wav", noise(0), RATE)
    for name in ("empty.wav", "header.wav"):
        with pytest.raises(ValueError, match=f"{name} has zero length"):
            AudioReader(tmp_path / name)


def test_nothing_to_open(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^no audio file .*none\.wav: correct the path$"):
        AudioReader(tmp_path / "none.wav")
    with pytest.raises(IsADirectoryError, match="is a folder: give the audio files in it"):
        AudioReader(tmp_path)


def test_torch_is_not_imported():
    modules = "msbench.audio.reading, msbench.audio.streams, msbench.audio.writing"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_channels_whose_blocks_would_fill_the_memory(tmp_path):
    soundfile.write(tmp_path / "wide.wav", np.zeros((10, MOST_CHANNELS + 1), np.int16), RATE)
    with pytest.raises(ValueError, match=r"wide.wav has 257 channels, and 256 are the most"):
        AudioReader(tmp_path / "wide.wav")
