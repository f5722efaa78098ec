"""TasNet against asteroid's LSTMTasNet and kaituoxu's TasNet, with the same weights."""

import pytest
import torch
from torch.nn.functional import layer_norm

import msbench
from msbench import registry
from msbench.model.costs import parameter_count
from tests.plugins.weights import copy_in_order, largest_difference, noise
from tests.requirements import peer

LENGTHS = (800, 801, 807, 997, 4093)
SMALL = {"targets": ["a", "b", "c"], "filters": 12, "kernel_samples": 8, "stride_samples": 8, "hidden": 6}
AS_ASTEROID = {"unit_norm": False, "skip": False, "mask": "sigmoid"}


@pytest.mark.parametrize(("bidirectional", "norm"), [(True, "global"), (False, "cumulative")])
def test_same_outputs_as_asteroid(bidirectional, norm):
    published = peer("asteroid.models").LSTMTasNet
    torch.manual_seed(0)
    theirs = published(3, n_filters=12, kernel_size=8, stride=4, hid_size=6, bidirectional=bidirectional).eval()
    theirs.encoder.encoder_sig.filterbank._filters.data.normal_()  # drawn as a copy of the other
    for parameter in theirs.masker.bn_layer.parameters():
        parameter.data.uniform_(0.5, 1.5)  # ones and zeros hide where they belong
    options = SMALL | AS_ASTEROID | {"stride_samples": 4, "norm": norm, "bidirectional": bidirectional}
    ours = msbench.load("tasnet", **options).eval()
    ours.encoder.weight.data = theirs.encoder.encoder_relu.filterbank._filters.data
    ours.gate.weight.data = theirs.encoder.encoder_sig.filterbank._filters.data
    ours.decoder.weight.data = theirs.decoder.filterbank._filters.data
    copy_in_order(theirs.masker.bn_layer, ours.norm)
    copy_in_order(theirs.masker.masker[0], ours.lstms)
    copy_in_order(theirs.masker.masker[1], ours.linear)
    for time in LENGTHS:
        mixture = noise(2, 1, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture)[:, :, 0], theirs(mixture)) < 1e-5


def kaituoxu(ours, mixture):
    """What kaituoxu/TasNet makes of a mixture (B, T) of whole frames with our weights.

    src/tasnet.py at b7a2268: scaling to unit norm, gate, layer normalization, LSTM, softmax over speakers, and back.
    """
    weights = ours.state_dict()
    segments = mixture.unflatten(-1, (-1, ours.kernel_samples))  # (B, K, L)
    scale = segments.norm(dim=2, keepdim=True)
    segments = segments / (scale + 1e-8)
    u, v, basis = (weights[f"{name}.weight"][:, 0] for name in ("encoder", "gate", "decoder"))  # (N, L)
    w = (segments @ u.T).relu() * (segments @ v.T).sigmoid()
    x = layer_norm(w, w.shape[-1:], weights["norm.weight"], weights["norm.bias"])
    for lstm in ours.lstms:
        x, _ = lstm(x)
    scores = x @ weights["linear.weight"].T + weights["linear.bias"]
    masks = scores.unflatten(-1, (len(ours.targets), -1)).softmax(2)  # (B, K, S, N)
    return (((masks * w.unsqueeze(2)) @ basis) * scale.unsqueeze(2)).transpose(1, 2).flatten(2)


def test_same_outputs_as_kaituoxu_without_the_skip():
    torch.manual_seed(0)
    ours = msbench.load("tasnet", **SMALL, skip=False).eval()
    for parameter in ours.norm.parameters():
        parameter.data.uniform_(0.5, 1.5)
    mixture = noise(2, 1, 800)
    with torch.no_grad():
        assert largest_difference(ours(mixture)[:, :, 0], kaituoxu(ours, mixture[:, 0])) < 1e-5


def test_the_skip_adds_the_second_layer_to_the_fourth():
    torch.manual_seed(0)
    ours = msbench.load("tasnet", **SMALL).eval()
    features = noise(2, 12, 30).abs()
    with torch.no_grad():
        second, _ = ours.lstms[0](ours.norm(features).transpose(1, 2))
        fourth, _ = ours.lstms[1](second)
        masks = ours.linear(second + fourth).transpose(1, 2).unflatten(1, (3, 12)).softmax(1)
        assert torch.allclose(ours.mask(features), masks, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [({}, 23_094_000), ({"hidden": 1000, "bidirectional": False, "norm": "cumulative"}, 31_094_000)],
)
def test_parameter_counts(options, parameters):
    """Those of asteroid's class with 500 filters of 40 samples, 500 units both ways or 1000 causal, two sources."""
    with torch.device("meta"):
        assert parameter_count(registry.load("models", "tasnet")(targets=["a", "b"], **options)) == parameters


@pytest.mark.parametrize("norm", ["frame", "cumulative"])
def test_without_backward_layers_it_is_causal(norm):
    torch.manual_seed(0)
    model = msbench.load("tasnet", **SMALL, bidirectional=False, norm=norm).eval()
    mixture = noise(1, 1, 800)
    other = torch.cat([mixture[..., :400], noise(1, 1, 400, seed=1)], -1)
    with torch.no_grad():
        before, after = model(mixture), model(other)
    assert torch.allclose(before[..., :400], after[..., :400], atol=1e-7)
    assert not torch.allclose(before[..., 400:], after[..., 400:], atol=1e-3)


def test_softmax_masks_of_unit_frames_follow_the_level():
    torch.manual_seed(0)
    model = msbench.load("tasnet", **SMALL).eval()
    mixture = noise(1, 1, 801)
    with torch.no_grad():
        assert largest_difference(model(0.01 * mixture), 0.01 * model(mixture)) < 1e-4


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"norm": "batch"}, "norm must be one of frame, global, cumulative, not 'batch'"),
        ({"mask": "relu"}, "mask must be one of softmax, sigmoid, not 'relu'"),
        ({"stride_samples": 4}, "stride_samples must be 8, not 4"),
        ({"layers": 0}, "must be at least 1"),
        ({"dropout": 1.0}, "dropout from 0 to below 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        msbench.load("tasnet", **SMALL | options)
