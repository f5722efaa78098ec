"""Writing audio files: whole or not at all, whatever the disk does."""

import contextlib
import resource
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from msbench.audio.writing import stem_writer
from tests.audio.noise import RATE, noise


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


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
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(samples, noise(1000))


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


@pytest.mark.parametrize(
    ("folder", "targets", "extension", "error", "sentence"),
    [
        ("", ["a"], "mp3", ValueError, "extension is one of wav, flac"),
        ("", ["lead/back"], "wav", ValueError, "the target 'lead/back' holds a slash"),
        ("", ["taken"], "wav", IsADirectoryError, "is a folder where a stem would go"),
        ("file/x", ["a"], "wav", OSError, "cannot make the folder"),
    ],
)
def test_names_that_cannot_be_written(tmp_path, folder, targets, extension, error, sentence):
    (tmp_path / "taken.wav").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=sentence), stem_writer(tmp_path / folder, targets, RATE, 2, extension=extension):
        pass
    assert left(tmp_path) == ["file", "taken.wav"]


def test_a_format_that_cannot_hold_the_audio(tmp_path):
    writer = stem_writer(tmp_path / "new", ["a"], RATE, 9, extension="flac")
    with pytest.raises(ValueError, match=r"cannot write .*a\.flac .*: the extension wav takes any audio"), writer:
        pass
    assert left(tmp_path) == []
