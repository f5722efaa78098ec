"""Which files of a folder are audio."""

from __future__ import annotations

from pathlib import Path

from msbench.audio.finding import audio_files


def test_what_systems_leave_is_passed_over(tmp_path: Path) -> None:
    kept = ["01.wav", "UPPER.WAV", "_live/a.m4a", "b/c/video.mkv", "b/song.flac"]
    passed = ["._01.wav", ".hidden/a.wav", "b/@eaDir/song.flac", "__MACOSX/._a.wav", "#recycle/x.wav", "notes.txt"]
    for name in kept + passed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in audio_files(tmp_path)] == [
        *("01.wav", "UPPER.WAV", "_live/a.m4a", "b/song.flac", "b/c/video.mkv")
    ]
    assert len(list(audio_files(tmp_path / "b" / "@eaDir"))) == 1  # one that is asked for by name


def test_a_link_makes_no_circle(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "round").symlink_to(tmp_path)
    assert list(audio_files(tmp_path)) == [tmp_path / "a.wav"]
