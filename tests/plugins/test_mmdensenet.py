"""MMDenseNet and MMDenseLSTM: parameters, a transcription of their arithmetic, one network per target, refusals."""

import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise, randomise_statistics

STFT = {"window_samples": 64, "hop_samples": 32}
DENSE = {
    **STFT,
    "bands": [14, 19],
    "growth": [[3, 4, 4, 3, 4], [2] * 5, [2] * 5],
    "depth": [[3] * 5, [2] * 5, [2, 1, 3, 2, 1]],
    "features": [5, 4, 6],
    "kernels": [[4, 3], [3, 3], [4, 3]],
}
LSTM = {
    **STFT,
    "bands": [7, 9, 17],
    "growth": [[4] * 3, [3] * 3, [2, 0, 2], [3] * 5],
    "depth": [[3] * 3, [2] * 3, [1, 0, 1], [2] * 5],
    "lstm_units": [[0, 5, 0], [0, 4, 0], [0, 2, 0], [0, 0, 5, 4, 0]],
    "features": [5, 4, 6, 3],
    "kernels": [[3, 3]] * 4,
    "final_growth": 5,
}


def small(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    model = msbench.load(name, **{**(DENSE if name == "mmdensenet" else LSTM), "targets": ["vocals"], **options}).eval()
    randomise_statistics(model)
    for part in model.per_target:
        for scale, shift in ((part.scale_in, part.shift_in), (part.scale_out, part.shift_out)):
            nn.init.uniform_(scale, 0.5, 1.5)
            nn.init.normal_(shift, 0, 0.1)
    return model


# A transcription of the arithmetic of tky823/DNN-based_source_separation 8663d6f (src/models/m_densenet.py,
# m_dense_rnn.py, dense_rnn.py and mm_densenet.py), on our weights.


def convolved(convolution: nn.Module, x: Tensor) -> Tensor:
    """With zeros around, of which the larger part comes after."""
    weights = convolution if isinstance(convolution, nn.Conv2d) else convolution[-1]
    bins, frames = (d * (k - 1) for d, k in zip(weights.dilation, weights.kernel_size, strict=True))
    x = nn.functional.pad(x, (frames // 2, frames - frames // 2, bins // 2, bins - bins // 2))
    return nn.functional.conv2d(x, weights.weight, weights.bias, dilation=weights.dilation)


def normalized(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        value[:, None, None] for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / (variance + 1e-12).sqrt() * weight + bias


def dense(block: nn.Module, x: Tensor) -> Tensor:
    """Each layer's input is the sum of what all layers before it have made for it."""
    growth, depth = block.growth, len(block.layers)
    inputs = [x] + [torch.tensor(0.0)] * depth
    for i, (norm, _, convolution) in enumerate(block.layers):
        made = convolved(convolution, normalized(norm, inputs[i]).relu())
        for later in range(depth - i):
            inputs[i + 1 + later] = inputs[i + 1 + later] + made[:, later * growth : (later + 1) * growth]
    return inputs[depth]


def recurrent(part: nn.Module, x: Tensor) -> Tensor:
    mixed = (part.mix.weight[0, :, 0, 0][:, None, None] * x).sum(1) + part.mix.bias
    return part.linear(part.lstm(mixed.mT)[0]).mT[:, None]


def block(part: nn.Module, x: Tensor, position: str) -> Tensor:
    if part.recurrence is None:
        return dense(part.dense, x)
    if part.dense is None:
        return recurrent(part.recurrence, x)
    if position == "before":
        return dense(part.dense, torch.cat([x, recurrent(part.recurrence, x)], 1))
    made = dense(part.dense, x)
    return torch.cat([made, recurrent(part.recurrence, made if position == "after" else x)], 1)


def scales(part: nn.Module, x: Tensor, position: str) -> Tensor:
    x, skips = convolved(part.first, x), []
    for down in part.down:
        bins, frames = x.shape[2:]
        x = block(down, nn.functional.pad(x, (0, frames % 2, 0, bins % 2)), position)
        skips.append(x[:, :, :bins, :frames])
        x = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))
    x = block(part.middle, x, position)
    for (norm, grow), up, skip in zip(part.grow, part.up, reversed(skips), strict=True):
        x = torch.einsum("bcft,cdij->bdfitj", normalized(norm, x), grow.weight).flatten(4).flatten(2, 3)
        x = (x + grow.bias[:, None, None])[:, :, : skip.shape[2], : skip.shape[3]]
        x = block(up, torch.cat([x, skip], 1), position)
    return x


def transcribed(network: nn.Module, x: Tensor, position: str) -> Tensor:
    x = (x - network.shift_in) / network.scale_in.abs()
    joined, start = [], 0
    for band, widen, bins in zip(network.bands, network.widen, network.bins, strict=True):
        made = scales(band, x[:, :, start : start + bins], position)
        if isinstance(widen, nn.Sequential):
            made = convolved(widen[1], normalized(widen[0], made))
        joined.append(made)
        start += bins
    x = dense(network.last, torch.cat([torch.cat(joined, 2), scales(network.full, x, position)], 1))
    values, gates = convolved(network.gated, normalized(network.norm, x)).chunk(2, 1)
    return (network.scale_out * values * gates.sigmoid() + network.shift_out).relu()


@pytest.mark.parametrize(
    ("name", "position", "frames"),
    [
        ("mmdensenet", "", 16),
        ("mmdensenet", "", 1),
        ("mmdenselstm", "after", 13),
        ("mmdenselstm", "before", 13),
        ("mmdenselstm", "parallel", 13),
    ],
)
def test_the_arithmetic_of_the_public_code(name: str, position: str, frames: int):
    model = small(name, **({"lstm_position": position} if position else {}))
    magnitudes = 30 * noise(2, 2, 33, frames).abs()
    with torch.no_grad():
        theirs = transcribed(model.per_target[0], magnitudes, position)
        masks = model.mask(magnitudes * model.stft.scale)
    assert (theirs > 0).float().mean() > 0.01
    assert largest_difference(masks[:, 0] * magnitudes, theirs) < 1e-5


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("mmdensenet", {}, 339_468),
        ("mmdenselstm", {"lstm_position": "after"}, 1_370_784),
        ("mmdenselstm", {"lstm_position": "before"}, 1_370_402),
        ("mmdenselstm", {"lstm_position": "parallel"}, 1_370_805),
    ],
)
def test_the_parameters_of_the_public_code(name: str, options: dict, count: int):
    with torch.device("meta"):
        model = msbench.load(name, targets=["vocals"], **options)
    assert parameter_count(model) == count


@pytest.mark.parametrize("name", ["mmdensenet", "mmdenselstm"])
def test_each_target_has_a_network_of_its_own(name: str):
    model = small(name, targets=["vocals", "drums"])
    assert list(model.networks()) == ["vocals", "drums"]
    assert sum(parameter_count(network) for network in model.networks().values()) == parameter_count(model)
    mixture = noise(1, 2, 1001)
    with torch.no_grad():
        before = model(mixture)
        for parameter in model.networks()["drums"].parameters():
            parameter.mul_(0.9)
        after = model(mixture)
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])


@pytest.mark.parametrize("name", ["mmdensenet", "mmdenselstm"])
def test_silence_is_silent(name: str):
    model = small(name)
    assert torch.equal(model(torch.zeros(1, 2, 777)), torch.zeros(1, 1, 2, 777))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bands": [14, 18]}, "bands must add up to the 33 bins of the STFT, not"),
        ({"growth": [[3] * 5] * 2}, "growth must have 3 rows"),
        ({"depth": [[3] * 5, [2] * 5, [2] * 3]}, "one number per block, an odd count"),
        ({"depth": [[3] * 5, [0] * 5, [2] * 5]}, "each block needs layers"),
        ({"features": [5, 0, 6]}, "features and the two sizes of a kernel must be at least 1"),
        ({"kernels": [[3], [3, 3], [3, 3]]}, "features and the two sizes of a kernel must be at least 1"),
        ({"final_depth": 0}, "final_growth, final_depth"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict, match: str):
    with pytest.raises(ValueError, match=match):
        msbench.load("mmdensenet", **{**DENSE, **options})


def test_an_unknown_position_is_refused():
    with pytest.raises(ValueError, match="lstm_position must be one of after, before, parallel, not 'in'"):
        msbench.load("mmdenselstm", **LSTM, lstm_position="in")
