"""The networks of single targets, trained alone, are one model of all targets when joined."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import msbench
from msbench.cli.app import main
from msbench.model.checkpoints import Checkpoint
from msbench.training.joining import join
from tests.tiny import fit_arguments, write_songs

MODEL = '''
"""One network per target."""
import torch
from torch import nn
from msbench import Separator


class Apart(Separator):
    """A convolution for each target, and one gain for all."""

    def __init__(self, targets: list[str] = ("voice", "band"), sample_rate: int = 8000, channels: int = 1,
                 width: int = 9):
        super().__init__(targets, sample_rate, channels)
        self.nets = nn.ModuleDict({t: nn.Conv1d(channels, channels, width, padding=width // 2) for t in targets})
        self.register_buffer("gain", torch.ones(()))

    def networks(self):
        return dict(self.nets)

    def forward(self, mixture):
        return self.gain * torch.stack([net(mixture) for net in self.nets.values()], 1)

    def loss(self, batch, criterion):
        estimates = self(batch.mixture)
        return {t: criterion(estimates[:, i : i + 1], batch.references[:, i : i + 1])
                for i, t in enumerate(self.targets)}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "apart.py").write_text(MODEL)
    return tmp_path


def saved(name: str, targets: list[str], width: int = 9, gain: float = 1.0) -> Path:
    model = msbench.load("apart", targets=targets, width=width)
    model.gain.fill_(gain)
    path = Path(f"{name}.ckpt")
    weights = {f"separator.{key}": value for key, value in model.state_dict().items()}
    training = {"data": "standard", "datasets": ["demo"], "tracks": 4, "hours": 0.1}
    torch.save({"state_dict": weights, "msbench_separator": model.registered, "training": training, "seed": 0}, path)
    return path


def test_networks_trained_apart_are_joined(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_songs(folder / "songs", seconds=0.5)
    arguments = fit_arguments()
    arguments[arguments.index("tiny")] = "apart"
    epochs = ["--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "1"]
    for target in ("voice", "band"):
        flags = ["--separator.targets", f"[{target}]", "--checkpoint.monitor", f"val_loss_{target}"]
        assert main(["fit", *arguments, *epochs, *flags, "--output", target]) == 0
    assert "train_loss_band" in next(Path("band/logs").rglob("metrics.csv")).read_text()
    assert main(["join", "band/best.ckpt", "voice/best.ckpt", "-o", "all.ckpt"]) == 0
    assert capsys.readouterr().out.endswith("all.ckpt\n")
    model = msbench.load("all.ckpt")
    assert model.targets == ["band", "voice"]
    mixture = torch.randn(2, 1, 500, generator=torch.Generator().manual_seed(0))
    for i, target in enumerate(model.targets):
        assert torch.equal(model(mixture)[:, i : i + 1], msbench.load(f"{target}/best.ckpt")(mixture))
    assert main(["evaluate", "all.ckpt", "--data", "folder", "--root", "songs", "-o", "record.json"]) == 0
    assert main(["fit", *arguments, *epochs, "--separator.targets", "[band,voice]", "--init_from", "all.ckpt",
                 "--output", "on"]) == 0  # fmt: skip


def test_what_the_checkpoints_learned_from_is_told_once(folder: Path) -> None:
    held = Checkpoint.read(join([saved("a", ["voice"]), saved("b", ["band", "bass"])], "all.ckpt"))
    assert held.options["targets"] == ["voice", "band", "bass"]
    assert held.training is not None
    assert (held.training["datasets"], held.training["tracks"], held.seed) == (["demo"], 4, 0)


def test_what_does_not_belong_together_is_refused(folder: Path) -> None:
    voice, band = saved("voice", ["voice"]), saved("band", ["band"])
    model = msbench.load("unet", targets=["band"], depth=3, filters=2)
    weights = {f"separator.{key}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": weights, "msbench_separator": model.registered}, "other.ckpt")
    for paths, message in (
        ([voice], "a single checkpoint has nothing to be joined with"),
        ([voice, "other.ckpt"], r"other.ckpt is a checkpoint of 'unet', and voice.ckpt of 'apart'"),
        ([voice, saved("wide", ["band"], width=5)], r"wide.ckpt was trained with width 5, and voice.ckpt with 9: only"),
        ([voice, saved("again", ["band", "voice"])], "again.ckpt holds voice, as one before it does"),
        ([voice, saved("loud", ["band"], gain=2.0)], "other values of gain, which all targets share"),
        ([voice, "not there.ckpt"], "no checkpoint not there.ckpt"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            join(paths, "all.ckpt")
        assert not Path("all.ckpt").exists()
    with pytest.raises(ValueError, match=r"band.ckpt exists: give another name with -o"):
        join([voice, band], band)
