"""The conditioned U-Net: identity FiLM is the plain U-Net, and one set of weights serves all targets."""

import pytest
import torch
from torch import nn
from torch.nn import functional

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


def cunet(model, magnitudes, target):
    """The mask of one target, as cunet_model.py and control_models.py of gabolsgabs/cunet compute it without dropout.

    It reads our weights; theirs are gamma where ours are gamma - 1.
    """

    def norm(x, layer):  # Keras: momentum 0.9, epsilon 1e-3
        return functional.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=1e-3)

    def same(x, layer):  # what padding="same" adds to an even number of rows
        return functional.conv2d(functional.pad(x, (1, 2, 1, 2)), layer.weight, layer.bias, 2)

    def same_transposed(x, layer):
        return functional.conv_transpose2d(x, layer.weight, layer.bias, 2)[..., 1:-2, 1:-2]

    dense = functional.one_hot(torch.tensor([target]), len(model.targets)).float()
    for i, (linear, after) in enumerate(((0, None), (2, 5), (6, 9))):
        dense = model.control[linear](dense).relu()
        dense = norm(dense, model.control[after]) if i > 0 else dense
    x, encoder = magnitudes, []
    for block, (gamma, beta) in zip(model.unet.convolutions, films(model, model.control[-1](dense)), strict=True):
        x = functional.leaky_relu((gamma + 1) * norm(same(x, block[0]), block[1]) + beta, 0.2)
        encoder.append(x)
    for i, block in enumerate(model.unet.up):
        x = norm(same_transposed(torch.cat([x, encoder[-1 - i]], 1) if i else x, block[0]), block[1]).relu()
    return norm(same_transposed(torch.cat([x, encoder[0]], 1), model.unet.last), model.last_norm).sigmoid()


def films(model, values):
    """For each layer gamma - 1 and beta, (1, maps, 1, 1)."""
    for part in values.split([2 * width for width in model.widths], 1):
        yield part[:, :, None, None].chunk(2, 1)


@pytest.mark.parametrize("film", ["simple", "complex"])
def test_masks_are_those_of_the_authors_code(film):
    torch.manual_seed(0)
    size = {"depth": 4, "filters": 8, "window_samples": 256, "hop_samples": 128}
    model = msbench.load("film_unet", film=film, layers="tensorflow", last_norm=True, **size).eval()
    randomise_statistics(model)
    nn.init.normal_(model.control[-1].weight)
    magnitudes = noise(2, 1, 128, 32).abs()
    with torch.no_grad():
        masks = model.mask(functional.pad(magnitudes, (0, 0, 0, 1)))  # the 129th bin is not read
        for target in range(4):
            theirs = cunet(model, magnitudes, target)
            assert theirs.std() > 0.05
            assert (masks[:, target, :, :-1] - theirs).abs().max() < 1e-5
    assert torch.equal(masks[..., -1, :], masks[..., -2, :])


@pytest.mark.parametrize(("film", "spread"), [("simple", 0.3), ("complex", 0.6)])
def test_a_new_network_is_nearly_the_plain_unet_in_evaluation_alone(film, spread):
    torch.manual_seed(0)
    model, onehot = msbench.load("film_unet", film=film, **SMALL).eval(), torch.eye(4)
    with torch.no_grad():
        new = model.control(onehot)  # before a training step changes the running statistics
        training = torch.cat([model.train().control(onehot) for _ in range(20)])
    assert new.abs().max() < 0.2
    assert training.std().item() == pytest.approx(spread, rel=0.3)


def test_initial_weights_as_in_the_authors_code():
    torch.manual_seed(0)
    model = msbench.load("film_unet", initialization="normal", last_norm=True)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.2), name
    assert (model.last_norm.weight == 1).all()
    assert (model.unet.last.bias == 0).all()


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
