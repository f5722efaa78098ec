"""Datasets in their true layouts: what they find, what they refuse, and how."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main
from msbench.data.dataset import Dataset, default_root
from msbench.data.demo.dataset import Demo
from msbench.data.layouts.folder import Folder
from msbench.data.layouts.musdb18 import MUSDB18
from msbench.data.layouts.musdb18hq import MUSDB18HQ, validation_tracks
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.data.upkeep.prepare import plan
from msbench.data.upkeep.verify import verify
from tests.data.songs import RATE, STEMS, noise, write, write_musdb18hq, write_song
from tests.requirements import require

DECODED_STREAMS = ("mixture", "drums", "bass", "other", "vocals")


# The base


def test_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MSBENCH_DATA", raising=False)
    assert default_root("demo") == Path("data/demo")
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path))
    assert default_root("demo") == tmp_path / "demo"
    write_musdb18hq(tmp_path / "musdb18hq")
    assert MUSDB18HQ().root == tmp_path / "musdb18hq"


def test_open_dataset_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugin = tmp_path / "tiny.py"
    plugin.write_text(
        "from msbench.data.layouts.musdb18hq import MUSDB18HQ as HQDataset\nclass Tiny(HQDataset):\n    name = 'tiny'\n"
    )
    monkeypatch.setenv("MSBENCH_PLUGINS", str(plugin))
    data = open_dataset("tiny", write_musdb18hq(tmp_path / "songs"))
    assert data.name == "tiny"
    assert [track.name for track in data.tracks("train")] == ["Song 0", "Song 1", "Song 2"]
    with pytest.raises(KeyError, match=r"unknown dataset 'tinny'. Did you mean tiny\?"):
        open_dataset("tinny")


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no dataset 'musdb18hq' at .*nowhere: download it from https://.* root"
    ):
        MUSDB18HQ(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no dataset 'folder' at .*nowhere: give its folder as root"):
        Folder(tmp_path / "nowhere")


def test_unknown_split(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq", valid=0, train=0))
    with pytest.raises(ValueError, match=r"dataset 'musdb18hq' at .* has no split 'dev': it has test"):
        data.tracks("dev")


def test_two_tracks_of_one_name(tmp_path: Path) -> None:
    class Twice(Dataset):
        name = "twice"
        targets = ("vocals",)
        splits = ("train",)

        def find_tracks(self, split: str) -> list[Track]:
            return [Track("Song", split, {"vocals": tmp_path / "a.wav"}) for _ in range(2)]

    sentence = "has two tracks 'Song' in train: rename one"
    with pytest.raises(ValueError, match=sentence):
        Twice(tmp_path).tracks("train")
    with pytest.raises(ValueError, match=sentence):
        plan(Twice(tmp_path), tmp_path / "out")
    assert any(sentence in error for error in verify(Twice(tmp_path)).errors)


def test_broken_file_is_found_when_tracks_are_asked_for(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    write(data.root / "train" / "Song 1" / "bass.wav", noise(0, frames=77))
    with pytest.raises(ValueError, match=r"bass.wav has 77 samples, vocals.wav 8100"):
        data.tracks("train")
    assert len(data.tracks("test")) == 1


def test_fingerprint_follows_the_audio_and_not_the_place(tmp_path: Path) -> None:
    first = MUSDB18HQ(write_musdb18hq(tmp_path / "a"))
    second = MUSDB18HQ(write_musdb18hq(tmp_path / "b"))
    print_of_first = first.fingerprint("train")
    assert print_of_first == second.fingerprint("train")
    assert print_of_first != first.fingerprint("test")
    samples = noise(1, frames=RATE)
    samples[RATE // 2] += 1
    write(second.root / "train" / "Song 0" / "drums.wav", samples)
    assert print_of_first != MUSDB18HQ(second.root).fingerprint("train")
    (first.root / "train" / "Song 0").rename(first.root / "train" / "Song 00")
    assert print_of_first != MUSDB18HQ(first.root).fingerprint("train")


def test_many_tracks_open_fast(tmp_path: Path) -> None:
    song = write_song(tmp_path / "one", 0, frames=50)
    for i in range(300):
        (tmp_path / "hq" / "test").mkdir(parents=True, exist_ok=True)
        (tmp_path / "hq" / "test" / f"{i}").symlink_to(song, target_is_directory=True)
    assert len(MUSDB18HQ(tmp_path / "hq").tracks("test")) == 300


# MUSDB18-HQ


def test_musdb18hq_with_a_valid_folder(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    (data.root / "train" / ".cache").mkdir()
    (data.root / "train" / "readme.txt").write_text("no track")
    assert data.splits == ("train", "valid", "test")
    assert data.stems == STEMS
    assert data.targets == (*STEMS, "accompaniment")
    assert {split: [track.name for track in data.tracks(split)] for split in data.splits} == {
        "train": ["Song 0", "Song 1", "Song 2"],
        "valid": ["Song 3"],
        "test": ["Song 4"],
    }
    track = data.tracks("train")[1]
    assert (track.name, track.split, track.frames) == ("Song 1", "train", 8100)
    np.testing.assert_array_equal(track.read("drums"), noise(11, 8100).T / np.float32(32768))
    np.testing.assert_array_equal(track.read("mixture"), sum(track.read(stem) for stem in STEMS))


def test_musdb18hq_validates_on_the_tracks_that_musdb_lists(tmp_path: Path) -> None:
    assert len(validation_tracks()) == 14
    for i, name in enumerate(["Aimee Norwich - Child", "Leaf - Summerghost", "Meaxic - Take A Step"]):
        write_song(tmp_path / "hq" / "train" / name, i, frames=50)
    data = MUSDB18HQ(tmp_path / "hq")
    assert data.splits == ("train", "valid")
    assert [track.name for track in data.tracks("train")] == ["Aimee Norwich - Child"]
    assert [track.name for track in data.tracks("valid")] == ["Leaf - Summerghost", "Meaxic - Take A Step"]


def test_musdb_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"musdb is not installed, .*: pip install musdb"):
        validation_tracks.__wrapped__()


def test_musdb18hq_lacks_a_stem(tmp_path: Path) -> None:
    data = MUSDB18HQ(write_musdb18hq(tmp_path / "hq"))
    (data.root / "test" / "Song 4" / "mixture.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"track 'Song 4' of split 'test' lacks its mixture"):
        data.tracks("test")


def test_the_other_musdb18(tmp_path: Path) -> None:
    hq = write_musdb18hq(tmp_path / "hq")
    with pytest.raises(ValueError, match=r"holds folders of WAV, .*: it is the dataset 'musdb18hq'"):
        MUSDB18(hq).tracks("train")
    (tmp_path / "stems" / "train").mkdir(parents=True)
    (tmp_path / "stems" / "train" / "A - B.stem.mp4").touch()
    with pytest.raises(ValueError, match=r"holds \*.stem.mp4 files.*: it is the dataset 'musdb18'"):
        MUSDB18HQ(tmp_path / "stems").tracks("train")


# The demo


def write_tiny_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Songs of noise, 5 ms long, in place of twelve seconds of music."""
    monkeypatch.setattr("msbench.data.demo.songs.write_song", _tiny_song)


def _tiny_song(root: Path, index: int, *, seed: int = 0) -> Path:
    from msbench.data.demo.songs import SONGS

    split, name = SONGS[index]
    return write_song(root / split / name, index, frames=200, rate=44100)


def test_demo_is_made_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    data = Demo(tmp_path / "deep" / "demo")
    assert [len(data.tracks(split)) for split in data.splits] == [8, 2, 4]
    assert data.version == "1"
    stamp = (data.root / "demo.json").stat().st_mtime_ns
    assert Demo(data.root).fingerprint("test") == data.fingerprint("test")
    assert (data.root / "demo.json").stat().st_mtime_ns == stamp
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["demo"]


def _open_demo(root: Path) -> None:
    Demo(root).tracks("train")


def test_two_processes_make_the_demo_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_open_demo, args=(tmp_path / "demo",)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_demo_of_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_tiny_demo(monkeypatch)
    root = Demo(tmp_path / "demo").root
    (root / "demo.json").write_text(json.dumps({"version": 0}))
    with pytest.raises(ValueError, match=r"holds version 0 of the demo set and this msbench makes version 1: remove"):
        Demo(root)


def test_folder_that_is_not_the_demo(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"is not the demo set, its demo.json is missing or broken: remove the folder"):
        Demo(tmp_path)


# MUSDB18: stem.mp4


@pytest.fixture
def stem_mp4(tmp_path: Path) -> Path:
    """Half a second of tones in the five streams of a real stem file."""
    require("ffmpeg")
    time = np.arange(22050) / 44100
    stems = {s: np.sin(2 * np.pi * 330 * (i + 1) * time) / 8 for i, s in enumerate(DECODED_STREAMS[1:])}
    waves = {"mixture": np.sum(list(stems.values()), axis=0), **stems}
    inputs, maps = [], []
    for i, (name, wave) in enumerate(waves.items()):
        path = write(tmp_path / "waves" / f"{name}.wav", np.stack([wave, wave / 2], axis=1), 44100)
        inputs += ["-i", str(path)]
        maps += ["-map", str(i)]
    path = tmp_path / "musdb18" / "train" / "Anna - One.stem.mp4"
    path.parent.mkdir(parents=True)
    command = ["ffmpeg", "-v", "error", *inputs, *maps, "-c:a", "aac", "-b:a", "256k", str(path)]
    subprocess.run(command, check=True)
    return path


def test_musdb18_is_decoded_once(stem_mp4: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    root = stem_mp4.parents[1]
    shutil.copy(stem_mp4, stem_mp4.with_name("Leaf - Summerghost.stem.mp4"))
    data = MUSDB18(root, progress=lambda done, total: told.append((done, total)))
    (track,) = data.tracks("train")
    assert told == [(1, 1)]
    assert [track.name for track in data.tracks("valid")] == ["Leaf - Summerghost"]
    assert (track.name, track.sample_rate, track.channels) == ("Anna - One", 44100, 2)
    assert data.targets == track.targets == (*STEMS, "accompaniment")
    assert data.stems == STEMS
    for stem in DECODED_STREAMS:
        wave = soundfile.read(tmp_path / "waves" / f"{stem}.wav", dtype="float32")[0].T
        decoded = track.read(stem, 0, wave.shape[-1])
        ratio = 10 * np.log10(np.sum(wave**2) / np.sum((decoded - wave) ** 2))
        assert ratio > 15, f"{stem}: {ratio:.1f} dB"  # the right stream, at the right place
    cache = root.with_name("musdb18-wav")
    assert sorted(path.parent.relative_to(cache).as_posix() for path in cache.rglob("mixture.wav")) == [
        "train/Anna - One",
        "valid/Leaf - Summerghost",
    ]
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    MUSDB18(root, progress=lambda done, total: pytest.fail("decoded again")).tracks("train")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")} == stamps


def test_musdb18_equals_what_musdb_reads(stem_mp4: Path, tmp_path: Path) -> None:
    musdb = pytest.importorskip("musdb")
    (track,) = MUSDB18(stem_mp4.parents[1], cache=tmp_path / "elsewhere").tracks("train")
    (theirs,) = musdb.DB(root=str(stem_mp4.parents[1]), subsets="train", split="train")
    np.testing.assert_array_equal(track.read("mixture"), theirs.audio.T.astype(np.float32))
    for target in track.targets:
        np.testing.assert_allclose(track.read(target), theirs.targets[target].audio.T, atol=1e-7)
    assert (tmp_path / "elsewhere" / "train" / "Anna - One" / "mixture.wav").exists()


def test_musdb18_is_prepared_verified_and_described(
    stem_mp4: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(stem_mp4.parents[1])]
    assert main(["data", "verify", "musdb18", *root]) == 0
    said = capsys.readouterr().out
    assert "is whole: 1 in train, 0 in valid" in said
    assert "do not add up" not in said
    assert not (tmp_path / "musdb18-wav").exists()  # verified as it was published
    output = tmp_path / "elsewhere"
    assert plan(MUSDB18(stem_mp4.parents[1]), output).bytes_needed == pytest.approx(5 * 4 * 22050, rel=0.1)
    assert main(["data", "prepare", "musdb18", *root, "-o", str(output), "--sample-rate", "22050"]) == 0
    capsys.readouterr()
    prepared, source = open_dataset("musdb18", output), MUSDB18(stem_mp4.parents[1])
    assert prepared.tracks("train")[0].sample_rate == 22050
    assert prepared.targets == source.targets
    assert prepared.fingerprint("train") != source.fingerprint("train")
    assert main(["data", "card", "musdb18", "--root", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["formats"] == {"wav": 5}
    decoded = open_dataset("musdb18", source.cache if source.tracks("train") else None)
    assert decoded.fingerprint("train") == source.fingerprint("train")
    content = stem_mp4.read_bytes()
    stem_mp4.write_bytes(content[: len(content) // 2])
    assert main(["data", "verify", "musdb18", *root]) == 1
    assert "Anna - One.stem.mp4 is corrupt, ffmpeg cannot decode it: download it again" in capsys.readouterr().err


def test_musdb18_decodes_anew_what_was_downloaded_anew(stem_mp4: Path) -> None:
    data = MUSDB18(stem_mp4.parents[1])
    data.tracks("train")
    decoded = data.cache / "train" / "Anna - One"
    state = json.loads((decoded / "prepared.json").read_text())
    (decoded / "prepared.json").write_text(json.dumps({**state, "source": {"stems": 5}}))
    (decoded / "bass.wav").write_bytes(b"old")
    before = data.fingerprint("train")
    again = MUSDB18(data.root)
    assert again.tracks("train")[0].frames > 22000
    assert again.fingerprint("train") == before


def test_musdb18_corrupt(stem_mp4: Path) -> None:
    content = stem_mp4.read_bytes()
    stem_mp4.write_bytes(content[: len(content) // 2])
    data = MUSDB18(stem_mp4.parents[1])
    with pytest.raises(ValueError, match=r"Anna - One.stem.mp4 is corrupt, ffmpeg cannot decode it: download it again"):
        data.tracks("train")
    assert not list(data.cache.rglob("*.wav"))
    assert not list(data.cache.rglob("*.part"))


def test_musdb18_with_too_few_streams(stem_mp4: Path) -> None:
    two = stem_mp4.with_name("Two.stem.mp4")
    command = ["ffmpeg", "-v", "error", "-i", str(stem_mp4), "-map", "0:0", "-map", "0:1", "-c", "copy", str(two)]
    subprocess.run(command, check=True)
    with pytest.raises(ValueError, match=r"Two.stem.mp4 has 2 audio streams and a stem file of MUSDB18 has 5"):
        MUSDB18(stem_mp4.parents[1]).tracks("train")


def test_musdb18_cannot_write(stem_mp4: Path, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the cache would go")
    with pytest.raises(OSError, match=r"cannot write the prepared Anna - One into .*: free some space, or name"):
        MUSDB18(stem_mp4.parents[1], cache=tmp_path / "full").tracks("train")


def test_musdb18_fills_the_disk(stem_mp4: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("msbench.audio.writing._PartFile.write", full)
    data = MUSDB18(stem_mp4.parents[1])
    with pytest.raises(OSError, match=r"cannot write the prepared .*No space left.*: free some space"):
        data.tracks("train")
    assert not list(data.cache.rglob("*"))


def test_musdb18_without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "musdb18" / "train").mkdir(parents=True)
    (tmp_path / "musdb18" / "train" / "A - B.stem.mp4").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    data = MUSDB18(tmp_path / "musdb18")
    with pytest.raises(FileNotFoundError, match=r"there is no ffmpeg on the PATH: install it \(apt install ffmpeg\)"):
        data.tracks("train")


# Folders and tables of one's own


def test_folder_discovers_targets(tmp_path: Path) -> None:
    for split, track in (("train", "b"), ("train", "a"), ("holdout", "c")):
        for i, (stem, extension) in enumerate((("strings", "flac"), ("vocals", "wav"), ("brass", "wav"))):
            write(tmp_path / split / track / f"{stem}.{extension}", noise(i))
        (tmp_path / split / track / "notes.txt").write_text("ignored")
    data = Folder(tmp_path)
    assert data.targets == data.stems == ("vocals", "brass", "strings")
    assert data.splits == ("train", "holdout")
    assert [track.name for track in data.tracks("train")] == ["a", "b"]
    track = data.tracks("holdout")[0]
    np.testing.assert_allclose(track.read("mixture"), sum(track.read(stem) for stem in data.stems), atol=1e-7)


def test_folder_of_one_target_and_a_mixture(tmp_path: Path) -> None:
    for i in range(2):
        vocals = noise(i)
        write(tmp_path / "train" / f"{i}" / "vocals.wav", vocals)
        write(tmp_path / "train" / f"{i}" / "mixture.wav", vocals + noise(10 + i))
    data = Folder(tmp_path)
    assert data.targets == ("vocals", "rest")
    track = data.tracks("train")[1]
    np.testing.assert_allclose(track.read("rest", 10, 50), noise(11).T[:, 10:60] / 32768, atol=1e-6)


def test_folder_whose_mixture_is_the_sum_has_no_rest(tmp_path: Path) -> None:
    write_song(tmp_path / "train" / "song", 0)
    assert Folder(tmp_path).targets == STEMS


def test_folder_of_mp3(tmp_path: Path) -> None:
    time = np.arange(44100) / 44100
    for name, hertz in (("vocals", 440), ("other", 660)):
        write(tmp_path / "train" / "song" / f"{name}.mp3", np.sin(2 * np.pi * hertz * time) / 3, 44100)
    track = Folder(tmp_path).tracks("train")[0]
    assert track.read("vocals", 20000, 100).shape == (1, 100)


def test_csv(tmp_path: Path) -> None:
    lines = ["target,path,split,track"]
    for split, name in (("train", "one"), ("valid", "two")):
        for i, target in enumerate(("vocals", "other")):
            write(tmp_path / "audio" / f"{name} {target}.wav", noise(i))
            lines.append(f'{target},"audio/{name} {target}.wav",{split},{name}')
    table = tmp_path / "songs.csv"
    table.write_text("\n".join(lines), "utf-8-sig")
    data = Folder(table)
    assert data.splits == ("train", "valid")
    assert data.targets == ("vocals", "other")
    np.testing.assert_array_equal(data.tracks("valid")[0].read("other"), noise(1).T / np.float32(32768))


def test_csv_bad_input(tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    table.write_text("split,track,file\ntrain,a,b.wav\n")
    with pytest.raises(ValueError, match=r"songs.csv has no column 'target': its first line must be split,track,targ"):
        Folder(table)
    table.write_text("split,track,target,path\ntrain,a,vocals,\n")
    with pytest.raises(ValueError, match=r"songs.csv, line 2: each of split, track, target, path needs a value"):
        Folder(table)
    table.write_bytes(b"split,track,target,path\ntrain,\xff\xfe,vocals,a.wav\n")
    with pytest.raises(ValueError, match=r"songs.csv is not a CSV in UTF-8"):
        Folder(table)
    table.write_text("split,track,target,path\ntrain,a,vocals,a.wav\ntrain,a,vocals,b.wav\n")
    with pytest.raises(ValueError, match=r"track 'a' of split 'train' has two files for 'vocals', .*a.wav and .*b.wav"):
        Folder(table)
    table.write_text("split,track,target,path\n")
    with pytest.raises(ValueError, match=r"no songs in .*songs.csv: put them in as <split>/<track>/<target>.wav"):
        Folder(table)
    table.write_text("split,track,target,path\ntrain,a,vocals,a.wav\ntrain,a,other,b.wav\n")
    with pytest.raises(FileNotFoundError, match=r"track 'a' of split 'train' lacks its vocals, .*a.wav: restore"):
        Folder(table).tracks("train")


def test_folder_with_a_stem_in_some_tracks_alone(tmp_path: Path) -> None:
    for track, stems in (("a", ("vocals", "other")), ("b", ("vocals", "other", "drums"))):
        for stem in stems:
            write(tmp_path / "train" / track / f"{stem}.wav", noise(0))
    with pytest.raises(ValueError, match=r"track 'a' of split 'train' has no 'drums', which other tracks have: add"):
        Folder(tmp_path)


def test_folder_with_nothing_to_separate(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a" / "vocals.wav", noise(0))
    with pytest.raises(ValueError, match=r"track 'a' of split 'train' has a single file, .*vocals.wav, and nothing to"):
        Folder(tmp_path)


def test_folder_where_one_mixture_is_missing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i, stem in enumerate(("vocals", "drums")):
            write(tmp_path / "train" / name / f"{stem}.wav", noise(i))
    write(tmp_path / "train" / "a" / "mixture.wav", noise(0) + noise(1) + noise(2))
    with pytest.raises(
        ValueError, match=r"track 'b' of split 'train' has no mixture, and in other tracks that is more"
    ):
        Folder(tmp_path).tracks("train")


def test_two_files_for_one_target(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a" / "vocals.wav", noise(0))
    write(tmp_path / "train" / "a" / "vocals.flac", noise(0))
    with pytest.raises(ValueError, match=r"has two files for 'vocals', .*vocals.flac and .*vocals.wav: remove one"):
        Folder(tmp_path)
