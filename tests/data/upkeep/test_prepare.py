"""Prepared datasets: the same samples, found under the same name; resumed, checked, and clear when they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main
from msbench.data.opening import open_dataset
from msbench.data.prepared import Prepared
from msbench.data.upkeep.prepare import Preparation, plan
from msbench.data.upkeep.stored_song import _checked
from msbench.data.upkeep.verify import verify
from msbench.model.stft import resample
from msbench.system.errors import is_bug
from tests.data.layouts.published import WRITERS, store, write_csv, write_ikala, write_medleydb, write_slakh2100
from tests.data.songs import write_musdb18hq, write_song


def prepare(name: str, root: Path, output: Path, **options: object) -> Preparation:
    made = plan(open_dataset(name, root), output, **options)  # type: ignore[arg-type]
    made.run(jobs=2, progress=lambda done, total: None)
    return made


@pytest.mark.parametrize("name", WRITERS)
def test_prepared_is_read_as_its_source(name: str, tmp_path: Path) -> None:
    source = open_dataset(name, WRITERS[name](tmp_path / "source"))
    prepare(name, source.root, tmp_path / "prepared")
    data = open_dataset(name, tmp_path / "prepared")
    assert isinstance(data, Prepared)
    assert (data.name, data.splits, data.targets, data.stems) == (name, source.splits, source.targets, source.stems)
    assert (data.version, data.licence) == (source.version, source.licence)
    for split in source.splits:
        assert data.fingerprint(split) == source.fingerprint(split)  # so scores on both rank together
        for ours, theirs in zip(data.tracks(split), source.tracks(split), strict=True):
            assert (ours.name, ours.header) == (theirs.name, theirs.header)
            for target in (*theirs.targets, "mixture"):
                np.testing.assert_allclose(ours.read(target), theirs.read(target), atol=1e-6)
            for stem in theirs.stems:
                np.testing.assert_array_equal(ours.read(stem), theirs.read(stem))
    assert data.notes == source.notes


def test_subtypes_hold_what_is_there_and_no_more(tmp_path: Path) -> None:
    prepare("medleydb", write_medleydb(tmp_path / "source"), tmp_path / "prepared")
    liz = tmp_path / "prepared" / "test" / "LizNelson_Rainfall"
    kinds = {path.stem: soundfile.info(path).subtype for path in liz.glob("*.wav")}
    assert kinds == {"mixture": "PCM_16", "vocals": "FLOAT", "other": "FLOAT"}  # 24 bits; no file for silence
    night = tmp_path / "prepared" / "train" / "AClassicEducation_NightOwl"
    kinds = {path.stem: soundfile.info(path).subtype for path in night.glob("*.wav")}
    assert (kinds["mixture"], kinds["bass"], kinds["drums"]) == ("PCM_16", "PCM_16", "FLOAT")  # drums are two files


def test_all_of_16_bits_survive(tmp_path: Path) -> None:
    samples = np.array([[-32768], [-32767], [-1], [0], [1], [32766], [32767]] * 20, np.int16)
    store(tmp_path / "source" / "train" / "a" / "vocals.wav", samples)
    store(tmp_path / "source" / "train" / "a" / "other.wav", samples)
    prepare("folder", tmp_path / "source", tmp_path / "prepared")
    kept, _ = soundfile.read(tmp_path / "prepared" / "train" / "a" / "vocals.wav", dtype="int16", always_2d=True)
    np.testing.assert_array_equal(kept, samples)


def test_mp3_is_decoded_once(tmp_path: Path) -> None:
    time = np.arange(2 * 48000) / 48000
    for name, hertz in (("vocals", 440), ("other", 660)):
        path = tmp_path / "source" / "train" / "a" / f"{name}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.sin(2 * np.pi * hertz * time * (1 + time / 9)) / 3, 48000)
    prepare("folder", tmp_path / "source", tmp_path / "prepared")
    (ours,), (theirs,) = (open_dataset("folder", tmp_path / x).tracks("train") for x in ("prepared", "source"))
    assert ours.header == theirs.header
    np.testing.assert_allclose(ours.read("vocals"), theirs.read("vocals"), atol=1e-6)


def test_resampled(tmp_path: Path) -> None:
    root = write_slakh2100(tmp_path / "source")
    prepare("slakh2100", root, tmp_path / "prepared", sample_rate=16000)
    data, source = open_dataset("slakh2100", tmp_path / "prepared"), open_dataset("slakh2100", root)
    ours, theirs = data.tracks("train")[0], source.tracks("train")[0]
    assert (ours.sample_rate, ours.frames) == (16000, -(-theirs.frames * 16000 // 44100))
    np.testing.assert_array_equal(ours.read("bass"), resample(theirs.read("bass"), 44100, 16000))
    assert data.fingerprint("train") != source.fingerprint("train")
    assert data.notes == ["test/Track01939 is left out: it has the MIDI file of Track00004"]


def test_clips_of_two_splits_are_stored_once(tmp_path: Path) -> None:
    prepare("ikala", write_ikala(tmp_path / "source"), tmp_path / "prepared")
    assert len(list((tmp_path / "prepared").rglob("vocals.wav"))) == 5
    assert not (tmp_path / "prepared" / "all").exists()
    assert len(open_dataset("ikala", tmp_path / "prepared").tracks("all")) == 5


def test_the_same_data_make_the_same_files(tmp_path: Path) -> None:
    root = write_csv(tmp_path / "source")
    for name in ("one", "two"):
        prepare("folder", root, tmp_path / name, sample_rate=22050)
    first, second = open_dataset("folder", tmp_path / "one"), open_dataset("folder", tmp_path / "two")
    assert first.manifest_sha256 == second.manifest_sha256 is not None


def test_a_second_run_does_what_is_missing_or_damaged(tmp_path: Path) -> None:
    root, output = write_musdb18hq(tmp_path / "source"), tmp_path / "prepared"
    prepare("musdb18hq", root, output)
    assert plan(open_dataset("musdb18hq", root), output).missing == []
    before = (output / "msbench-prepared.json").stat().st_mtime_ns
    prepare("musdb18hq", root, output)
    assert (output / "msbench-prepared.json").stat().st_mtime_ns == before
    damaged = output / "train" / "Song 1" / "bass.wav"
    content = bytearray(damaged.read_bytes())
    content[5000] ^= 1
    damaged.write_bytes(content)
    (output / "test" / "Song 4" / "drums.wav").unlink()
    write_song(root / "train" / "Song 2", 77, 8200)  # another download, as large
    again = plan(open_dataset("musdb18hq", root), output)
    assert sorted(song.name for song in again.missing) == ["Song 1", "Song 2", "Song 4"]
    again.run(progress=lambda done, total: None)
    data, source = open_dataset("musdb18hq", output), open_dataset("musdb18hq", root)
    for split in ("train", "test"):
        for ours, theirs in zip(data.tracks(split), source.tracks(split), strict=True):
            np.testing.assert_array_equal(ours.read("bass"), theirs.read("bass"))
    assert plan(open_dataset("musdb18hq", root), output, sample_rate=4000).stored == {}


def test_a_stopped_run_leaves_no_half_song_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, output = write_musdb18hq(tmp_path / "source"), tmp_path / "prepared"
    made = plan(open_dataset("musdb18hq", root), output)

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(jobs=1, progress=interrupt)
    assert not list(output.rglob("*.part"))
    assert not (output / "msbench-prepared.json").exists()
    again = plan(open_dataset("musdb18hq", root), output)
    assert 2 <= len(again.stored) < 5
    again.run(progress=lambda done, total: None)
    assert len(open_dataset("musdb18hq", output).tracks("train")) == 3


def test_a_killed_run_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "source"
    for i in range(12):
        write_song(root / "test" / f"Song {i}", i, 100_000)
    code = (
        "import sys; from pathlib import Path; from msbench.data.opening import open_dataset\n"
        "from msbench.data.upkeep.prepare import plan\n"
        f"made = plan(open_dataset('musdb18hq', {str(root)!r}), Path({str(tmp_path / 'out')!r}), sample_rate=48000)\n"
        "made.run(jobs=1, progress=lambda done, total: print(done, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.kill()
    process.wait()
    again = plan(open_dataset("musdb18hq", root), tmp_path / "out", sample_rate=48000)
    assert again.stored
    again.run(progress=lambda done, total: None)
    assert len(open_dataset("musdb18hq", tmp_path / "out").tracks("test")) == 12
    assert not list((tmp_path / "out").rglob("*.part"))


def test_two_runs_at_once(tmp_path: Path) -> None:
    data, output = open_dataset("musdb18hq", write_musdb18hq(tmp_path / "source")), tmp_path / "prepared"
    first, second = plan(data, output), plan(data, output)
    for each in (first, second):  # the second finds every song there as it publishes its own
        each.run(progress=lambda done, total: None)
    assert verify(open_dataset("musdb18hq", output)).errors == []
    assert not list(output.rglob("*.part"))


def test_broken_songs_are_said_together_and_the_others_prepared(tmp_path: Path) -> None:
    root, output = write_musdb18hq(tmp_path / "source"), tmp_path / "prepared"
    (root / "train" / "Song 0" / "bass.wav").write_bytes(b"")
    (root / "test" / "Song 4" / "drums.wav").unlink()
    made = plan(open_dataset("musdb18hq", root), output)
    with pytest.raises(
        ValueError, match=r"2 songs cannot be prepared, .*bass.wav has zero length.*; track 'Song 4' .* lacks its drums"
    ):
        made.run(progress=lambda done, total: None)
    assert len(plan(open_dataset("musdb18hq", root), output).stored) == 3
    assert not (output / "msbench-prepared.json").exists()


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    samples = np.zeros((4000, 2), np.float32)
    samples[10] = np.nan
    for name in ("vocals", "other"):
        store(tmp_path / "source" / "train" / "a" / f"{name}.wav", samples, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"track 'a' of split 'train' has samples that are NaN or infinite: `msbench"):
        prepare("folder", tmp_path / "source", tmp_path / "prepared")
    assert not list((tmp_path / "prepared").rglob("*.wav"))


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_musdb18hq(tmp_path / "source")
    made = plan(open_dataset("musdb18hq", root), tmp_path / "prepared")
    written = sum(path.stat().st_size for path in root.rglob("*.wav"))
    assert 0 < written - made.bytes_needed < 2000  # the headers
    monkeypatch.setattr(Preparation, "bytes_free", 50_000_000)
    with pytest.raises(OSError, match=r"5 songs of 'musdb18hq' take about 0.00 GB and the disk of .* has 0.05 GB free"):
        made.run()
    assert not (tmp_path / "prepared").exists()


def test_a_disk_that_loses_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msbench.data.upkeep.stored_song.encoded", lambda block, subtype: block + 1)
    made = plan(open_dataset("musdb18hq", write_musdb18hq(tmp_path / "source")), tmp_path / "prepared")
    with pytest.raises(OSError, match=r"does not hold what was written: the disk is at fault"):
        made.run(jobs=1, progress=lambda done, total: None)


def test_files_that_are_not_what_was_prepared(tmp_path: Path) -> None:
    prepare("musdb18hq", write_musdb18hq(tmp_path / "source"), tmp_path / "out")
    bass = tmp_path / "out" / "train" / "Song 1" / "bass.wav"
    bass.write_bytes(bass.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"bass.wav has 5000 bytes, and 3\d+ were written: run `msbench data prepare`"):
        open_dataset("musdb18hq", tmp_path / "out").tracks("train")
    assert main(["data", "verify", "musdb18hq", "--root", str(tmp_path / "out")]) == 1
    bass.unlink()
    with pytest.raises(FileNotFoundError, match=r"bass.wav is missing: run `msbench data prepare` again"):
        open_dataset("musdb18hq", tmp_path / "out").tracks("train")


def test_bad_requests(tmp_path: Path) -> None:
    data = open_dataset("musdb18hq", write_musdb18hq(tmp_path / "source"))
    with pytest.raises(ValueError, match=r"a sample rate of 44 Hz cannot be: give Hz"):
        plan(data, tmp_path / "out", sample_rate=44)
    with pytest.raises(ValueError, match=r"source is the dataset itself: name another folder"):
        plan(data, data.root)
    prepare("musdb18hq", data.root, tmp_path / "out")
    with pytest.raises(ValueError, match=r"out is prepared already: name the dataset's own folder as root"):
        plan(open_dataset("musdb18hq", tmp_path / "out"), tmp_path / "again")
    with pytest.raises(ValueError, match=r"out holds 'musdb18hq', prepared, not 'folder': give it as the dataset"):
        open_dataset("folder", tmp_path / "out")
    with pytest.raises(ValueError, match=r"out is prepared with a stem map already"):
        open_dataset("musdb18hq", tmp_path / "out", tmp_path / "map.yaml")
    for text in ("{", "[]", json.dumps({"format": 99})):
        (tmp_path / "out" / "msbench-prepared.json").write_text(text)
        with pytest.raises(ValueError, match=r"msbench-prepared.json is not a list that this msbench wrote: run"):
            open_dataset("musdb18hq", tmp_path / "out")


@pytest.mark.parametrize("lost", ["folder", "fingerprint"])
def test_a_list_without_a_field(lost: str, tmp_path: Path) -> None:
    prepare("musdb18hq", write_musdb18hq(tmp_path / "hq"), tmp_path / "out")
    path = tmp_path / "out" / "msbench-prepared.json"
    held = json.loads(path.read_text())
    split = held["splits"]["test"]
    del (split if lost == "fingerprint" else next(iter(split["tracks"].values())))[lost]
    path.write_text(json.dumps(held))
    with pytest.raises(ValueError, match=r"msbench-prepared.json is not a list that this msbench wrote: run"):
        open_dataset("musdb18hq", tmp_path / "out").fingerprint("test")


def test_a_name_that_is_no_folder(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "source")
    table.write_text(table.read_text().replace("een,", "AC/DC,"))
    with pytest.raises(ValueError, match=r"songs.csv, line 2: the track 'AC/DC' holds a slash"):
        prepare("folder", table, tmp_path / "prepared")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_medleydb(tmp_path / "source")
    (tmp_path / "map.yaml").write_text("targets: {guitar: ['*guitar']}\nrest: band\n")
    command = [
        "data",
        "prepare",
        "medleydb",
        "--root",
        str(root),
        "-o",
        str(tmp_path / "out"),
        "--sample-rate",
        "22050",
    ]
    assert main([*command, "--stem-map", str(tmp_path / "map.yaml"), "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "3 songs to prepare, 0 done before; about 0.00 GB to write, " in said
    assert "note     train/Phoenix_ScotchMorris is left out" in said
    data = open_dataset("medleydb", tmp_path / "out")
    assert data.targets == ("guitar", "band")
    assert data.stem_map["targets"] == {"guitar": ["*guitar"]}
    assert main([*command, "--stem-map", str(tmp_path / "none.yaml")]) == 2
    assert "msbench: no stem map" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--jobs", "0"])


def test_a_slip_is_no_broken_song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(open_dataset("musdb18hq", write_musdb18hq(tmp_path / "source")), tmp_path / "out")
    monkeypatch.setattr("msbench.data.track.Track.waves", lambda track: np.zeros(3).reshape(2, 2))
    with pytest.raises(ValueError, match="cannot reshape") as raised:
        made.run(progress=lambda done, total: None)
    assert is_bug(raised.value)
    with pytest.raises(ValueError, match="cannot reshape"):  # nor one of no bytes
        plan(made.data, tmp_path / "other")


def test_a_disk_that_loses_a_header(tmp_path: Path) -> None:
    (tmp_path / "vocals.wav").write_bytes(b"RIFF")
    with pytest.raises(OSError, match=r"vocals.wav does not hold what was written: the disk is at fault"):
        _checked(tmp_path / "vocals.wav", "1234")
