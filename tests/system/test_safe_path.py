"""What lies in the working folder is never run in place of a library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from msbench.system.safe_path import VARIABLE, safe_path


def test_processes_started_within_look_for_nothing_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("print('run')")
    command = [sys.executable, "-c", "import yaml"]
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout == b"run\n"
    before = dict(os.environ)
    with safe_path():
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout == b""
        with safe_path():
            pass
        assert os.environ[VARIABLE] == "1"
    assert dict(os.environ) == before


def test_the_commands_that_python_runs_as_modules(tmp_path: Path) -> None:
    for name in ("yaml", "argparse", "rich", "importlib_metadata", "ast", "difflib"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nraise ImportError")
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    for command in (["msbench.cli", "list", "recipes"], ["msbench.cluster.cell", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "canary").exists(), command
