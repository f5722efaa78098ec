"""The doctor on this machine, and on machines where something is missing: what it says, and the fix."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.doctor import examine, machine

Usage = namedtuple("Usage", ["total", "used", "free"])


def test_this_machine_can_do_the_main_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = {finding.name: finding for finding in examine()}
    assert {"python", "packages", "torch", "lightning", "soundfile", "slurm", "models"} <= set(findings)
    assert all(finding.works for finding in findings.values() if finding.needed)
    assert all(finding.fix for finding in findings.values() if not finding.works)
    assert not findings["demo songs"].works


def test_a_broken_plugin_and_missing_ffmpeg_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.py").write_text("import missing_package\nclass Bad(Separator): pass\n")
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "bad.py"))
    monkeypatch.setenv("PATH", "")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "No module named 'missing_package'" in out
    assert "no ffmpeg and no ffprobe on the PATH: M4A, AAC, WMA, video and MUSDB18's stem.mp4 cannot be read" in out
    assert "-> apt-get install ffmpeg" in out


@pytest.mark.parametrize(
    ("number", "said", "fix"),
    [
        (errno.EACCES, "cannot be written to: Permission denied", "go to a folder of your own"),
        (errno.EROFS, "cannot be written to: Read-only file system", "go to a folder of your own"),
        (errno.ENOSPC, "No space left on device", "free 2 GB there, or work on another disk"),
        (errno.EDQUOT, "Disk quota exceeded", "free 2 GB there, or work on another disk"),
    ],
)
def test_a_folder_that_takes_no_file(number: int, said: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.delenv("MSBENCH_DATA", raising=False)
    found, _ = machine.disk()
    assert (found.works, found.needed, found.fix) == (False, True, fix)
    assert said in found.detail


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10e9, 9e9, 1e9))
    found = next(iter(machine.disk()))
    assert (found.works, found.fix) == (False, "free 2 GB there, or work on another disk")


def test_datasets_that_can_only_be_read_are_all_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cannot_write", lambda folder: errno.EROFS if folder == tmp_path else None)
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path))
    found = next(each for each in machine.disk() if each.name == "MSBENCH_DATA")
    assert found.works
    assert "read-only" in found.detail
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path / "none"))
    found = next(each for each in machine.disk() if each.name == "MSBENCH_DATA")
    assert (found.works, found.fix) == (False, f"mkdir -p {tmp_path / 'none'}, or correct MSBENCH_DATA")


def test_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    *_, found = machine.disk()
    assert (found.works, found.fix) == (False, "export TMPDIR=a folder that you can write to")


def test_the_shared_memory_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SHARED_FOLDER", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64e6, 0, 64e6))
    (found,) = machine.shared_memory()
    assert (found.works, found.needed) == (False, False)
    assert found.fix == "docker run --shm-size 8g, or train with --data.workers 0"
