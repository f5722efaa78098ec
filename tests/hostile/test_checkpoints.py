"""Hostile files in the place of a checkpoint: refused in a sentence by all that takes one, and no code in them runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.model.checkpoints import Checkpoint
from tests.hostile.cases import refusal
from tests.hostile.pickles import checkpoints
from tests.tiny import fit_arguments, write_model, write_songs

COMMANDS = {
    "evaluate": ["evaluate", "odd.ckpt", "--data", "folder", "--root", "songs", "-o", "out"],
    "separate": ["separate", "odd.ckpt", "songs/test/song 0/voice.wav", "-o", "out"],
    "silences": ["data", "silences", "odd.ckpt", "songs/test/song 0", "--device", "cpu"],
    "fit from": ["fit", *fit_arguments(), "--output", "run", "--init_from", "odd.ckpt"],
    "fit": ["fit", *fit_arguments(), "--output", "run", "--ckpt_path", "odd.ckpt"],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs", seconds=0.5)
    return checkpoints(tmp_path / "canary")


def test_all_are_refused(files: dict[str, bytes]) -> None:
    for kind, content in files.items():
        Path("odd.ckpt").write_bytes(content)
        said = refusal(lambda: Checkpoint.read("odd.ckpt").separator())
        assert said is not None, kind
        assert "weights_only" not in said, kind
        assert "odd.ckpt" in said, kind
    assert not Path("canary").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_refuse_them(command: str, files: dict[str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    for kind, content in list(files.items())[:: 4 if command.startswith("fit") else 1]:  # a call of fit takes a second
        Path("odd.ckpt").write_bytes(content)
        before = sorted(Path().rglob("*"))
        assert main(COMMANDS[command]) == 2, kind
        said = capfd.readouterr()
        assert "weights_only" not in said.out + said.err, kind
        assert sorted(Path().rglob("*")) == before, kind
