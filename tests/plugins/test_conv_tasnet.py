"""Conv-TasNet against asteroid's, with the same weights."""

import pytest
import torch
from asteroid.models import ConvTasNet as Published

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import copy_in_order, largest_difference, noise

LENGTHS = (800, 801, 807, 997, 4093)  # whole strides of 8, one more, one less, and primes


@pytest.mark.parametrize("bank", ["free", "stft", "sinc"])
@pytest.mark.parametrize("skip", [16, 0])
def test_same_outputs_as_asteroid(bank, skip):
    torch.manual_seed(0)
    theirs = Published(
        3,
        bn_chan=16,
        hid_chan=32,
        skip_chan=skip,
        n_blocks=3,
        n_repeats=2,
        n_filters=32,
        sample_rate=8000,
        kernel_size=17 if bank == "sinc" else 16,
        stride=8,
        fb_name={"sinc": "param_sinc"}.get(bank, bank),
    ).eval()
    ours = msbench.load(
        "conv_tasnet",
        targets=["a", "b", "c"],
        sample_rate=8000,
        channels=1,
        filters=32,
        bottleneck=16,
        hidden=32,
        skip=skip,
        blocks=3,
        repeats=2,
        bank=bank,
    ).eval()
    if bank == "free":
        ours.encoder.weight.data = theirs.encoder.filterbank._filters.data
        ours.decoder.weight.data = theirs.decoder.filterbank._filters.data
    else:
        copy_in_order(theirs.encoder, ours.encoder)
        copy_in_order(theirs.decoder, ours.decoder)
    copy_in_order(theirs.masker.bottleneck, ours.bottleneck)
    copy_in_order(theirs.masker.TCN, ours.blocks)
    copy_in_order(theirs.masker.mask_net, ours.mask)
    for time in LENGTHS:
        mixture = noise(2, 1, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture)[:, :, 0], theirs(mixture)) < 1e-5


@pytest.mark.parametrize(
    ("options", "millions"),
    [
        ({"targets": ["a", "b"], "channels": 1}, 5.05),
        ({"channels": 1}, 5.18),
        (
            {
                "filters": 256,
                "kernel_samples": 20,
                "bottleneck": 256,
                "skip": 0,
                "blocks": 10,
                "repeats": 4,
                "bias": False,
            },
            10.98,
        ),
    ],
)
def test_parameter_counts(options, millions):
    assert round(parameter_count(msbench.load("conv_tasnet", **options)) / 1e6, 2) == millions


@pytest.mark.parametrize("bank", ["free", "stft", "sinc"])
def test_stereo_in_every_bank(bank):
    model = msbench.load("conv_tasnet", filters=32, bottleneck=8, hidden=8, skip=8, blocks=2, repeats=1, bank=bank)
    assert model(noise(2, 2, 999)).shape == (2, 4, 2, 999)


def test_the_end_that_no_frame_covers_is_silent():
    model = msbench.load("conv_tasnet", filters=32, bottleneck=8, hidden=8, skip=8, blocks=2, repeats=1).eval()
    with torch.no_grad():
        estimates = model(noise(1, 2, 167))
    assert estimates[..., :160].abs().min() > 0
    assert (estimates[..., 160:] == 0).all()
