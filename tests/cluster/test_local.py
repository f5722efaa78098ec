"""The local executor: cells that are told to stop, or whose executor is, go on later; none is left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.cluster.local import PRELOADED, PRELOADED_TO_TRAIN, visible_gpus
from msbench.runs.state import attempts, read_state
from msbench.runs.suite import read_suite
from tests.tiny import write_model, write_songs

SUITE = """
board: tiny
datasets: [folder]
roots: {folder: songs}
models: [tiny.yaml]
"""
RECIPE = """
name: tiny
data: {chunk_seconds: 0.25, chunks_per_epoch: 16, batch_size: 2}
early_stopping: {patience: 100000}
trainer: {max_epochs: 100000, accelerator: cpu}
"""


def wait_until(ready: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.1)


def process_of(folder: Path) -> list[int]:
    """Processes whose output goes to the log of this run."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if Path(os.readlink(path / "fd/1")) == folder / "log.txt":
                    found.append(int(path.name))
            except OSError:
                pass
    return found


@pytest.mark.slow
def test_a_told_cell_is_started_again_and_none_outlives_the_executor(tmp_path: Path) -> None:
    write_songs(tmp_path / "songs")
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    environment = {**os.environ, "MSBENCH_PLUGINS": str(write_model(tmp_path / "plugins"))}
    command = [sys.executable, "-m", "msbench.cli", "bench", str(tmp_path), "--jobs", "1"]
    suite = read_suite_of(tmp_path, environment["MSBENCH_PLUGINS"])
    folder = suite.run_folder(suite.cells[0])

    executor = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: read_state(folder).get("step", 0) > 0)
        os.kill(process_of(folder)[0], signal.SIGTERM)
        wait_until(lambda: len(attempts(folder)) == 2)
        assert attempts(folder)[0]["exit_code"] == 85
        saved = read_state(folder).get("step", 0)
        wait_until(lambda: read_state(folder).get("step", 0) > saved)
        executor.send_signal(signal.SIGTERM)
        assert executor.wait(60) == 130
        assert attempts(folder)[1]["exit_code"] == 85
        assert process_of(folder) == []
    finally:
        executor.kill()

    executor = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_until(lambda: len(attempts(folder)) == 3 and read_state(folder).get("step", 0) > 0)
    executor.kill()  # without a word: what it started saves itself and ends all the same
    wait_until(lambda: process_of(folder) == [])
    assert attempts(folder)[2]["exit_code"] == 85


def read_suite_of(folder: Path, plugins: str):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MSBENCH_PLUGINS", plugins)
        return read_suite(folder)


PLUGIN = """
from torch import Tensor
from msbench import Separator

class {name}(Separator):
    \"\"\"The mixture.\"\"\"

    trainable = False

    def forward(self, mixture: Tensor) -> Tensor:
        return mixture.unsqueeze(1).repeat(1, len(self.targets), 1, 1)
"""


def test_a_cell_has_the_environment_of_its_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs several suites keeps its fork server, and that its first environment."""
    write_songs(tmp_path / "songs")
    for name in ("Former", "Latter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name.lower()}.py").write_text(PLUGIN.format(name=name))
        (tmp_path / "suite.yaml").write_text(SUITE.replace("tiny.yaml", name.lower()))
        monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / name))
        assert main(["bench", str(tmp_path), "--jobs", "1"]) == 0


def test_more_gpus_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert visible_gpus() == ["0", "3"]
    write_songs(tmp_path / "songs")
    (tmp_path / "suite.yaml").write_text(SUITE + "resources: {gpus: 4}\n")
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    assert main(["bench", str(tmp_path)]) == 2
    assert "asks for 4 GPUs and this machine has 2: submit the suite to a cluster" in capsys.readouterr().err


def test_what_the_fork_server_loads_can_be_imported() -> None:
    for name in (*PRELOADED, *PRELOADED_TO_TRAIN):
        assert importlib.util.find_spec(name), name  # it would keep quiet, and each cell load for itself
