"""Writing audio files: whole or not at all, whatever the disk does."""

import contextlib
import resource
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from msbench.audio.formats import FORMATS
from msbench.audio.reading import AudioReader
from msbench.audio.writing import stem_writer
from tests.audio.noise import RATE, noise


def paths(folder, names, extension="wav"):
    return {name: folder / f"{name}.{extension}" for name in names}


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


ERRORS = {"wav16": 2**-16, "wav24": 2**-24, "wav32f": 0, "flac": 2**-24, "mp3": 0.2, "ogg": 0.2}  # at most


@pytest.mark.parametrize(("kind", "error"), ERRORS.items())
def test_written_is_read(tmp_path, kind, error):
    extension = FORMATS[kind].extension
    stems = {"vocals": noise(10_000, seed=1), "rest": noise(10_000, seed=2)}
    folder = tmp_path / "a" / "b"
    with stem_writer(paths(folder, stems, extension), RATE, 2, format=kind) as write:
        for start in range(0, 10_000, 3000):
            write({target: stem[start : start + 3000].T for target, stem in stems.items()})
        assert all(name.startswith(".") and name.endswith(".part") for name in left(folder))
    assert left(folder) == [f"rest.{extension}", f"vocals.{extension}"]
    for target, stem in stems.items():
        samples, rate = soundfile.read(folder / f"{target}.{extension}", dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(samples, stem, rtol=0, atol=error)


def test_beyond_four_gibibytes_is_rf64(tmp_path):
    with stem_writer(paths(tmp_path, "a"), RATE, 2, frames=600_000_000) as write:
        write({"a": noise(1000).T})
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(samples, noise(1000))


def test_a_failing_body_leaves_what_was_there(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "vocals.wav").write_bytes(b"earlier")

    def interrupted(folder):
        with stem_writer(paths(folder, ["vocals"]), RATE, 2) as write:
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
@pytest.mark.parametrize("kind", ["wav32f", "flac"])
def test_no_more_space(tmp_path, kind, limit, capfd):
    extension = FORMATS[kind].extension
    stems = {"a": noise(50_000, seed=1).T, "b": noise(50_000, seed=2).T}

    def write_all(folder):
        with stem_writer(paths(folder, stems, extension), RATE, 2, format=kind) as write:
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


@pytest.mark.parametrize("kind", ["wav32f", "flac"])
def test_full_disk(small_disk, kind):
    extension = FORMATS[kind].extension

    def write_all():
        with stem_writer(paths(small_disk / "out", "ab", extension), RATE, 2, format=kind) as write:
            for _ in range(50):
                write({"a": noise(5000).T, "b": noise(5000).T})

    with pytest.raises(OSError, match=r"^No space left while writing .* \(No space left on device\)"):
        write_all()
    assert left(small_disk) == []


def test_separation_to_a_full_disk(small_disk, tmp_path):
    from msbench.model.separator import Separator
    from msbench.separation.batch import separate_files

    class Identity(Separator):
        def forward(self, mixture):
            return mixture[:, None]

    soundfile.write(tmp_path / "song.wav", noise(5 * RATE), RATE)
    model = Identity(["vocals"], RATE, 2)
    with pytest.raises(OSError, match="No space left while writing"):
        separate_files(model, [tmp_path / "song.wav"], small_disk / "out", chunk_seconds=0.2)
    assert left(small_disk) == []
    with largest_file(100_000), pytest.raises(OSError, match="No space left while writing"):
        separate_files(model, [tmp_path / "song.wav"], tmp_path / "out", chunk_seconds=0.2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("taken.wav", IsADirectoryError, "is a folder where a stem would go"),
        ("file/x/a.wav", OSError, "cannot make the folder"),
    ],
)
def test_names_that_cannot_be_written(tmp_path, name, error, sentence):
    (tmp_path / "taken.wav").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=sentence), stem_writer({"a": tmp_path / name}, RATE, 2):
        pass
    assert left(tmp_path) == ["file", "taken.wav"]


def test_a_format_that_cannot_hold_the_audio(tmp_path):
    writer = stem_writer(paths(tmp_path / "new", "a", "flac"), RATE, 9, format="flac")
    with pytest.raises(ValueError, match=r"cannot write .*a\.flac .*: the format wav32f takes any audio"), writer:
        pass
    assert left(tmp_path) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_tags_are_kept(tmp_path, kind):
    tags = {"title": "Café PEAK", "artist": "Ørsted 東京", "date": "1999"}
    path = tmp_path / f"a.{FORMATS[kind].extension}"
    with stem_writer({"a": path}, RATE, 2, format=kind, tags=tags) as write:
        write({"a": noise(1000).T})
    with AudioReader(path) as reader:
        assert reader.tags == (tags if kind != "mp3" else {"title": "Cafe PEAK", "artist": "rsted", "date": "1999"})


def test_no_time_is_in_the_file(tmp_path):
    """libsndfile notes it in a WAV of floats, behind the tags; without it the same samples are the same file."""
    with stem_writer({"a": tmp_path / "a.wav"}, RATE, 2, tags={"title": "PEAK" + 300 * "a"}) as write:
        write({"a": noise(1000).T})
    header = (tmp_path / "a.wav").read_bytes()[:600]
    place = header.rindex(b"PEAK")
    assert place > 300
    assert header[place + 12 : place + 16] == bytes(4)


def test_a_song_in_one_block(tmp_path):
    """libvorbis ends the process where it is given too many samples at once."""
    with stem_writer({"a": tmp_path / "a.ogg"}, RATE, 2, format="ogg") as write:
        write({"a": np.zeros((2, 4_000_000), np.float32)})
    assert soundfile.info(tmp_path / "a.ogg").frames == 4_000_000
