"""The convolutional denoising autoencoders: size, arithmetic, one network per target and one pass per channel."""

import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise

SMALL = {"window_samples": 128, "hop_samples": 32, "filters": [3, 4, 5, 6]}


def test_the_size_of_the_public_versions():
    with torch.device("meta"):
        model = msbench.load("cdae", targets=["vocals"])
    assert parameter_count(model) == 37_101
    assert msbench.STFT(2048, 512)(torch.zeros(1, 1, round(0.16254 * 44100))).shape == (1, 1, 1025, 15)


def transcribed(autoencoder: nn.Module, x: Tensor) -> Tensor:
    """The layers of SahilJindal1/Sound-Separation 00f98d8 (DSP_term_paper.ipynb), which has frames before bins."""
    down = [(5, 3), (5, 1), None, None]
    up = [None, (5, 1), (5, 3), None]
    layers = [part for part in autoencoder if isinstance(part, nn.Conv2d)]
    for layer, pool in zip(layers[:4], down, strict=True):
        x = nn.functional.conv2d(x, layer.weight, layer.bias, padding=1).relu()
        if pool:
            x = x.unfold(2, pool[0], pool[0]).unfold(3, pool[1], pool[1]).amax((-2, -1))
    for layer, size in zip(layers[4:], up, strict=True):
        x = nn.functional.conv2d(x, layer.weight, layer.bias, padding=1).relu()
        if size:
            x = x.repeat_interleave(size[0], 2).repeat_interleave(size[1], 3)
    return x


def test_the_arithmetic_of_the_public_versions():
    torch.manual_seed(0)
    model = msbench.load("cdae", targets=["vocals", "drums"], channels=2, **SMALL).eval()
    magnitudes = 10 * noise(2, 2, 65, 14).abs()
    padded = nn.functional.pad(magnitudes, (0, 1, 0, 10))
    with torch.no_grad():
        for autoencoder in model.autoencoders:
            autoencoder[-2].bias.fill_(0.5)  # or the last ReLU may hide all
        estimates = model.mask(magnitudes * model.stft.scale) * magnitudes.unsqueeze(1)
        for target, autoencoder in enumerate(model.autoencoders):
            for channel in range(2):
                theirs = transcribed(autoencoder, padded[:, channel : channel + 1])[..., :65, :14]
                assert theirs.std() > 1e-4
                assert largest_difference(estimates[:, target, channel : channel + 1], theirs) < 1e-5


def test_each_target_has_a_network_of_its_own():
    model = msbench.load("cdae", targets=["vocals", "drums"], **SMALL)
    assert list(model.networks()) == ["vocals", "drums"]
    assert sum(parameter_count(network) for network in model.networks().values()) == parameter_count(model)


def test_the_weights_begin_as_keras_draws_them():
    torch.manual_seed(0)
    model = msbench.load("cdae", targets=["vocals"])
    layers = [part for part in model.autoencoders[0] if isinstance(part, nn.Conv2d)]
    assert not any(layer.bias.any() for layer in layers)
    bound = (6 / (9 * 30 + 9 * 40)) ** 0.5
    assert 0.98 * bound < layers[3].weight.abs().max() <= bound


def test_silence_is_silent():
    assert not msbench.load("cdae", **SMALL).eval()(torch.zeros(1, 1, 777)).any()


@pytest.mark.parametrize("filters", [[1, 2, 3], [1, 2, 3, 0]])
def test_filters_that_do_not_fit_are_refused(filters: list[int]):
    with pytest.raises(ValueError, match="filters must be four numbers of at least 1, not"):
        msbench.load("cdae", filters=filters)
