"""One of the cases of each kind that benchmarks/fuzz.py runs by the hundred: whole commands on mutated files."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from msbench.cli.app import main
from tests.hostile.commands import COMMANDS, state, write_scene

SEED = 15
KINDS = [pytest.param(k, marks=pytest.mark.slow if command.is_slow else ()) for k, command in COMMANDS.items()]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    write_scene(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files(
    kind: str, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tuple(f"here/{name}" for name in COMMANDS[kind].writes)
    here = tmp_path / "here"
    shutil.copytree(scene, here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(here / "plugins"))
    monkeypatch.setenv("PATH", f"{here / 'bin'}:{os.environ['PATH']}")
    arguments = COMMANDS[kind].arrange(random.Random(SEED))
    before = state(tmp_path, written)
    capfd.readouterr()
    assert main(arguments) in (0, 1, 2)
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "a bug in msbench" not in said.err
    assert state(tmp_path, written) == before
    assert not list(here.rglob("canary"))
