"""The conditioned U-Net: identity FiLM is the plain U-Net, and one set of weights serves all targets."""

import pytest
import torch
from torch import nn

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.separator import Batch
from tests.plugins.weights import noise, randomise_statistics

SMALL = {"depth": 3, "filters": 4, "window_samples": 256, "hop_samples": 128}


@pytest.mark.parametrize("film", ["simple", "complex"])
def test_identity_film_is_the_unet(film):
    conditioned = msbench.load("film_unet", film=film, **SMALL).eval()
    plain = msbench.load("unet", **SMALL).eval()
    randomise_statistics(conditioned)
    plain.unet.load_state_dict(conditioned.unet.state_dict())
    mixture = noise(2, 1, 3001)
    with torch.no_grad():
        nn.init.zeros_(conditioned.control[-1].weight)  # gamma - 1 = beta = 0
        estimates = conditioned(mixture)
        assert torch.allclose(estimates, plain(mixture).expand_as(estimates), atol=1e-6)
        nn.init.normal_(conditioned.control[-1].weight)
        assert not torch.allclose(conditioned(mixture), estimates, atol=1e-3)


@pytest.mark.parametrize("film", ["simple", "complex"])
def test_a_target_asked_for_alone_is_the_same_as_among_all(film):
    model = msbench.load("film_unet", film=film, **SMALL).eval()
    randomise_statistics(model)
    nn.init.normal_(model.control[-1].weight)
    spectrogram = model.stft(noise(3, 1, 3001)).abs()
    with torch.no_grad():
        everything = model.mask(spectrogram)
        drawn = torch.tensor([2, 0, 3])
        alone = model._mask(spectrogram, drawn)
    assert torch.allclose(alone[:, 0], everything[torch.arange(3), drawn], atol=1e-6)


def test_film_by_hand():
    """Complex FiLM scales and shifts each feature map by itself, simple FiLM all of a layer alike."""
    for film, widths in (("simple", [1, 1, 1]), ("complex", [4, 8, 16])):
        assert msbench.load("film_unet", film=film, **SMALL).control[-1].out_features == 2 * sum(widths)


def test_a_training_step_draws_one_target_an_item():
    model = msbench.load("film_unet", **SMALL)
    batch = Batch(noise(8, 1, 2000), torch.arange(4.0)[None, :, None, None].repeat(8, 1, 1, 2000))
    seen = []
    torch.manual_seed(0)
    for _ in range(4):
        model.loss(batch, lambda estimates, true: seen.append(true) or estimates.mean())
    assert all(true.shape == (8, 1, 1, 2000) for true in seen)
    assert {value for true in seen for value in true[:, 0, 0, 0].tolist()} == {0, 1, 2, 3}
    model.eval()
    model.loss(batch, lambda estimates, true: seen.append(true) or estimates.mean())
    assert seen[-1].shape == (8, 4, 1, 2000)


def test_every_domain_trains_one_target_with_one_item():
    model = msbench.load("film_unet", targets=["vocals"], **SMALL)
    for domain in model.loss_domains:
        loss = model.loss(Batch(noise(1, 1, 2000), noise(1, 1, 1, 2000, seed=1)), Criterion("l1", domain))
        loss.backward()
        assert torch.isfinite(loss)
