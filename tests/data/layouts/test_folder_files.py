"""Which files of a folder or a table are stems, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from msbench.audio.finding import IN_PARTS
from msbench.data.layouts.folder_files import files_of
from msbench.data.track import Track
from tests.data.songs import noise

FORMATS = {".snd": "AU", ".aifc": "AIFF", ".aif": "AIFF", ".wave": "WAV", ".bwf": "WAV"}


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_tracks_of_any_visible_name(tmp_path: Path) -> None:
    for track in ("_Intro", "a"):
        touch(tmp_path / "test" / track / "vocals.wav", tmp_path / "test" / track / "._vocals.wav")
        touch(tmp_path / "test" / track / "@eaDir" / "vocals.wav", tmp_path / "test" / track / ".DS_Store")
    for clutter in ("@eaDir", "#recycle", ".git", "__MACOSX"):
        touch(tmp_path / "test" / clutter / "vocals.wav", tmp_path / clutter / "x" / "vocals.wav")
    found = files_of(tmp_path)
    assert found.songs == {
        "test": {track: {"vocals": tmp_path / "test" / track / "vocals.wav"} for track in ("_Intro", "a")}
    }
    assert (found.faults, found.unread, found.misplaced) == ([], [], [])


def test_what_is_not_read_is_kept(tmp_path: Path) -> None:
    song = tmp_path / "test" / "a"
    touch(song / "vocals.wav", song / "vocals.m4a", song / "bass.M4A", song / "cover.jpg", tmp_path / "mix.flac")
    touch(tmp_path / "test" / "album" / "song" / "vocals.wav", tmp_path / "test" / "stray.wav")
    found = files_of(tmp_path)
    assert found.unread == [Path("test/a/bass.M4A")]  # vocals.wav stands for vocals.m4a
    assert found.unread_sentence == (
        "1 file (test/a/bass.M4A) of an ending that is not read: convert such files (ffmpeg -i bass.M4A bass.flac), or "
        "move them out of the tracks"
    )
    assert found.misplaced == [Path("mix.flac"), Path("test/album"), Path("test/stray.wav")]
    assert found.misplaced_sentence.startswith("3 places (mix.flac, test/album, test/stray.wav) without a track: each")


def test_all_faults_of_a_table_are_kept_with_their_lines(tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    rows = ["../../victim,a,v,x.wav", "test,../b,v,x.wav", "test,a,v/w,x.wav", "test,a,,x.wav", "test,a,v,x.wav"]
    table.write_text("split,track,target,path\n" + "\n".join(rows) + "\n")
    found = files_of(table)
    assert found.songs == {"test": {"a": {"v": tmp_path / "x.wav"}}}
    assert len(found.faults) == 4
    assert found.faults[0] == (f"{table}, line 2: the split '../../victim' begins with a dot: give it another name")
    assert "line 3: the track '../b' begins with a dot" in found.faults[1]
    assert "line 4: the target 'v/w' holds a slash" in found.faults[2]
    assert "line 5: each of split, track, target, path needs a value" in found.faults[3]


def test_a_table_that_is_none(tmp_path: Path) -> None:
    table = tmp_path / "songs.csv"
    table.write_text('split,track,target,path\n"' + "x" * 200_000)
    with pytest.raises(ValueError, match=r"songs.csv is not a CSV: save it as one"):
        files_of(table)


@pytest.mark.parametrize("ending", [ending for ending in IN_PARTS if ending != ".mp3"])
def test_each_ending_is_read_by_seeks_to_the_sample(ending: str, tmp_path: Path) -> None:
    samples = noise(0, 30000)
    path = tmp_path / "test" / "a" / f"vocals{ending}"
    path.parent.mkdir(parents=True)
    soundfile.write(path, samples, 44100, "PCM_16", format=FORMATS.get(ending, ending[1:].upper()))
    track = Track("a", "test", files_of(tmp_path).songs["test"]["a"])
    for start in (0, 1, 12345, 29000):
        np.testing.assert_array_equal(track.read("vocals", start, 1000).T, samples[start : start + 1000] / 32768)
