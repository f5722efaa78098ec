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
from msbench.separation.batch import Song, Written, separate_files, separate_songs, songs_of
from msbench.separation.inference import Inference
from msbench.separation.inputs import Inputs
from msbench.separation.marks import Marks
from msbench.separation.output import Output

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


def found(*inputs: str | Path, output: str = "out") -> list[Song]:
    given = Inputs.of([Path(path) for path in inputs], Path(output))
    assert not given.failures
    return songs_of(given, Output(), TARGETS, "half")


def separated(songs: list[Song]) -> dict[str, Written | Exception]:
    model = Half()
    marks = Marks(model, "half", Inference(), Output())
    return {song.path.name: outcome for song, outcome in separate_songs(model, songs, marks)}


def folders(*inputs: str | Path) -> dict[str, str]:
    return {str(song.path): song.stems["voice"].parent.relative_to("out").as_posix() for song in found(*inputs)}


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
        found(*given, output=".")


def test_an_input_of_one_song_is_no_stem_of_another() -> None:
    given = song("a.wav", "x/a/band.wav")
    with pytest.raises(ValueError, match=r"a stem of a.wav would overwrite the mixture x/a/band.wav"):
        found(*given, output="x")


def test_a_stem_is_no_folder_of_another() -> None:
    song("in/a.wav", "in/a/voice.wav/b.wav")
    with pytest.raises(ValueError, match=r"out/a/voice.wav would be a stem of in/a.wav and the folder of another"):
        found("in")


def test_no_link_leads_out_of_the_output() -> None:
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/a").symlink_to("../elsewhere")
    with pytest.raises(ValueError, match=r"^out/a leads out of out: remove the link in it$"):
        found(*song("a.wav"))


def test_names_that_a_file_system_takes_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given = song("a/Song.wav", "b/song.wav")
    assert folders(*given) == {"a/Song.wav": "Song", "b/song.wav": "song"}
    monkeypatch.setattr(batch, "_folds_case", lambda _: True)
    assert folders(*given) == {"a/Song.wav": "a/Song", "b/song.wav": "b/song"}
    with pytest.raises(ValueError, match="does not tell their names apart"):
        folders(*song("c/Song.wav", "c/song.wav"))


def test_one_bad_file_ends_no_other() -> None:
    given = song("a.wav", "b.wav", "c.wav")
    given[1].write_bytes(b"no sound")
    outcomes = separated(found(*given))
    assert isinstance(outcomes["b.wav"], ValueError)
    assert isinstance(outcomes["c.wav"], Written)
    assert outcomes["c.wav"].stems == {target: Path("out", "c", f"{target}.wav") for target in TARGETS}
    assert sorted(os.listdir("out")) == ["a", "c"]


def test_the_same_call_goes_on_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    given = song("a.wav", "b.wav", "c.wav")
    separate_files(Half(), given[:2], "out")
    Path("out/b/voice.wav").unlink()  # stopped between the two names
    before = {path: path.stat().st_ino for path in Path("out").rglob("*.wav")}
    tried = []
    monkeypatch.setattr(Half, "forward", lambda _, mixture: tried.append(1) or mixture.unsqueeze(1).repeat(1, 2, 1, 1))
    stems = separate_files(Half(), given, "out")
    assert len(tried) == 2
    assert [*stems] == given
    after = {path: path.stat().st_ino for path in Path("out").rglob("*.wav")}
    assert len(after) == 6
    assert {path for path in before if after[path] == before[path]} == {Path("out/a/voice.wav"), Path("out/a/band.wav")}


def test_nothing_of_others_is_overwritten() -> None:
    given = song("a.wav", "b.wav")
    separate_files(Half(), given[1:], "out")
    before = Path("out/b/voice.wav").read_bytes()
    sentence = r"^out/b/voice.wav would be overwritten, and another model, input or setting made what"
    with pytest.raises(FileExistsError, match=sentence):
        separate_files(Half(), given, "out", two_stems="voice")
    assert not Path("out/a").exists()
    assert Path("out/b/voice.wav").read_bytes() == before
    separate_files(Half(), given, "out", two_stems="voice", force=True)
    assert Path("out/b/no_voice.wav").exists()


def test_an_input_that_changed_is_not_taken_for_done() -> None:
    given = song("a.wav")
    separate_files(Half(), given, "out")
    soundfile.write("a.wav", 0.2 * np.ones(800), 8000)
    with pytest.raises(FileExistsError, match="another model, input or setting"):
        separate_files(Half(), given, "out")


def test_an_input_that_is_gone_is_said_to_be_so() -> None:
    given = song("a.wav")
    separate_files(Half(), given, "out")
    given[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"no audio file a.wav"):
        separate_files(Half(), given, "out")


def test_two_songs_never_share_a_file() -> None:
    with pytest.raises(ValueError, match=r"stems of a.wav and of b.wav would both be out/voice.wav"):
        separate_files(Half(), song("a.wav", "b.wav"), "out", name="{target}")
    assert not Path("out").exists()
    stems = separate_files(Half(), song("a.wav"), "out", name="{model}/{target}")
    assert [*stems[Path("a.wav")].values()] == [Path("out/Half/voice.wav"), Path("out/Half/band.wav")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written() -> None:
    Path("out").mkdir(mode=0o500)
    for clip in ("none", "rescale"):
        with pytest.raises(OSError, match=r"^cannot make the folder out/a \(Permission denied\): give another$"):
            separate_files(Half(), song("a.wav"), "out", clip=clip)
    assert not [*Path("out").iterdir()]


def test_a_full_disk_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: object, song: Song, *_: object) -> Written:
        if song.path.name == "b.wav":
            raise NoSpace("No space left")
        return Written({}, 0.0)

    monkeypatch.setattr(batch, "separate_song", full)
    assert [*separated(found(*song("a.wav", "b.wav", "c.wav")))] == ["a.wav", "b.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read() -> None:
    given = song("a.wav")
    given[0].chmod(0)
    (error,) = separated(found(*given)).values()
    assert "cannot open a.wav (Permission denied)" in str(error)
