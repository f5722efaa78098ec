"""Demucs against the authors' package and against their code of v1 and v2, with the same weights."""

from math import ceil

import julius
import pytest
import torch
from msbench_plugins.weights.demucs import waveform_state
from torch.nn.functional import conv1d, conv_transpose1d, glu, pad, relu

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

Published = peer("demucs.demucs").Demucs
V2 = {"dconv_mode": 0, "lstm_layers": 2, "gelu": False, "norm_starts": 100}


def copy_weights(theirs: torch.nn.Module, ours: torch.nn.Module) -> None:
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


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {"lstm_layers": 0}),
        ({"rewrite": False}, {"lstm_layers": 0, "rewrite": False}),
        ({"depth": 4, "lstm_layers": 2, "context": 2}, {"depth": 4, "context": 5}),
    ],
)
def test_v3_gives_the_outputs_of_the_package(theirs, ours):
    """Its first LSTM in branches is in the fifth layer; the second network is that of the bag mdx, in small."""
    torch.manual_seed(0)
    for channels in (1, 2):
        net = Published(["a", "b", "c"], audio_channels=channels, channels=8, dconv_init=1.0, **theirs).eval()
        sizes = {"targets": ["a", "b", "c"], "channels": channels, "filters": 8}
        model = msbench.load("demucs", version="v3", **sizes, **ours).eval()
        model.load_state_dict(waveform_state(net.state_dict()))
        for time in (7, 4096, 9999):
            mixture = noise(2, channels, time) + 0.05
            with torch.no_grad():
                assert largest_difference(model(mixture), net(mixture)) < 1e-5


def test_initial_weights_of_v3_are_those_of_the_package():
    """The deviation of each tensor that has enough values to tell, and the first scale of the branches."""
    torch.manual_seed(0)
    theirs = waveform_state(Published(["a", "b"], channels=8).state_dict())
    for name, value in msbench.load("demucs", version="v3", targets=["a", "b"], filters=8).state_dict().items():
        if name in theirs and value.numel() >= 1000:
            assert value.std().item() == pytest.approx(theirs[name].std().item(), rel=0.1), name
        elif name.endswith("scale"):
            assert torch.equal(value, theirs[name])


def test_v3_normalizes_the_chunks_of_a_normalized_song():
    sizes = {"filters": 8, "depth": 2}
    assert msbench.load("demucs", version="v3", normalize="song", **sizes).normalize
    assert not msbench.load("demucs", version="v2", normalize="song", **sizes).normalize


def test_a_version_that_is_none():
    with pytest.raises(ValueError, match="version must be 'v1', 'v2' or 'v3', not 'v4'"):
        msbench.load("demucs", version="v4")
    with pytest.raises(ValueError, match="filters must be at least 8 in v3, not 4"):
        msbench.load("demucs", version="v3", filters=4)


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


def published(ours, song, version):
    """What the authors' own code makes of a song (C, T) with our weights.

    That is facebookresearch/demucs, branches v1 (110f8fe) and v2 (64ed2cb): the normalization of demucs/test.py,
    `apply_model` of demucs/utils.py, and the network of demucs/model.py, line by line.
    """

    def trim(signal, time):
        extra = signal.shape[-1] - time
        return signal[..., extra // 2 : -(extra - extra // 2)] if extra else signal

    def layer(function, x, name, **options):
        return function(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    weights, depth, rate = ours.state_dict(), len(ours.down), 2 if version == "v2" else 1
    context = weights["up.0.0.weight"].shape[-1]
    mono = song.mean(0)
    length = rate * song.shape[-1]
    for _ in range(depth):
        length = max(1, ceil((length - 8) / 4) + 1) + context - 1
    for _ in range(depth):
        length = (length - 1) * 4 + 8
    missing = ceil(length / rate) - song.shape[-1]
    x = pad((song - mono.mean()) / mono.std(), (missing // 2, missing - missing // 2))[None]
    x, saved = julius.resample_frac(x, 1, rate), []
    for i in range(depth):
        x = relu(layer(conv1d, x, f"down.{i}.0", stride=4))
        x = glu(layer(conv1d, x, f"down.{i}.2"), 1)
        saved.append(x)
    x = ours.linear(ours.lstm(x.permute(2, 0, 1))[0]).permute(1, 2, 0)
    for i in range(depth):
        x = glu(layer(conv1d, x + trim(saved.pop(), x.shape[-1]), f"up.{i}.0"), 1)
        x = layer(conv_transpose1d, x, f"up.{i}.2", stride=4)
        x = relu(x) if i + 1 < depth else x
    x = trim(julius.resample_frac(x, rate, 1), song.shape[-1]) * mono.std() + mono.mean()
    return x.unflatten(1, (len(ours.targets), -1))


@pytest.mark.parametrize(("depth", "context"), [(6, 3), (4, 3), (4, 5)])
def test_v1_gives_the_outputs_of_branch_v1(depth, context):
    torch.manual_seed(0)
    options = {"version": "v1", "normalize": True, "filters": 8, "depth": depth, "context": context}
    ours = msbench.load("demucs", **options).eval()
    for time in (4096, 9999, 30011):
        mixture = 3 * noise(1, 2, time) + 0.05
        with torch.no_grad():
            assert largest_difference(ours(mixture), published(ours, mixture[0], "v1")) < 2e-5


@pytest.mark.parametrize("context", [3, 5])
def test_v2_without_padding_gives_the_outputs_of_branch_v2(context):
    torch.manual_seed(0)
    ours = msbench.load("demucs", filters=8, depth=4, context=context, padded=False).eval()
    for time in (4096, 9999):
        mixture = 3 * noise(1, 2, time) + 0.05
        with torch.no_grad():
            assert largest_difference(ours(mixture), published(ours, mixture[0], "v2")) < 2e-5


def test_a_normalization_that_is_none():
    with pytest.raises(ValueError, match="normalize must be true, false or 'song', not 'chunk'"):
        msbench.load("demucs", filters=4, normalize="chunk")


def test_v2_is_near_branch_v2_whose_convolutions_up_have_no_padding():
    torch.manual_seed(0)
    ours = msbench.load("demucs", filters=8).eval()
    mixture = 3 * noise(1, 2, 30011) + 0.05
    with torch.no_grad():
        estimates, theirs = ours(mixture), published(ours, mixture[0], "v2")
    snr = 10 * torch.log10(theirs.square().sum() / (estimates - theirs).square().sum())
    assert 60 < snr < 100


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_quieter_song_gives_quieter_estimates(version):
    torch.manual_seed(0)
    model = msbench.load("demucs", version=version, normalize=True, filters=8).eval()
    mixture = 3 * noise(1, 2, 9999)
    with torch.no_grad():
        assert largest_difference(10 * model(0.1 * mixture), model(mixture)) < 1e-3


def test_v1_from_before_the_option_does_not_normalize():
    torch.manual_seed(0)
    model = msbench.load("demucs", version="v1", filters=4).eval()
    mixture = noise(1, 2, 9999)
    with torch.no_grad():
        assert largest_difference(10 * model(0.1 * mixture), model(mixture)) > 0.1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"filters": 48}, 149_462_504),
        ({"filters": 64}, 265_679_496),
        ({"version": "v1", "filters": 100}, 648_548_208),
        ({"version": "v3", "lstm_layers": 0}, 133_753_064),
        ({"version": "v3", "lstm_layers": 0, "rewrite": False}, 88_984_040),
    ],
)
def test_parameter_counts(options, count):
    with torch.device("meta"):
        model = msbench.registry.load("models", "demucs")(**options, rescale=0)
    assert parameter_count(model) == count


def test_initial_weights_are_rescaled():
    torch.manual_seed(0)
    plain = msbench.load("demucs", filters=8, rescale=0)
    torch.manual_seed(0)
    rescaled = msbench.load("demucs", filters=8)
    before, after = plain.down[3][0], rescaled.down[3][0]
    scale = (before.weight.std() / 0.1).sqrt()
    assert torch.allclose(after.weight, before.weight / scale)
    assert torch.allclose(after.bias, before.bias / scale)
