"""Training on songs without stems: from the detector to a record, and what is refused before a folder is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import msbench
from msbench import registry
from msbench.cli.app import main
from msbench.data.loading.unlabelled import RemixedBatch
from msbench.model.checkpoints import Checkpoint
from msbench.model.separator import Separator, SpectrogramSeparator
from msbench.training.fit import fit
from msbench.training.module import SeparationModule
from tests.plugins.test_contract import SMALLER
from tests.tiny import RATE, fit_arguments, write_model, write_songs, write_unlabelled


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs")
    return [*fit_arguments(), "--trainer.max_epochs", "1"]


@pytest.fixture
def more(tmp_path: Path) -> Path:
    return write_unlabelled(tmp_path / "more")


def weights(folder: Path) -> dict[str, Tensor]:
    return msbench.load(folder / "last.ckpt").state_dict()


def test_from_the_detector_to_the_record(arguments: list[str], more: Path) -> None:
    (more / "silences.json").unlink()
    first = fit([*arguments, "--output", "first"])
    # A tiny model that has learned to give no voice at all.
    content = torch.load(first / "best.ckpt", weights_only=True)
    content["state_dict"]["separator.conv.weight"][0] = 0
    content["state_dict"]["separator.conv.bias"][0] = 0
    torch.save(content, "detector.ckpt")
    assert main(["data", "silences", "detector.ckpt", "more", "--device", "cpu"]) == 0
    second = fit([*arguments, "--output", "second", "--data.unlabelled", "more", "--data.unlabelled_share", "0.5"])
    training = Checkpoint.read(second / "best.ckpt").training
    assert training is not None
    assert training["datasets"] == ["folder", "more (unlabelled)"]
    assert training["unlabelled_hours"] == pytest.approx(3 / 3600, abs=1e-4)
    for folder, data in ((first, "standard"), (second, "extra")):
        record = msbench.evaluate(str(folder / "best.ckpt"), dataset="folder", root="songs", device="cpu")
        assert record["training"]["data"] == data


def test_it_trains_and_resumes_exactly(arguments: list[str], more: Path) -> None:
    arguments = [*arguments, "--data.unlabelled", str(more)]
    plain = weights(fit([*arguments[:-2], "--trainer.max_epochs", "2", "--output", "plain"]))
    whole = weights(fit([*arguments, "--trainer.max_epochs", "2", "--output", "whole"]))
    fit([*arguments, "--output", "halves"])
    halves = weights(fit([*arguments, "--trainer.max_epochs", "2", "--output", "halves"]))
    weighted = ["--model.unlabelled_weight", "0.1", "--trainer.max_epochs", "2", "--output", "weighted"]
    assert all(torch.equal(whole[key], halves[key]) for key in whole)
    assert not torch.equal(whole["conv.weight"], plain["conv.weight"])
    assert not torch.equal(whole["conv.weight"], weights(fit([*arguments, *weighted]))["conv.weight"])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--model.pit", "true"], "model.pit cannot compare the sum of several targets: train without it"),
        (
            ["--data.chunk_seconds", "3.5"],
            "the longest silence is 3 s (voice), so shorten data.chunk_seconds, list them",
        ),
        (["--data.unlabelled", "songs"], "songs has no silences.json: make it with `msbench data silences CHECKPOINT"),
        (["--data.unlabelled_share", "1"], "data.unlabelled_share must be above 0 and below 1, not 1"),
        (["--model.unlabelled_weight", "0"], "model.unlabelled_weight must be above 0, not 0"),
    ],
)
def test_refused_before_a_folder_is_made(
    arguments: list[str], more: Path, flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments, "--output", "run", "--data.unlabelled", str(more), *flags]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("run").exists()


# The training step


class Fixed(Separator):
    """Gives the mixture, weighted for each target."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__([f"target {i}" for i in range(len(weights))], RATE, 1)
        self.weights = torch.nn.Parameter(torch.tensor(weights))

    def forward(self, mixture: Tensor) -> Tensor:
        return self.weights[:, None, None] * mixture[:, None]


class Masked(SpectrogramSeparator):
    """The same by masks."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__([f"target {i}" for i in range(len(weights))], RATE, 1, 64, 16)
        self.weights = torch.nn.Parameter(torch.tensor(weights))

    def mask(self, spectrogram: Tensor) -> Tensor:
        return self.weights[:, None, None, None] * torch.ones_like(spectrogram)[:, None]


def batch() -> RemixedBatch:
    """Two items of three targets; of the second, target 1 is 0.3 of the mixture, and the rest 0.7."""
    mixture = torch.randn(2, 1, 500, generator=torch.Generator().manual_seed(0))
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.7, 0.3, 0.0]])[:, :, None, None]
    return RemixedBatch(mixture, shares * mixture[:, None], torch.tensor([-1, 1]))


@pytest.mark.parametrize("kind", [Fixed, Masked])
def test_the_training_loss_by_hand(kind: type[Fixed] | type[Masked], monkeypatch: pytest.MonkeyPatch) -> None:
    made, level = batch(), batch().mixture.abs().mean((1, 2))
    module = SeparationModule(kind([0.4, 0.2, 0.1]), unlabelled_weight=0.5)
    monkeypatch.setattr(module, "log", lambda *args, **options: None)
    # Of the first item each target is 0.1 short; of the second the known one too, and the rest 0.5 instead of 0.7.
    expected = (0.1 * level[0] + 0.5 * (0.1 + 0.2) / 2 * level[1]) / 2
    torch.testing.assert_close(module.training_step(made, 0), expected, rtol=1e-4, atol=1e-5)


def test_magnitudes_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made, separator = batch(), Masked([0.4, 0.2, 0.1])
    level = separator.stft(made.mixture).abs().mean((1, 2, 3))
    module = SeparationModule(separator, loss_domain="magnitude")
    monkeypatch.setattr(module, "log", lambda *args, **options: None)
    expected = (0.1 * level[0] + (0.1 + 0.2) / 2 * level[1]) / 2
    torch.testing.assert_close(module.training_step(made, 0), expected, rtol=1e-4, atol=1e-6)


def test_models_without_a_sum_are_refused() -> None:
    film = SeparationModule(msbench.load("film_unet", depth=3, filters=2), loss_domain="magnitude")
    with pytest.raises(ValueError, match="FiLMUNet is trained on some targets at a time"):
        film.remixed_criterion(torch.tensor([0]))
    masks = SeparationModule(msbench.load("deep_karaoke"), loss="bce", loss_domain="mask")
    with pytest.raises(ValueError, match=r"model\.loss_domain mask cannot compare the sum"):
        masks.remixed_criterion(torch.tensor([0]))

    class Complex(Masked):
        complex_input = True

    with pytest.raises(ValueError, match=r"SEGAN has a training step of its own, and data\.unlabelled"):
        SeparationModule(msbench.load("segan", filters=[2, 2], kernel=3, noise=2)).remixed_criterion(torch.tensor([0]))
    with pytest.raises(ValueError, match=r"Complex has complex masks, .*: train it with model\.loss_domain waveform"):
        SeparationModule(Complex([0.5, 0.5]), loss_domain="magnitude").remixed_criterion(torch.tensor([0]))


def trainable() -> list[str]:
    models = {name: registry.load("models", name) for name in registry.entries("models")}
    return [
        name
        for name, model in models.items()
        if model.trainable and model.whole_loss and not model.own_training and "waveform" in model.loss_domains
    ]


@pytest.mark.parametrize("name", trainable())
def test_every_other_model_trains_on_remixed_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"depth": 2, "filters": 4} if name == "wave_unet" else SMALLER.get(name, {})  # its loss is of the middle
    model = msbench.load(name, **{**options, "targets": ["vocals", "drums"]})
    generator = torch.Generator().manual_seed(0)
    rest = 0.1 * torch.randn(2, 2, model.channels, 3000, generator=generator)
    module = SeparationModule(model)
    monkeypatch.setattr(module, "log", lambda *args, **options: None)
    module.training_step(RemixedBatch(rest.sum(1), rest, torch.tensor([1, -1])), 0).backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
