"""Verification: every fault of a file is found and said; the manifest is the data's own."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main
from msbench.data.layouts.medleydb import MedleyDB
from msbench.data.opening import open_dataset
from msbench.data.upkeep.card import card
from msbench.data.upkeep.prepare import plan
from msbench.data.upkeep.song_check import ERROR, NOTE, WARNING
from msbench.data.upkeep.verify import Report, verify
from tests.data.layouts.published import WRITERS, store, write_csv, write_ikala, write_medleydb, write_slakh2100
from tests.data.songs import noise, write, write_musdb18hq, write_song


def verified(name: str, root: Path) -> Report:
    return verify(open_dataset(name, root), jobs=2, progress=lambda done, total: None)


@pytest.mark.parametrize("name", WRITERS)
def test_whole_data_have_no_errors_and_one_manifest(name: str, tmp_path: Path) -> None:
    manifests = []
    for place in ("here", "there"):
        data = open_dataset(name, WRITERS[name](tmp_path / place))
        report = verify(data, progress=lambda done, total: None)
        assert report.errors == []
        assert report.written == data.manifest
        manifests.append(data.manifest_sha256)
    assert manifests[0] == manifests[1] is not None  # wherever the data lie
    held = json.loads(data.manifest.read_text("utf-8"))
    assert held["dataset"] == name
    for split in data.splits:
        for track in data.tracks(split):
            files = held["splits"][split]["tracks"][track.name]["files"]
            assert {role: file["sha256"] for role, file in files.items()} == {
                role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in track.files.items()
            }
    assert not list(data.root.parent.rglob(".msbench-verify"))


def damage_header(path: Path) -> None:
    path.write_bytes(b"RIFFnonsense" * 50)


def damage_middle(path: Path) -> None:
    soundfile.write(path.with_suffix(".flac"), *soundfile.read(path))
    content = bytearray(path.with_suffix(".flac").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.with_suffix(".flac").unlink()
    path.write_bytes(content)


FAULTS = {
    "zero bytes": (lambda path: path.write_bytes(b""), r"bass.wav has zero length: export or download it again"),
    "no samples": (lambda path: write(path, noise(0, 0)), r"bass.wav has zero length, a header without samples"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:9000]), r"bass.wav is cut short: its header"),
    "unreadable": (damage_header, r"cannot read .*bass.wav as audio, it is corrupt or of a format that"),
    "damaged": (damage_middle, r"bass.wav is corrupt between|bass.wav ends at|bass.wav does not hold"),
    "missing": (lambda path: path.unlink(), r"track 'Song 0' of split 'train' lacks its bass, .*bass.wav: restore"),
    "rate": (lambda path: write(path, noise(0), 16000), r"bass.wav has a sample rate of 16000 Hz, .* of 8000 Hz"),
    "length": (lambda path: write(path, noise(0, 77)), r"bass.wav has 77 samples, \w+.wav 8000"),
    "channels": (lambda path: write(path, noise(0, channels=1)), r"bass.wav has 1 channels, \w+.wav 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_file(fault: str, tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    break_it, sentence = FAULTS[fault]
    break_it(root / "train" / "Song 0" / "bass.wav")
    report = verified("musdb18hq", root)
    (error,) = report.errors
    assert re.search(sentence, error), error
    assert report.written is None
    assert open_dataset("musdb18hq", root).manifest_sha256 is None


def test_nan_and_infinite_samples(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    samples = noise(1) / np.float32(32768)
    samples[100, 0], samples[7000] = np.nan, np.inf
    store(root / "train" / "Song 0" / "vocals.wav", samples, 8000, "FLOAT")
    (error,) = verified("musdb18hq", root).errors
    assert "track 'Song 0' of split 'train': 3 samples of its vocals (" in error
    assert "vocals.wav) are NaN or infinite: export it again" in error


def test_nan_in_a_channel_of_a_clip(tmp_path: Path) -> None:
    root = write_ikala(tmp_path / "iKala")
    samples = noise(1, 4000) / np.float32(32768)
    samples[5:9, 0] = np.nan
    clip = store(root / "Wavfile" / "21025_verse.wav", samples, subtype="FLOAT")
    (error,) = verified("ikala", root).errors
    assert f"4 samples of its accompaniment ({clip}) are NaN or infinite" in error


def test_metadata_that_is_missing(tmp_path: Path) -> None:
    root = write_slakh2100(tmp_path / "slakh")
    (root / "train" / "Track00002" / "metadata.yaml").unlink()
    (root / "validation" / "Track01501" / "stems" / "S00.flac").unlink()
    metadata, stem = verified("slakh2100", root).errors
    assert re.match(r"no metadata .*Track00002/metadata.yaml: restore the file", metadata)
    assert re.match(r"track 'Track01501' of split 'valid' lacks its bass, .*S00.flac", stem)


def test_unreadable_for_want_of_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    bass, opened = root / "train" / "Song 0" / "bass.wav", Path.open

    def refuse(path: Path, *arguments: object, **options: object) -> object:  # root may read anything
        if path == bass:
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)  # type: ignore[arg-type,call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    (error,) = verified("musdb18hq", root).errors
    assert error.endswith("bass.wav (Permission denied): correct its permissions, or the disk")


def test_sums_and_errata(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    for split, name in (("test", "PR - Oh No"), ("train", "Mine")):
        folder = write_song(root / split / name, 50)
        mixture, _ = soundfile.read(folder / "mixture.wav", dtype="int16")
        mixture[:, 0] = mixture[:, 0] // 2  # half of the left channel
        write(folder / "mixture.wav", mixture)
    found = verified("musdb18hq", root).findings
    sums = {level: sentence for level, sentence in found if "do not add up" in sentence}
    assert set(sums) == {WARNING, NOTE}
    assert "track 'Mine' of split 'train'" in sums[WARNING]
    assert "left 0.0 dB (at most -25 dB expected)" in sums[WARNING]
    assert "right" not in sums[WARNING]
    assert sums[NOTE].endswith(", as its publishers say")
    erratum = "published erratum of test/PR - Oh No: the sum of the stems is not the mixture in the left channel"
    assert (NOTE, erratum) in found


def test_counts_rates_and_silence(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    write(root / "valid" / "Song 3" / "drums.wav", noise(0, 8300) * 0)
    found = verified("musdb18hq", root).findings
    assert (WARNING, "train has 3 tracks, and 'musdb18hq' is published with 86") in found
    assert any("a sample rate of 8000 Hz, and 'musdb18hq' is published at 44100" in text for _, text in found)
    assert (NOTE, "track 'Song 3' of split 'valid' is silent throughout in drums") in found
    slakh = verified("slakh2100", write_slakh2100(tmp_path / "slakh")).findings
    assert (NOTE, "test/Track01939 is left out: it has the MIDI file of Track00004") in slakh


def test_changes_since_the_manifest(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    verified("musdb18hq", root)
    assert verified("musdb18hq", root).errors == []
    write(root / "train" / "Song 0" / "bass.wav", noise(99))
    (error,) = verified("musdb18hq", root).errors
    assert error.startswith("bass.wav of track 'Song 0' of split 'train' has changed since ")
    assert error.endswith("restore the data or, if that is meant, remove the manifest and verify again")
    (root / "train" / "Song 0").rename(root / "train" / "Song 9")
    assert sum("is gone" in text for text in verified("musdb18hq", root).errors) == 5
    (root / "msbench-manifest.json").write_text("nonsense")
    (error,) = verified("musdb18hq", root).errors
    assert error == f"{root}/msbench-manifest.json cannot be read: remove it, and verify again"


def test_prepared_files_are_checked_by_their_hashes(tmp_path: Path) -> None:
    plan(open_dataset("ikala", write_ikala(tmp_path / "source")), tmp_path / "out").run(progress=lambda d, t: None)
    data = open_dataset("ikala", tmp_path / "out")
    assert verify(data).errors == []
    assert not (data.root / "msbench-manifest.json").exists()
    path = data.tracks("all")[0].files["vocals"]
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)
    errors = verified("ikala", data.root).errors
    assert len(errors) == 2  # in its split and in all
    assert all("vocals.wav of track" in error and "has changed since" in error for error in errors)


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_dataset("musdb18hq", write_musdb18hq(tmp_path / "hq"))

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(data, jobs=1, progress=interrupt)
    journal = data.root / ".msbench-verify"
    done = len(journal.read_text().splitlines())
    assert 3 <= done <= 5
    journal.write_text(journal.read_text() + '{"key": "half a li')
    read: list[str] = []
    examined = "msbench.data.upkeep.verify.check_samples"
    monkeypatch.setattr(examined, lambda data, song, waves, found: read.append(song.name) or [])
    assert verify(data, progress=lambda done, total: None).errors == []
    assert len(read) == 5 - done
    assert not journal.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_dataset("musdb18hq", write_musdb18hq(tmp_path / "hq"))

    def refuse(path: Path, content: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("msbench.data.upkeep.verify.write_json", refuse)
    report = verify(data, progress=lambda done, total: None)
    assert report.errors == []
    assert report.written is None
    assert any("cannot be written to" in text and "Read-only" in text for _, text in report.findings)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    command = ["data", "verify", "musdb18hq", "--root", str(root)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert f"is whole: 3 in train, 1 in valid, 1 in test\nmanifest {root}/msbench-manifest.json  sha256 " in said
    (root / "train" / "Song 0" / "bass.wav").write_bytes(b"")
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{ERROR}    {root}/train/Song 0/bass.wav has zero length: export or download it again\n")
    assert error.splitlines()[-1].startswith("msbench: 'musdb18hq' at ")
    assert main(["data", "verify", "musdb18hq", "--root", str(tmp_path / "none")]) == 2
    assert "msbench: no dataset 'musdb18hq' at" in capsys.readouterr().err
    assert main(["data", "card", "musdb18hq", "--root", str(root)]) == 2
    assert "bass.wav has zero length: export or download it again" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*WRITERS, "musdb18"])
def test_a_folder_without_the_dataset(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    root = ["--root", str(tmp_path / "empty")]
    for command in (
        ["verify", name, *root],
        ["card", name, *root],
        ["prepare", name, *root, "-o", str(tmp_path / "o")],
    ):
        assert main(["data", *command]) == 2
        error = capsys.readouterr().err
        assert re.match(
            r"msbench: no (tracks of|songs in) .*(its root must hold|put them in as|give another root)", error
        )
    assert not (tmp_path / "o").exists()


# Cards


def test_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_medleydb(tmp_path / "MedleyDB")
    assert main(["data", "card", "medleydb", "--root", str(root), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["tracks"], made["sample_rates"], made["channels"]) == (3, {"44100": 3}, {"2": 3})
    assert made["hours"] == pytest.approx(3 * 4000 / 44100 / 3600, abs=1e-4)
    assert made["targets"] == ["vocals", "drums", "bass", "other", "accompaniment"]
    assert made["formats"] == {"wav": 23}
    assert (made["licence"], made["left_out"]) == ("CC BY-NC-SA 4.0", 2)
    assert sum(split["tracks"] for split in made["splits"].values()) == 3
    assert made["layout_verified_on"] == MedleyDB.verified
    assert main(["data", "card", "medleydb", "--root", str(root)]) == 0
    text = capsys.readouterr().out
    for part in (
        "tracks           3, 0.00 h",
        "44100 Hz",
        "ISMIR 2014",
        "accompaniment  drums + bass + other",
        "LUFS",
        f"layout           verified on {MedleyDB.verified}",
    ):
        assert part in text
    assert "none yet: msbench data verify writes it" in text


def test_loudness_is_that_of_the_standard(tmp_path: Path) -> None:
    time = np.arange(2 * 48000) / 48000
    sine = 10 ** (-23 / 20) * np.sin(2 * np.pi * 997 * time)  # EBU Tech 3341, case 1: -23 LUFS in stereo
    for name, samples in (("vocals", sine / 2), ("other", sine / 2)):
        store(tmp_path / "test" / "a" / f"{name}.wav", np.stack([samples, samples], axis=1), 48000, "FLOAT")
    made = card(open_dataset("folder", tmp_path))
    assert made["loudness_lufs"]["median"] == pytest.approx(-23.0, abs=0.1)


def test_card_of_silence_and_of_a_table(tmp_path: Path) -> None:
    for name in ("vocals", "other"):
        store(tmp_path / "silent" / "test" / "a" / f"{name}.wav", noise(0) * 0)
    assert card(open_dataset("folder", tmp_path / "silent"))["loudness_lufs"] is None
    made = card(open_dataset("folder", write_csv(tmp_path)))
    assert made["tracks"] == 2
    assert made["splits"] == {"train": {"tracks": 1, "hours": 0.0}, "test": {"tracks": 1, "hours": 0.0}}


def test_clips_of_two_splits_count_once(tmp_path: Path) -> None:
    made = card(open_dataset("ikala", write_ikala(tmp_path / "iKala")))
    assert made["tracks"] == made["splits"]["all"]["tracks"] == 5


def test_a_slip_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_dataset("musdb18hq", write_musdb18hq(tmp_path / "hq"))
    monkeypatch.setattr("msbench.data.track.Track.waves", lambda track: np.zeros(3).reshape(2, 2))
    with pytest.raises(ValueError, match="cannot reshape"):
        verify(data, progress=lambda done, total: None)
    monkeypatch.setattr("msbench.data.layouts.musdb18hq.MUSDB18HQ.songs", lambda data, split: {}["song"])
    with pytest.raises(KeyError, match="song"):
        verify(data, progress=lambda done, total: None)


def test_all_faults_of_a_folder_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_musdb18hq(tmp_path / "own")
    songs = sorted((root / "train").iterdir())
    (songs[0] / "bass.wav").write_bytes(b"")
    (songs[1] / "drums.wav").unlink()
    (songs[2] / "other.wav").rename(songs[2] / "other.m4a")
    assert main(["data", "verify", "folder", "--root", str(root)]) == 1
    said = capsys.readouterr().err
    assert "bass.wav has zero length" in said
    assert "has no 'drums', which other tracks have: add the file" in said
    assert "has no 'other', which other tracks have: convert its other.m4a, which is not read" in said
    assert f"{root} has 1 file (train/Song 2/other.m4a) of an ending that is not read" in said
