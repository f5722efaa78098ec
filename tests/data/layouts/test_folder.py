"""Folders and tables of one's own songs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from msbench.data.layouts.folder import Folder
from msbench.data.opening import open_dataset
from tests.data.layouts.published import write_csv
from tests.data.songs import STEMS, noise, write, write_song


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
    with pytest.raises(ValueError, match=r"songs.csv is not UTF-8: line 2: save the file as UTF-8"):
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


def test_csv_of_floats(tmp_path: Path) -> None:
    table = write_csv(tmp_path)
    data = open_dataset("folder", table)
    assert data.splits == ("train", "test")
    assert data.manifest == tmp_path / "songs.csv.msbench-manifest.json"
    assert data.manifest_sha256 is None
    data.manifest.write_text("{}")
    assert data.manifest_sha256 == hashlib.sha256(b"{}").hexdigest()
