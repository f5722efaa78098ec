"""A model that brings its own training step: two networks against each other, and a closed form."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import msbench
from msbench.cli.app import main
from tests.tiny import fit_arguments, write_songs

PAGE = (Path(__file__).parents[2] / "docs" / "your-model.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PLUGINS = {"gan": "class Gan(", "best_gain": "class BestGain("}  # as a stranger copies them from the tutorial


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    (tmp_path / "plugins").mkdir()
    for name, marked in PLUGINS.items():
        (tmp_path / "plugins" / f"{name}.py").write_text(next(block for block in BLOCKS if marked in block))
    write_songs(tmp_path / "songs", seconds=0.5)
    return tmp_path


def flags(name: str, output: str, *more: str) -> list[str]:
    arguments = fit_arguments()
    arguments[arguments.index("tiny")] = name
    return ["fit", *arguments, "--separator.targets", "[voice,band]", "--output", output, *more]


SCHEDULE = "{class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 1, gamma: 0.5}}"


def test_a_gan_resumes_bit_for_bit(folder: Path) -> None:
    schedule = ["--model.lr_scheduler", SCHEDULE]
    every = ["--trainer.log_every_n_steps", "1"]
    assert main(flags("gan", "whole", "--trainer.max_epochs", "3", *schedule, *every)) == 0
    assert main(flags("gan", "run", "--trainer.max_epochs", "2", *schedule)) == 0
    assert main(flags("gan", "run", "--trainer.max_epochs", "3", *schedule)) == 0
    whole, run = (torch.load(f"{name}/last.ckpt", weights_only=True) for name in ("whole", "run"))
    assert whole["global_step"] == run["global_step"] == 3 * 4  # one for each batch, though two networks step
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, run["state_dict"][key]), key
    states = [[state["param_groups"][0]["lr"] for state in each["optimizer_states"]] for each in (whole, run)]
    assert states[0] == states[1] == [1.25e-4, 1.25e-4, 0.0]
    text = next(Path("whole/logs").rglob("metrics.csv")).read_text()
    for name in ("train_loss", "train_loss_generator", "train_loss_discriminator", "val_loss", "val_sdr"):
        assert name in text
    model = msbench.load("run/best.ckpt")
    assert model(torch.zeros(1, 1, 100)).shape == (1, 2, 1, 100)


def test_both_networks_of_a_gan_learn(folder: Path) -> None:
    assert main(flags("gan", "run", "--trainer.max_epochs", "1", "--seed_everything", "0")) == 0
    torch.manual_seed(0)
    trained, held = (
        msbench.load("run/last.ckpt").state_dict(),
        msbench.load("gan", targets=["voice", "band"]).state_dict(),
    )
    assert all(not torch.equal(trained[key], held[key]) for key in held)


def test_a_closed_form_is_trained_kept_and_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags("best_gain", "whole", "--trainer.max_epochs", "2")) == 0
    assert main(flags("best_gain", "run", "--trainer.max_epochs", "1")) == 0
    assert "trained: run/best.ckpt" in capsys.readouterr().out
    assert main(flags("best_gain", "run", "--trainer.max_epochs", "2")) == 0
    whole, run = (msbench.load(f"{name}/last.ckpt") for name in ("whole", "run"))
    assert torch.equal(whole.correlation, run.correlation)
    gains = (run.correlation / run.energy).tolist()
    assert gains[0] > 0.7  # the voice is the louder of the two
    assert sum(gains) == pytest.approx(1, abs=1e-3)
    assert main(["separate", "run/best.ckpt", "songs/test/song 0/voice.wav", "-o", "out"]) == 0
    assert main(flags("best_gain", "run", "--trainer.max_epochs", "2")) == 0
    assert "nothing was trained" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["gan", "best_gain"])
def test_the_conformance_check_passes(folder: Path, name: str) -> None:
    from msbench.conformance.checks import check

    results = list(check(name))
    assert [result for result in results if not result.passed] == []
    assert any(result.name == "an optimizer step" and "from a loss" in result.detail for result in results)


def test_what_such_a_step_does_not_heed_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for field, value in (
        ("trainer.gradient_clip_val", "1.0"),
        ("trainer.accumulate_grad_batches", "2"),
        ("trainer.precision", "16-mixed"),
    ):
        assert main(flags("gan", "run", f"--{field}", value)) == 2
        assert f"field {field}: Gan has a training step of its own: leave it out" in capsys.readouterr().err
    assert main(flags("best_gain", "run", "--trainer.devices", "2")) == 2
    assert "BestGain learns without an optimizer" in capsys.readouterr().err
    assert not Path("run").exists()


@pytest.mark.slow
def test_two_ranks_of_a_gan_have_the_same_weights(folder: Path) -> None:
    """They would drift apart if each took its own gradients."""
    script = (
        "import sys, torch\nfrom msbench.cli import main\nfrom msbench.training.module import SeparationModule\n"
        "def end(self):\n"
        "    torch.save({k: v.clone() for k, v in self.separator.state_dict().items()}, f'rank{self.global_rank}.pt')\n"
        "SeparationModule.on_train_end = end\nsys.exit(main(sys.argv[1:]))\n"
    )
    Path("script.py").write_text(script)
    arguments = flags("gan", "run", "--trainer.devices", "2", "--trainer.max_epochs", "1")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "script.py", *arguments], env=environment, capture_output=True, text=True,
                          timeout=200, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    start = msbench.load("gan", targets=["voice", "band"]).state_dict()
    for key in start:
        assert torch.equal(first[key], second[key]), key
    assert yaml.safe_load(Path("run/config.yaml").read_text())["name"] == "gan"
