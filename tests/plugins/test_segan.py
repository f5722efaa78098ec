"""SEGAN against santi-pdp/segan_pytorch (0522387), transcribed: networks, a step of training, separation."""

import pytest
import torch
from torch.nn.functional import batch_norm, conv1d, conv_transpose1d, l1_loss, linear, mse_loss, pad, prelu

import msbench
from msbench import registry
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import largest_difference, noise, randomise_statistics

SMALL = {"filters": [4, 6, 8], "kernel": 7, "noise": 5, "slice_samples": 64}
LAYERS = 3


def model(**options):
    """A small one whose activations and shifts are not those of a new one."""
    torch.manual_seed(0)
    built = msbench.load("segan", **SMALL | options)
    for parameter in built.parameters():
        if parameter.dim() == 1:
            parameter.data.uniform_(-0.5, 0.5)
        else:
            parameter.data *= 5
    randomise_statistics(built)
    return built.eval()


def down(x, weights, name):
    """GConv1DBlock of segan/models/modules.py without normalization and activation."""
    kernel = weights[f"{name}.weight"].shape[-1]
    x = pad(x, (kernel // 2 - 1, kernel // 2), mode="reflect")
    return conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2)


def generator(weights, x, z):
    """Generator of segan/models/generator.py with `skip_merge` concat and constant skips of one."""
    linear_outputs = []
    for i in range(LAYERS):
        x = down(x, weights, f"down.{i}")
        linear_outputs.append(x)
        x = prelu(x, weights[f"down_activations.{i}.weight"])
    x = torch.cat([z, x], 1)
    for i in range(LAYERS):
        if i:
            x = torch.cat([x, linear_outputs[LAYERS - 1 - i]], 1)
        weight = weights[f"up.{i}.weight"]
        padding = max(0, (2 - weight.shape[-1]) // -2)
        x = conv_transpose1d(x, weight, weights[f"up.{i}.bias"], stride=2, padding=padding)[:, :, :-1]
        x = prelu(x, weights[f"up_activations.{i}.weight"]) if i < LAYERS - 1 else x.tanh()
    return x


def discriminator(weights, signal, condition, training=False):
    """Discriminator of segan/models/discriminator.py with `pool_type` none and batch normalization."""
    x = torch.cat([signal, condition], 1)
    for i in range(LAYERS):
        x = down(x, weights, f"convolutions.{i}.0")
        norm = [weights[f"convolutions.{i}.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        x = batch_norm(x, *norm, training=training)
        x = prelu(x, weights[f"convolutions.{i}.2.weight"])
    x = x.flatten(1)
    for i in (0, 2, 4):
        x = linear(x, weights[f"last.{i}.weight"], weights[f"last.{i}.bias"])
        x = prelu(x, weights[f"last.{i + 1}.weight"]) if i < 4 else x
    return x


def test_the_networks_are_the_authors():
    ours = model()
    mixture, target, z = noise(3, 1, 64), noise(3, 1, 64, seed=1), noise(3, 5, 8, seed=2)
    with torch.no_grad():
        theirs = generator(ours.generator.state_dict(), mixture, z)
        assert largest_difference(ours.generator(mixture, z), theirs) < 1e-5
        theirs = discriminator(ours.discriminator.state_dict(), target, mixture)
        assert largest_difference(ours.discriminator(target, mixture), theirs) < 1e-5


@pytest.mark.parametrize("time", [1, 64, 65, 300])
def test_separation_is_the_authors(time):
    """`SEGAN.generate` of segan/models/model.py: pre-emphasis, slice after slice with the same noise, and back."""
    ours = model()
    mixture = noise(1, 1, time)
    emphasized = torch.cat([mixture[..., :1], mixture[..., 1:] - 0.95 * mixture[..., :-1]], -1)
    slices = pad(emphasized, (0, -time % 64)).split(64, -1)
    with torch.no_grad():
        y = torch.cat([generator(ours.generator.state_dict(), x, ours.noise) for x in slices], -1)[0, 0, :time].tolist()
        for n in range(1, time):
            y[n] += 0.95 * y[n - 1]
        assert largest_difference(ours(mixture)[0, 0, 0], torch.tensor(y)) < 1e-5


def test_a_step_is_the_authors():
    """(1) to (3) of `SEGAN.train` there, with RMSprop and least squares: the weights of both networks after it."""
    ours = model(phase_shift=0).train()
    batch = Batch(noise(4, 1, 64), noise(4, 1, 1, 64, seed=1))
    g, d = (
        {name: value.clone() for name, value in part.state_dict().items()}
        for part in (ours.generator, ours.discriminator)
    )
    for weights, part in ((g, ours.generator), (d, ours.discriminator)):
        for name, _ in part.named_parameters():
            weights[name].requires_grad_()
    optimizers = [torch.optim.RMSprop([x for x in w.values() if x.requires_grad], lr=5e-3) for w in (g, d)]
    clean, noisy = (
        torch.cat([x[..., :1], x[..., 1:] - 0.95 * x[..., :-1]], -1) for x in (batch.references[:, 0], batch.mixture)
    )
    torch.manual_seed(7)
    fake = generator(g, noisy, torch.randn(4, 5, 8))
    mse_loss(discriminator(d, clean, noisy, True), torch.ones(4, 1)).backward()
    mse_loss(discriminator(d, fake.detach(), noisy, True), torch.zeros(4, 1)).backward()
    optimizers[1].step()
    (mse_loss(discriminator(d, fake, noisy, True), torch.ones(4, 1)) + 100 * l1_loss(fake, clean)).backward()
    optimizers[0].step()

    torch.manual_seed(7)
    ours.train_on(batch, Criterion("l1"), ours.optimizers(lambda parameters: torch.optim.RMSprop(parameters, lr=5e-3)))
    for weights, part in ((g, ours.generator), (d, ours.discriminator)):
        for name, parameter in part.named_parameters():
            assert torch.allclose(parameter, weights[name], atol=1e-5), name


def test_parameter_counts():
    with torch.device("meta"):
        full = registry.load("models", "segan")()
    assert parameter_count(full) == parameter_count(full.generator) == 73_100_049
    assert parameter_count(full.discriminator) == 26_505_377


def test_weights_begin_as_the_authors():
    """`weights_init` of segan/models/model.py; transposed convolutions keep the weights of torch."""
    torch.manual_seed(0)
    ours = msbench.load("segan", **SMALL | {"filters": [16, 32, 64]})
    for convolution in (ours.generator.down[2], ours.discriminator.convolutions[2][0]):
        assert convolution.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert not convolution.bias.any()
    first = ours.discriminator.last[0].weight
    assert first.std().item() == pytest.approx((2 / sum(first.shape)) ** 0.5, rel=0.05)
    assert ours.generator.up[0].weight.abs().max().item() == pytest.approx((32 * 7) ** -0.5, rel=0.05)
    assert all(not each.weight.any() for each in ours.generator.down_activations)


def test_shifts_are_of_training_alone():
    ours = model(phase_shift=5)
    pair = noise(2, 1, 64), noise(2, 1, 64, seed=1)
    with torch.no_grad():
        assert torch.equal(ours.discriminator(*pair), ours.discriminator(*pair))
        ours.discriminator.train()
        assert not torch.equal(ours.discriminator(*pair), ours.discriminator(*pair))


def test_several_targets_and_channels_are_channels():
    ours = model(targets=["a", "b"], channels=2)
    assert ours(noise(3, 2, 100)).shape == (3, 2, 2, 100)
    batch = Batch(noise(2, 2, 64), noise(2, 2, 2, 64))
    losses = ours.train().train_on(batch, Criterion("l1"), ours.optimizers(torch.optim.RMSprop))
    assert losses.keys() == {"generator", "discriminator"}


def test_a_checkpoint_keeps_the_noise():
    first, second = model(), msbench.load("segan", **SMALL).eval()
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        assert torch.equal(first(noise(1, 1, 100)), second(noise(1, 1, 100)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"slice_samples": 60}, "slice_samples must be a multiple of 8 and at least 16 .* not 60"),
        ({"slice_samples": 8}, "at least 16"),
        ({"kernel": 8}, "kernel must be odd and at least 3, not 8"),
        ({"filters": []}, "filters must be one or more numbers"),
        ({"noise": 0}, "noise at least 1"),
        ({"preemphasis": 1.0}, "preemphasis must be from 0 to 0.98, not 1.0"),
        ({"phase_shift": -1}, "phase_shift and loss_weight must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        msbench.load("segan", **SMALL | options)
