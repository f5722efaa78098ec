"""The phase of the estimates as an option of each model that masks spectrograms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import msbench
from msbench import registry
from msbench.model.checkpoint_file import KEY, PREFIX
from msbench.model.constructor import parameters_of
from msbench.model.griffin_lim import griffin_lim
from msbench.model.phase import Phase
from msbench.model.separator import Batch, SpectrogramSeparator
from msbench.model.stft import STFT
from msbench.model.wiener import wiener

STFT_64 = STFT(64, 16)
OPTIONS = {"targets": ["vocals", "drums"], "depth": 3, "filters": 2, "window_samples": 64, "hop_samples": 32}


def masked(targets: int, channels: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    mixture = STFT_64(0.1 * torch.randn(2, channels, 400))
    return torch.rand(2, targets, *mixture.shape[1:]) * mixture.unsqueeze(1), mixture


def test_the_mixture_phase_and_zero_iterations_change_nothing() -> None:
    estimates, mixture = masked(2)
    for phase in (Phase(), Phase("griffin_lim", 0), Phase("wiener", 0)):
        assert phase.applied(estimates, mixture, STFT_64, 400) is estimates


def test_griffin_lim_begins_with_the_mixtures_phase() -> None:
    estimates, mixture = masked(2)
    found = Phase("griffin_lim", 3, momentum=0.5).applied(estimates, mixture, STFT_64, 400)
    torch.testing.assert_close(found, griffin_lim(estimates, STFT_64, 400, 3, 0.5))


def test_wiener_filters_each_excerpt_at_the_level_of_a_plain_transform() -> None:
    estimates, mixture = masked(2)
    found = Phase("wiener", frames=10).applied(estimates, mixture, STFT_64, 400)
    excerpt = slice(10, 20)
    expected = wiener(estimates[1, ..., excerpt] * 32, mixture[1, ..., excerpt] * 32) / 32
    torch.testing.assert_close(found[1, ..., excerpt], expected)
    last = slice(20, mixture.shape[-1])  # shorter than the others
    assert mixture.shape[-1] < 30
    torch.testing.assert_close(
        found[0, ..., last], wiener(estimates[0, ..., last] * 32, mixture[0, ..., last] * 32) / 32
    )


@pytest.mark.parametrize("channels", [1, 2])
def test_one_target_is_told_from_what_it_leaves(channels: int) -> None:
    estimates, mixture = masked(1, channels)
    found = Phase("wiener").applied(estimates, mixture, STFT_64, 400)
    assert found.shape == estimates.shape
    expected = wiener(estimates[0] * 32, mixture[0] * 32, residual=True)[:1] / 32
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found, Phase("wiener", residual=True).applied(estimates, mixture, STFT_64, 400))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "griffin"}, "phase must be one of mixture, griffin_lim, wiener, not 'griffin'. Did you mean"),
        ({"iterations": -1}, "phase_iterations must be a whole number from 0 to 10000 .* not -1 and 300"),
        ({"iterations": 10**9}, "phase_iterations must be a whole number from 0 to 10000"),
        ({"frames": 0}, "phase_frames one of at least 1, not 0 and 0"),
        ({"frames": 1.5}, "phase_frames one of at least 1, not 0 and 1.5"),
        ({"momentum": 1.0}, "phase_momentum must be from 0 to below 1, not 1.0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Phase(**options)


def test_each_of_our_spectrogram_models_has_the_option() -> None:
    for name, entry in registry.entries("models").items():
        plugin = registry.load("models", name)
        if entry.module.startswith("msbench_plugins.") and issubclass(plugin, SpectrogramSeparator):
            assert {"phase", "phase_iterations"} <= parameters_of(plugin).keys(), name


@pytest.mark.parametrize("name", ["unet", "film_unet", "deep_karaoke"])
def test_estimates_get_the_phase_in_evaluation_alone(name: str) -> None:
    options = {key: value for key, value in OPTIONS.items() if key in parameters_of(registry.load("models", name))}
    torch.manual_seed(0)
    plain = msbench.load(name, **options, channels=2)
    other = msbench.load(name, **options, channels=2, phase="wiener")
    other.load_state_dict(plain.state_dict())
    batch = Batch(0.1 * torch.randn(2, 2, 1000), 0.1 * torch.randn(2, 2, 2, 1000))
    for model in (plain, other):
        model.eval()
    assert not torch.allclose(plain(batch.mixture), other(batch.mixture), atol=1e-6)
    losses = [model.loss(batch, torch.nn.functional.mse_loss) for model in (plain, other)]
    torch.testing.assert_close(*losses)  # of the mixture's phase in both


def test_it_is_kept_in_checkpoints_and_can_be_changed(tmp_path: Path) -> None:
    model = msbench.load("unet", **OPTIONS, phase="wiener")
    weights = {PREFIX + name: value for name, value in model.state_dict().items()}
    torch.save({KEY: model.registered, "state_dict": weights}, tmp_path / "best.ckpt")
    kept: Any = msbench.load(tmp_path / "best.ckpt")
    assert kept.estimate_phase == Phase("wiener")
    changed: Any = msbench.load(tmp_path / "best.ckpt", phase="griffin_lim", phase_iterations=2)
    assert changed.estimate_phase == Phase("griffin_lim", 2)


def test_it_is_a_field_of_recipes() -> None:
    from msbench.training.command_line import FitCLI

    cli = FitCLI("unet", ["--separator.phase", "wiener", "--separator.phase_residual", "true"])
    assert cli.model.separator.estimate_phase == Phase("wiener", residual=True)
