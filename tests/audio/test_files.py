"""Audio files: each format is read exactly, each fault is one sentence, and no name ever holds half a file."""

import contextlib
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from msbench.audio.files import AudioReader, stem_writer

RATE = 44100
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg")


def noise(frames, channels=2, seed=0):
    return (np.random.default_rng(seed).standard_normal((frames, channels)) * 0.1).astype(np.float32)


def read(path, frames=4099):
    with AudioReader(path) as reader:
        return np.concatenate(list(reader.blocks(frames)), axis=1).T


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Reading


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
    with pytest.raises(ValueError, match=rf"cannot read .*{name} as audio, .* `ffmpeg -i .*{name} converted\.wav`"):
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
    code = "import sys, msbench.audio, msbench.audio.streams; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Writing


@pytest.mark.parametrize(("extension", "error"), [("wav", 0), ("flac", 2**-23)])
def test_written_is_read(tmp_path, extension, error):
    stems = {"vocals": noise(10_000, seed=1), "rest": noise(10_000, seed=2)}
    folder = tmp_path / "a" / "b"
    with stem_writer(folder, list(stems), RATE, 2, extension=extension) as write:
        for start in range(0, 10_000, 3000):
            write({target: stem[start : start + 3000].T for target, stem in stems.items()})
        assert all(name.startswith(".") and name.endswith(".part") for name in left(folder))
    assert left(folder) == [f"rest.{extension}", f"vocals.{extension}"]
    for target, stem in stems.items():
        samples, rate = soundfile.read(folder / f"{target}.{extension}", dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(samples, stem, rtol=0, atol=error)


def test_beyond_four_gibibytes_is_rf64(tmp_path):
    with stem_writer(tmp_path, ["a"], RATE, 2, frames=600_000_000) as write:
        write({"a": noise(1000).T})
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_array_equal(read(tmp_path / "a.wav"), noise(1000))


def test_a_failing_body_leaves_what_was_there(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "vocals.wav").write_bytes(b"earlier")

    def interrupted(folder):
        with stem_writer(folder, ["vocals"], RATE, 2) as write:
            write({"vocals": noise(1000).T})
            raise KeyboardInterrupt

    for folder in (tmp_path / "old", tmp_path / "new" / "er"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(folder)
    assert left(tmp_path) == ["old", "old/vocals.wav"]
    assert (tmp_path / "old" / "vocals.wav").read_bytes() == b"earlier"


@contextlib.contextmanager
def largest_file(size):
    """Python ignores the signal; a write beyond the size fails as one to a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [0, 20, 5000, -1])  # -1: a byte too little
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_no_more_space(tmp_path, extension, limit, capfd):
    stems = {"a": noise(50_000, seed=1).T, "b": noise(50_000, seed=2).T}

    def write_all(folder):
        with stem_writer(folder, list(stems), RATE, 2, extension=extension) as write:
            for start in range(0, 50_000, 7000):
                write({target: stem[:, start : start + 7000] for target, stem in stems.items()})

    write_all(tmp_path / "before")
    sizes = [(tmp_path / "before" / f"{target}.{extension}").stat().st_size for target in stems]
    sentence = rf"^No space left while writing .*[ab]\.{extension} \(.*\): free some space or give another folder"
    with largest_file(limit % max(sizes)), pytest.raises(OSError, match=sentence):
        write_all(tmp_path / "out")
    assert left(tmp_path) == ["before", f"before/a.{extension}", f"before/b.{extension}"]
    assert capfd.readouterr() == ("", "")  # nothing was printed from within libsndfile's callbacks


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB, where the test may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=256k", "msbench-test", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_full_disk(small_disk, extension):
    def write_all():
        with stem_writer(small_disk / "out", ["a", "b"], RATE, 2, extension=extension) as write:
            for _ in range(50):
                write({"a": noise(5000).T, "b": noise(5000).T})

    with pytest.raises(OSError, match=r"^No space left while writing .* \(No space left on device\)"):
        write_all()
    assert left(small_disk) == []


def test_separation_to_a_full_disk(small_disk, tmp_path):
    from msbench.model.separator import Separator
    from msbench.separation.inference import Inference
    from msbench.separation.pipeline import separate_file

    class Identity(Separator):
        def forward(self, mixture):
            return mixture[:, None]

    soundfile.write(tmp_path / "song.wav", noise(5 * RATE), RATE)
    model, inference = Identity(["vocals"], RATE, 2), Inference(chunk_seconds=0.2)
    with pytest.raises(OSError, match="No space left while writing"):
        separate_file(model, tmp_path / "song.wav", small_disk / "out", inference)
    assert left(small_disk) == []
    with largest_file(100_000), pytest.raises(OSError, match="No space left while writing"):
        separate_file(model, tmp_path / "song.wav", tmp_path / "out", inference)
    assert not (tmp_path / "out").exists()


def test_names_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="extension is one of wav, flac"), stem_writer(
        tmp_path, ["a"], RATE, 2, extension="mp3"
    ):  # fmt: skip
        pass
    with pytest.raises(ValueError, match="target 'lead/back' cannot name a file"), stem_writer(
        tmp_path, ["lead/back"], RATE, 2
    ):  # fmt: skip
        pass
    with pytest.raises(ValueError, match=r"cannot write .*a\.flac .*: the extension wav takes any audio"), stem_writer(
        tmp_path / "new", ["a"], RATE, 9, extension="flac"
    ):  # fmt: skip
        pass
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder where a stem would go"), stem_writer(
        tmp_path, ["a"], RATE, 2
    ):  # fmt: skip
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot make the folder"), stem_writer(tmp_path / "file" / "x", ["a"], RATE, 2):
        pass
    assert left(tmp_path) == ["a.wav", "file"]
