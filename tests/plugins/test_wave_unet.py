"""Wave-U-Net against the authors' code with the same weights, its difference output, and what context means."""

from math import ceil

import pytest
import torch
import yaml
from torch.nn.functional import conv1d, interpolate, leaky_relu

import msbench
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import largest_difference, noise

SMALL = {"depth": 3, "filters": 4, "sample_rate": 8000}


M1 = {"output": "direct", "context": False, "channels": 1}
M2 = {**M1, "output": "difference"}
M3 = {**M2, "context": True}
M4: dict = {}
M5 = {"learned_upsampling": True}
M6 = {"targets": ["bass", "drums", "other", "vocals"]}
M7 = {**M3, "sample_rate": 8192, "filters": 34}


def published(ours, mixture):
    """What f90/Wave-U-Net (75eeae6) makes of a mixture with our weights: Models/UnetAudioSeparator.py, line by line."""
    padding = 0 if ours.context else "same"

    def crop(signal, time):
        extra = signal.shape[-1] - time
        return signal[..., extra // 2 : -(extra - extra // 2)] if extra else signal

    def layer(x, convolution):
        return leaky_relu(conv1d(x, convolution.weight, convolution.bias, padding=padding), 0.2)

    def upsampled(x, level):
        time = x.shape[-1]
        if len(ours.upsampling) == 0 and ours.context:  # resize_bilinear with align_corners
            return interpolate(x, size=2 * time - 1, mode="linear", align_corners=True)
        if len(ours.upsampling) == 0:  # and without: the samples between, and the last one again
            between = (x + torch.cat([x[..., 1:], x[..., -1:]], -1)) / 2
        else:  # Models/InterpolationLayer.py; "same" pads a zero
            first = ours.upsampling[level].sigmoid()
            x_after = x[..., 1:] if ours.context else torch.cat([x[..., 1:], 0 * x[..., -1:]], -1)
            between = first * x[..., : x_after.shape[-1]] + (1 - first) * x_after
        picked = [(between if i % 2 else x)[..., i // 2] for i in range(time + between.shape[-1])]
        return torch.stack(picked, -1)

    x, saved = mixture, []
    for down in ours.down:
        x = layer(x, down[0])
        saved.append(x)
        x = x[..., ::2]
    x = layer(x, ours.middle[0])
    for i, up in enumerate(ours.up):
        x = upsampled(x, i)
        x = layer(torch.cat([crop(saved[-i - 1], x.shape[-1]), x], 1), up[0])
    x = torch.cat([crop(mixture, x.shape[-1]), x], 1)
    estimates = torch.tanh(conv1d(x, ours.last[0].weight, ours.last[0].bias))
    estimates = list(estimates.split(ours.channels, 1))
    if len(estimates) < len(ours.targets):
        estimates.append(crop(mixture, x.shape[-1]) - sum(estimates))
    return torch.stack(estimates, 1)


@pytest.mark.parametrize("variant", [M1, M2, M3, M4, M5, M6, {**M2, "learned_upsampling": True}])
def test_the_outputs_are_the_authors(variant):
    torch.manual_seed(0)
    model = msbench.load("wave_unet", upsampling_edge="zero", **SMALL | variant).eval()
    for weight in model.upsampling:
        weight.data.normal_()
    time = model.sizes(200)[0] if model.context else 640
    mixture = noise(2, model.channels, time)
    with torch.no_grad():
        assert largest_difference(model.network(mixture), published(model, mixture)) < 1e-6


def test_sizes_are_the_authors():
    """`get_padding` of Models/UnetAudioSeparator.py; a float there, so that a half is kept until the end."""
    for options in ({}, SMALL, {"depth": 5, "kernel_down": 9, "kernel_up": 3}):
        model = msbench.load("wave_unet", **{"filters": 1, **options})
        (down, up), depth = model.kernels, len(model.up)
        for time in (1, 2, 64, 1000, 16384, 98560):
            remaining = float(time)
            for _ in range(depth):
                remaining = (remaining + up - 1 + 1) / 2
            inputs = outputs = ceil(remaining)
            inputs += down - 1
            for _ in range(depth):
                outputs, inputs = 2 * outputs - 1 - up + 1, 2 * inputs - 1 + down - 1
            assert model.sizes(time) == (inputs, outputs)
    assert msbench.load("wave_unet", **M7 | {"filters": 1}).sizes(98560) == (233459, 102405)


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        (M1, 10_263_028),
        (M2, 10_263_002),
        (M3, 10_263_002),
        (M4, 10_263_390),
        (M5, 10_265_550),
        (M6, 10_263_498),
        (M7, 20_594_652),
    ],
)
def test_parameters_are_the_authors(variant, count):
    with torch.device("meta"):
        assert parameter_count(msbench.registry.load("models", "wave_unet")(**variant)) == count


def test_the_recipe_draws_its_weights_as_tensorflow():
    """Glorot & Bengio's uniform distribution and zero biases, what tf.layers.conv1d and tf.get_variable draw."""
    torch.manual_seed(0)
    recipe = yaml.safe_load(msbench.registry.recipes()["wave_unet"].read_text("utf-8"))["separator"]
    model = msbench.load("wave_unet", **recipe | M6 | M5)
    limits = {  # sqrt(6 / (fan_in + fan_out)); of a vector of n weights, sqrt(3 / n)
        "down.0.0.weight": 6 / (15 * (2 + 24)),
        "up.11.0.weight": 6 / (5 * (48 + 24 + 24)),
        "last.0.weight": 6 / (26 + 2),  # one layer per target
        "upsampling.0": 3 / 312,
    }
    weights = model.state_dict()
    for name, squared in limits.items():
        assert 0.9 < weights[name].abs().max().item() / squared**0.5 <= 1, name
        assert weights[name].std().item() == pytest.approx((squared / 3) ** 0.5, rel=0.15), name
    assert all((value == 0).all() for name, value in weights.items() if name.endswith("bias"))


def test_m4_maps_the_papers_samples():
    model = msbench.load("wave_unet")
    assert model.sizes(16384) == (147443, 16389)
    with torch.no_grad():
        assert model.network(noise(1, 2, 147443)).shape == (1, 2, 2, 16389)


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_the_last_target_is_the_mixture_less_the_others(context, learned):
    model = msbench.load("wave_unet", context=context, learned_upsampling=learned, targets=["a", "b", "c"], **SMALL)
    mixture = noise(2, 2, 1009)
    assert torch.allclose(model(mixture).sum(1), mixture, atol=1e-6)
    direct = msbench.load("wave_unet", context=context, output="direct", targets=["a", "b", "c"], **SMALL)
    assert not torch.allclose(direct(mixture).sum(1), mixture, atol=1e-2)


def test_with_context_an_estimate_depends_on_real_samples_alone():
    """The middle of a long mixture is estimated alike from the whole and from an excerpt with its context."""
    model = msbench.load("wave_unet", **SMALL).eval()
    mixture = noise(1, 2, 2000)
    inputs, outputs = model.sizes(64)
    before = (inputs - outputs) // 2
    start = 800  # a multiple of the stride
    with torch.no_grad():
        whole = model(mixture)
        excerpt = model.network(mixture[..., start - before : start - before + inputs])
    grid = (model.sizes(2000)[0] - model.sizes(2000)[1]) // 2
    assert (grid - before) % model.stride_samples == 0  # both see the same decimation grid
    assert torch.allclose(excerpt, whole[..., start : start + outputs], atol=1e-6)


def test_a_chunk_in_training_gives_the_loss_of_its_middle():
    model = msbench.load("wave_unet", **SMALL)
    inputs, _ = model.sizes(200)
    mixture, references = noise(1, 2, inputs + 5), noise(1, 2, 2, inputs + 5, seed=1)
    seen = []
    model.loss(Batch(mixture, references), lambda estimates, true: seen.append((estimates, true)) or estimates.mean())
    estimates, true = seen[0]
    start = 2 + (inputs - estimates.shape[-1]) // 2
    assert estimates.shape == true.shape
    assert estimates.shape[-1] >= 200
    assert torch.equal(true, references[..., start : start + true.shape[-1]])


def test_learned_upsampling_starts_linear_and_is_learned():
    mixture = noise(1, 2, 999)
    torch.manual_seed(0)
    linear = msbench.load("wave_unet", **SMALL)
    torch.manual_seed(0)
    learned = msbench.load("wave_unet", learned_upsampling=True, **SMALL)
    assert torch.equal(linear(mixture), learned(mixture))
    learned(mixture)[:, 0].square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in learned.upsampling)
    assert len(linear.upsampling) == 0


def test_interpolation_by_hand():
    model = msbench.load("wave_unet", **SMALL)
    x = torch.tensor([[[0.0, 4.0, 8.0]]])
    assert model._upsampled(x, torch.tensor([[0.25]])).tolist() == [[[0, 3, 4, 7, 8]]]  # w v_1 + (1 - w) v_2
    same = msbench.load("wave_unet", context=False, **SMALL)
    assert same._upsampled(x, torch.tensor([[0.5]])).tolist() == [[[0, 2, 4, 6, 8, 8]]]
    zero = msbench.load("wave_unet", context=False, learned_upsampling=True, upsampling_edge="zero", **SMALL)
    assert zero._upsampled(x, torch.tensor([[0.5]])).tolist() == [[[0, 2, 4, 6, 8, 4]]]
