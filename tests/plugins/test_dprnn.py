"""The dual-path RNN against asteroid's DPRNNTasNet, with the same weights."""

import pytest
import torch
from torch import nn

import msbench
from msbench import registry
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

SMALL = {"filters": 12, "bottleneck": 8, "hidden": 6, "chunk_frames": 10, "repeats": 2}


def copy(source, target):
    """Parameters in the same order; a convolution of one frame there may be a linear layer here."""
    for theirs, ours in zip(source.parameters(), target.parameters(), strict=True):
        ours.data = theirs.data.reshape(ours.shape)


def test_same_outputs_as_asteroid():
    published = peer("asteroid.models").DPRNNTasNet
    torch.manual_seed(0)
    theirs = published(3, n_filters=12, bn_chan=8, hid_size=6, chunk_size=10, n_repeats=2).eval()
    for parameter in theirs.parameters():
        if parameter.dim() == 1:  # ones and zeros hide where they belong
            parameter.data.uniform_(0.5, 1.5)
    ours = msbench.load("dprnn", targets=["a", "b", "c"], **SMALL).eval()
    ours.encoder.weight.data = theirs.encoder.filterbank._filters.data
    ours.decoder.weight.data = theirs.decoder.filterbank._filters.data
    masker = theirs.masker
    copy(masker.bottleneck, nn.ModuleList([ours.norm, ours.bottleneck]))
    for block, paths in zip(masker.net, ours.blocks, strict=True):
        for name, path in zip(("intra", "inter"), paths, strict=True):
            lstm, linear, norm = (getattr(block, f"{name}_{part}") for part in ("RNN", "linear", "norm"))
            copy(nn.ModuleList([lstm, linear]), nn.ModuleList([path.lstm, path.linear]))
            path.weight.data, path.bias.data = norm.gamma.data, norm.beta.data
    copy(nn.ModuleList([masker.first_out, masker.net_out]), nn.ModuleList([ours.activation, ours.split, ours.output]))
    copy(nn.ModuleList([masker.net_gate, masker.mask_net]), nn.ModuleList([ours.gate, ours.last]))
    for time in (16, 20, 800, 801, 807, 997, 4093):
        mixture = noise(2, 1, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture)[:, :, 0], theirs(mixture)) < 1e-5


def test_parameter_count():
    with torch.device("meta"):
        assert parameter_count(registry.load("models", "dprnn")(targets=["a", "b"])) == 3_652_865


@pytest.mark.parametrize("count", [1, 9, 30, 33])
def test_each_frame_lies_in_two_chunks(count):
    model = msbench.load("dprnn", **SMALL)
    frames = noise(2, count, 3)
    assert torch.equal(model.joined(model.chunks(frames), count), 2 * frames)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"chunk_frames": 25}, "chunk_frames must be even and at least 2, not 25"),
        ({"kernel_samples": 1}, "kernel_samples must be even and at least 2, not 1"),
        ({"mask": "softmax"}, "mask must be one of sigmoid, relu, not 'softmax'"),
        ({"repeats": 0}, "must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        msbench.load("dprnn", **options)
