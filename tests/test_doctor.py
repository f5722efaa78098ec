from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.doctor import examine


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
    assert "-> apt-get install ffmpeg" in out
