"""Open-Unmix against the authors' package, openunmix 1.3: the same outputs, and the same weights after training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from msbench.training.module import SeparationModule
from tests.plugins.weights import largest_difference, noise, randomise_statistics
from tests.requirements import peer

TINY: dict[str, Any] = {"sample_rate": 8000, "window_samples": 256, "hop_samples": 64, "hidden": 16, "bandwidth": 2900}


def theirs_and_ours(targets: list[str], channels: int = 2, **options: Any) -> tuple[nn.Module, Any]:
    """Their separator and ours with its weights."""
    model = peer("openunmix.model")
    torch.manual_seed(0)
    causal = options.get("unidirectional", False)
    sizes = {"nb_bins": 129, "nb_channels": channels, "hidden_size": 16, "nb_layers": 2, "max_bin": 93}
    networks = {target: model.OpenUnmix(**sizes, unidirectional=causal) for target in targets}
    theirs = model.Separator(
        networks, 1, sample_rate=8000, n_fft=256, n_hop=64, nb_channels=channels, wiener_win_len=30,
        residual=len(targets) == 1,
    ).eval()  # fmt: skip
    randomise_statistics(theirs)
    for parameter in ("input_mean", "output_mean", "output_scale"):
        for network in networks.values():
            nn.init.uniform_(getattr(network, parameter), 0.1, 1)
    ours = msbench.load("open_unmix", targets=targets, channels=channels, layers=2, phase_frames=30, **TINY, **options)
    weights = {name: value for name, value in theirs.state_dict().items() if name.startswith("target_models.")}
    ours.load_state_dict(weights)
    return theirs, ours.eval()


@pytest.mark.parametrize(
    ("targets", "channels", "options"),
    [(["vocals", "drums", "bass"], 2, {}), (["vocals", "drums"], 1, {"unidirectional": True}), (["vocals"], 2, {})],
)
def test_same_estimates_as_their_separator(targets: list[str], channels: int, options: dict[str, Any]) -> None:
    theirs, ours = theirs_and_ours(targets, channels, **options)
    for time in (2048, 3989, 200):  # a whole number of hops, and not; shorter than a window
        mixture = noise(2, channels, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture), theirs(mixture)[:, : len(targets)]) < 1e-5


def test_same_masked_magnitudes_as_their_network() -> None:
    theirs, ours = theirs_and_ours(["vocals"])
    magnitudes = noise(2, 2, 129, 40).abs()
    with torch.no_grad():
        masked = ours.mask(magnitudes)[:, 0] * magnitudes
        assert largest_difference(masked, theirs.target_models["vocals"](magnitudes)) < 1e-5


@pytest.mark.parametrize(("hidden", "count"), [(512, 8_893_348), (1024, 28_257_188)])
def test_as_many_parameters_as_published(hidden: int, count: int) -> None:
    with torch.device("meta"):
        model = msbench.load("open_unmix", targets=["vocals"], hidden=hidden)
        assert model.target_models["vocals"].input_mean.shape == (1487,)
        assert parameter_count(model) == count


def theirs_trained(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
    """The loop `train` of sigsep/open-unmix-pytorch fb672c9, scripts/train.py, which the package does not contain."""
    stft, _ = peer("openunmix.transforms").make_filterbanks(256, 64, sample_rate=8000)
    encoder = nn.Sequential(stft, peer("openunmix.model").ComplexNorm())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, weight_decay=0.00001)
    network.train()
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.mse_loss(network(encoder(x)), encoder(y)).backward()
        optimizer.step()


def test_twenty_steps_end_at_the_weights_of_their_loop() -> None:
    theirs, ours = theirs_and_ours(["vocals"])
    batches = [(noise(4, 2, 6000, seed=2 * i), noise(4, 2, 6000, seed=2 * i + 1)) for i in range(20)]
    module = SeparationModule(
        ours, "mse", "magnitude", optimizer=lambda params: torch.optim.Adam(params, lr=0.001, weight_decay=0.00001)
    )
    module.log = module.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign, assignment]
    (optimizer,), _ = module.configure_optimizers()
    module.train()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    torch.manual_seed(1)
    for x, y in batches:
        optimizer.zero_grad()
        module.training_step(Batch(x, y.unsqueeze(1)), 0).backward()
        optimizer.step()
    torch.manual_seed(1)
    theirs_trained(theirs.target_models["vocals"], batches)
    moved = 0.0
    for name, value in theirs.target_models.state_dict().items():
        trained = ours.target_models.state_dict()[name]
        moved = max(moved, float((trained - before[f"target_models.{name}"]).abs().max()))
        torch.testing.assert_close(trained, value, atol=1e-4, rtol=0)
    assert moved > 1e-2


def test_each_network_learns_as_if_it_were_alone() -> None:
    _, ours = theirs_and_ours(["vocals", "drums"])
    batch = Batch(noise(2, 2, 2000), noise(2, 2, 2, 2000, seed=1))
    criterion = Criterion("mse", "magnitude")
    losses = ours.loss(batch, criterion)
    assert losses.keys() == {"vocals", "drums"}
    for i, target in enumerate(("vocals", "drums")):
        alone = msbench.load("open_unmix", targets=[target], layers=2, **TINY).eval()
        alone.target_models.load_state_dict(
            {f"{target}.{k}": v for k, v in ours.networks()[target].state_dict().items()}
        )
        expected = alone.loss(Batch(batch.mixture, batch.references[:, i : i + 1]), criterion)[target]
        torch.testing.assert_close(losses[target], expected)


def test_the_statistics_are_those_of_their_script() -> None:
    """`get_statistics` of scripts/train.py, by scikit-learn's StandardScaler, on magnitudes of whole songs."""
    from sklearn.preprocessing import StandardScaler

    ours = msbench.load("open_unmix", targets=["vocals", "drums"], layers=1, **TINY)
    encoder = peer("openunmix.transforms").make_filterbanks(256, 64, sample_rate=8000)[0]
    scaler = StandardScaler()
    songs = [noise(1, 2, 3000 + 640 * i, seed=i) for i in range(3)]
    for song in songs:
        magnitudes = torch.view_as_complex(encoder(song)).abs().mean(1).permute(0, 2, 1)
        scaler.partial_fit(np.squeeze(magnitudes.numpy()))
    deviation = np.maximum(scaler.scale_, 1e-4 * np.max(scaler.scale_))
    ours.prepare(Batch(song, song.unsqueeze(1)) for song in songs)
    for network in ours.target_models.values():
        np.testing.assert_allclose(network.input_mean.detach(), -scaler.mean_[:93], rtol=1e-5)
        np.testing.assert_allclose(network.input_scale.detach(), 1 / deviation[:93], rtol=1e-5)


def test_silent_songs_leave_finite_weights() -> None:
    ours = msbench.load("open_unmix", targets=["vocals"], layers=1, **TINY)
    ours.prepare([Batch(torch.zeros(1, 2, 1000), torch.zeros(1, 1, 2, 1000))])
    assert torch.isfinite(ours.target_models["vocals"].input_scale).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden": 15}, "hidden must be an even number and layers at least 1, not 15 and 3"),
        ({"layers": 0}, "hidden must be an even number and layers at least 1, not 512 and 0"),
        ({"bandwidth": 0}, "bandwidth must be above 0 Hz, not 0"),
        ({"hop_samples": 3000}, "hop_samples must be at most 2048, half the window, not 3000"),
        ({"phase": "none"}, "phase must be one of mixture, griffin_lim, wiener, not 'none'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        msbench.load("open_unmix", **options)
