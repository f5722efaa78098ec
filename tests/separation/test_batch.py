"""Many files in one call: a folder of stems for each, and nothing overwritten."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

import msbench
from msbench.audio.writing import NoSpace
from msbench.separation import batch
from msbench.separation.batch import separate_songs, songs_of

TARGETS = ["voice", "band"]


class Half(msbench.Separator):
    trainable = False

    def __init__(self) -> None:
        super().__init__(TARGETS, 8000, 1)

    def forward(self, mixture):  # type: ignore[no-untyped-def]
        return mixture.unsqueeze(1).expand(-1, 2, -1, -1) / 2


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def song(*names: str) -> list[Path]:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, 0.1 * np.ones(800), 8000, format="WAV")
    return [Path(name) for name in names]


def folders(*inputs: str | Path) -> dict[str, str]:
    songs, failures = songs_of([Path(path) for path in inputs], Path("out"), TARGETS)
    assert not failures
    return {str(song.path): song.folder.relative_to("out").as_posix() for song in songs}


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (["x/01.wav", "02.wav"], ["01", "02"]),
        (["a/01.wav", "b/01.wav", "02.wav"], ["a/01", "b/01", "02"]),
        (["x/cd/01.wav", "y/cd/01.wav"], ["x/cd/01", "y/cd/01"]),
        (["01.wav", "01.flac"], ["01.wav", "01.flac"]),
        (["a/01.wav", "a/01.flac", "b/01.wav"], ["a/01.wav", "a/01.flac", "b/01.wav"]),
        (["...wav", "..wav"], ["...wav", "..wav"]),  # whose stems are ".." and "."
    ],
)
def test_files_are_told_apart(given: list[str], places: list[str]) -> None:
    assert folders(*song(*given)) == dict(zip(given, places, strict=True))


def test_a_folder_keeps_its_structure() -> None:
    song("album/cd1/01.wav", "album/cd2/01.wav", "album/cd2/01.flac", "album/intro.wav", "album/._intro.wav")
    assert list(folders("album").values()) == ["intro", "cd1/01", "cd2/01.flac", "cd2/01.wav"]
    song("other/cd1/01.wav")
    assert folders("album/cd1", "other/cd1") == {"album/cd1/01.wav": "album/cd1/01", "other/cd1/01.wav": "other/cd1/01"}


def test_the_same_file_twice_is_separated_once(tmp_path: Path) -> None:
    song("a/01.wav")
    assert folders("a/01.wav", "a/../a/01.wav", tmp_path / "a" / "01.wav", "a") == {"a/01.wav": "01"}


def test_a_second_call_takes_no_stems_for_songs() -> None:
    song("01.wav", "out/01/voice.wav")
    assert folders(".") == {"01.wav": "01"}


@pytest.mark.parametrize("given", [["voice/voice.wav"], ["."]])
def test_no_stem_overwrites_an_input(given: list[str]) -> None:
    song("voice.wav", "voice/voice.wav")
    with pytest.raises(ValueError, match=r"would overwrite the mixture (\./)?voice/voice.wav: give another output"):
        songs_of([Path(path) for path in given], Path(), TARGETS)


def test_an_input_of_one_song_is_no_stem_of_another() -> None:
    given = song("a.wav", "x/a/band.wav")
    with pytest.raises(ValueError, match=r"a stem of a.wav would overwrite the mixture x/a/band.wav"):
        songs_of(given, Path("x"), TARGETS)


def test_a_stem_is_no_folder_of_another() -> None:
    song("in/a.wav", "in/a/voice.wav/b.wav")
    with pytest.raises(ValueError, match=r"out/a/voice.wav would be a stem of in/a.wav and the folder of another"):
        songs_of([Path("in")], Path("out"), TARGETS)


def test_no_link_leads_out_of_the_output() -> None:
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/a").symlink_to("../elsewhere")
    with pytest.raises(ValueError, match=r"^out/a leads out of out: remove the link in it$"):
        songs_of(song("a.wav"), Path("out"), TARGETS)


def test_names_that_a_file_system_takes_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given = song("a/Song.wav", "b/song.wav")
    assert folders(*given) == {"a/Song.wav": "Song", "b/song.wav": "song"}
    monkeypatch.setattr(batch, "_folds_case", lambda _: True)
    assert folders(*given) == {"a/Song.wav": "a/Song", "b/song.wav": "b/song"}
    with pytest.raises(ValueError, match="does not tell their names apart"):
        folders(*song("c/Song.wav", "c/song.wav"))


def test_folders_without_songs_are_failures() -> None:
    Path("empty").mkdir()
    songs, failures = songs_of([*song("01.wav"), Path("empty")], Path("out"), TARGETS)
    assert [each.path for each in songs] == [Path("01.wav")]
    assert str(failures[0].error) == "empty holds no audio file: name the folder of the songs"


def test_one_bad_file_ends_no_other() -> None:
    given = song("a.wav", "b.wav", "c.wav")
    given[1].write_bytes(b"no sound")
    songs, _ = songs_of(given, Path("out"), TARGETS)
    outcomes = {song.path.name: outcome for song, outcome in separate_songs(Half(), songs)}
    assert isinstance(outcomes["b.wav"], ValueError)
    assert outcomes["c.wav"] == {target: Path("out", "c", f"{target}.wav") for target in TARGETS}
    assert sorted(os.listdir("out")) == ["a", "c"]


def test_stems_of_an_earlier_call_are_replaced() -> None:
    songs, _ = songs_of(song("a.wav"), Path("out"), TARGETS)
    for _ in range(2):
        list(separate_songs(Half(), songs))
    assert sorted(path.name for path in Path("out/a").iterdir()) == ["band.wav", "voice.wav"]


def test_a_full_disk_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: object, path: Path, *_: object, **__: object) -> dict[str, Path]:
        if path.name == "b.wav":
            raise NoSpace("No space left")
        return {}

    songs, _ = songs_of(song("a.wav", "b.wav", "c.wav"), Path("out"), TARGETS)
    monkeypatch.setattr(batch, "separate_into", full)
    assert [song.path.name for song, _ in separate_songs(Half(), songs)] == ["a.wav", "b.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read() -> None:
    given = song("a.wav", "in/closed/b.wav")
    given[0].chmod(0)
    given[1].parent.chmod(0)
    try:
        songs, failures = songs_of([given[0], Path("in")], Path("out"), TARGETS)
        assert "cannot list the folder" in str(failures[0].error)
        ((_, error),) = separate_songs(Half(), songs)
        assert "cannot open a.wav (Permission denied)" in str(error)
    finally:
        given[1].parent.chmod(0o700)
