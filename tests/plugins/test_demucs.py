"""Demucs against the authors' package, with the same weights."""

import pytest
import torch
from demucs.demucs import Demucs as Published

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise

V2 = {"dconv_mode": 0, "lstm_layers": 2, "gelu": False, "norm_starts": 100}


def copy_weights(theirs: Published, ours: torch.nn.Module) -> None:
    for mine, published in ((ours.down, theirs.encoder), (ours.up, theirs.decoder)):
        values = list(published.state_dict().values())
        mine.load_state_dict(dict(zip(mine.state_dict(), values, strict=True)))
    ours.lstm.load_state_dict(theirs.lstm.lstm.state_dict())
    ours.linear.load_state_dict(theirs.lstm.linear.state_dict())


@pytest.mark.parametrize(("depth", "channels"), [(6, 2), (4, 1)])
def test_v2_gives_the_outputs_of_the_package(depth, channels):
    torch.manual_seed(0)
    theirs = Published(["a", "b", "c"], audio_channels=channels, channels=8, depth=depth, **V2).eval()
    ours = msbench.load("demucs", targets=["a", "b", "c"], channels=channels, filters=8, depth=depth).eval()
    copy_weights(theirs, ours)
    for time in (4096, 9999, 30011):
        mixture = noise(2, channels, time) + 0.05
        with torch.no_grad():
            assert largest_difference(ours(mixture), theirs(mixture)) < 1e-5


def test_v1_is_v2_without_resampling_scaling_and_padding():
    """What the package can still build of v1: with one tap in the convolutions up there is no padding to differ in."""
    theirs = Published(["a", "b"], channels=8, depth=4, context=0, resample=False, normalize=False, **V2).eval()
    ours = msbench.load("demucs", version="v1", targets=["a", "b"], filters=8, depth=4, context=1).eval()
    copy_weights(theirs, ours)
    mixture = noise(1, 2, 5003)
    with torch.no_grad():
        assert largest_difference(ours(mixture), theirs(mixture)) < 1e-5


def test_v1_takes_the_context_from_the_padding():
    model = msbench.load("demucs", version="v1", filters=4).eval()
    assert model.padded_length(441000) == 451924  # the first release's valid_length of ten seconds
    assert model(noise(1, 2, 1001)).shape == (1, 4, 2, 1001)


@pytest.mark.parametrize(("filters", "millions"), [(48, 149.46), (64, 265.68)])
def test_parameter_counts(filters, millions):
    with torch.device("meta"):
        model = msbench.registry.load("models", "demucs")(filters=filters, rescale=0)
    assert round(parameter_count(model) / 1e6, 2) == millions


def test_initial_weights_are_rescaled():
    torch.manual_seed(0)
    plain = msbench.load("demucs", filters=8, rescale=0)
    torch.manual_seed(0)
    rescaled = msbench.load("demucs", filters=8)
    before, after = plain.down[3][0], rescaled.down[3][0]
    scale = (before.weight.std() / 0.1).sqrt()
    assert torch.allclose(after.weight, before.weight / scale)
    assert torch.allclose(after.bias, before.bias / scale)
