"""Conv-TasNet against asteroid's and, as it is trained on music, against demucs' tasnet.py, with the same weights."""

import lightning.pytorch as lightning
import pytest
import torch
import yaml
from torch.nn.functional import conv1d, prelu, relu
from torch.utils.data import DataLoader, TensorDataset

import msbench
from msbench.model.costs import parameter_count
from msbench.training.module import SeparationModule
from tests.plugins.weights import copy_in_order, largest_difference, noise
from tests.requirements import peer

LENGTHS = (800, 801, 807, 997, 4093)  # whole strides of 8, one more, one less, and primes


@pytest.mark.parametrize("bank", ["free", "stft", "sinc"])
@pytest.mark.parametrize("skip", [16, 0])
def test_same_outputs_as_asteroid(bank, skip):
    published = peer("asteroid.models").ConvTasNet
    torch.manual_seed(0)
    theirs = published(
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
    for source, target in parts(theirs, ours):
        copy_in_order(source, target)
    for time in LENGTHS:
        mixture = noise(2, 1, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture)[:, :, 0], theirs(mixture)) < 1e-5


def parts(theirs, ours):
    """Those of asteroid's network, each with ours."""
    masker = theirs.masker
    return [
        (theirs.encoder, ours.encoder),
        (theirs.decoder, ours.decoder),
        (masker.bottleneck, ours.bottleneck),
        (masker.TCN, ours.blocks),
        (masker.mask_net, ours.mask),
    ]


def test_twenty_steps_of_training_end_at_the_weights_of_asteroid():
    """Theirs by their own loop, ours as `msbench fit` has it: Adam, the best permutation of SI-SDR, clipping at 5.

    In double precision, as Adam makes a step of the smallest rounding error of a gradient: weights end 5e-8 apart, and
    4e-5 in single precision.
    """
    losses, trainer = peer("asteroid.losses"), peer("pytorch_lightning").Trainer
    torch.manual_seed(0)
    theirs = peer("asteroid.models").ConvTasNet(
        2, bn_chan=8, hid_chan=12, skip_chan=8, n_blocks=2, n_repeats=2, n_filters=16, kernel_size=16, stride=8
    )
    sizes = {"filters": 16, "bottleneck": 8, "hidden": 12, "skip": 8, "blocks": 2, "repeats": 2}
    ours = msbench.load("conv_tasnet", targets=["a", "b"], sample_rate=8000, channels=1, **sizes)
    for source, target in parts(theirs, ours):
        copy_in_order(source, target)
    before = [parameter.detach().clone() for parameter in ours.parameters()]
    references = noise(20 * 4, 2, 1600).double()  # 20 batches of 4
    mixtures = references.sum(1)
    options = {"max_epochs": 1, "gradient_clip_val": 5.0, "limit_val_batches": 0, "accelerator": "cpu"}
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options |= dict.fromkeys(quiet, False)
    system = peer("asteroid.engine.system").System(
        theirs.double(),
        torch.optim.Adam(theirs.parameters(), lr=1e-3),
        losses.PITLossWrapper(losses.pairwise_neg_sisdr, pit_from="pw_mtx"),
        DataLoader(TensorDataset(mixtures, references), batch_size=4),
    )
    trainer(**options).fit(system)
    module = SeparationModule(
        ours.double(), "si_snr", pit=True, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3)
    )
    lightning.Trainer(**options).fit(
        module, DataLoader(TensorDataset(mixtures.unsqueeze(1), references.unsqueeze(2)), batch_size=4)
    )
    assert system.global_step == module.global_step == 20
    for source, target in parts(theirs, ours):
        for a, b in zip(source.parameters(), target.parameters(), strict=True):
            assert (a - b).abs().max() < 1e-6
    assert max((a - b).abs().max() for a, b in zip(before, ours.parameters(), strict=True)) > 0.01


@pytest.mark.parametrize(
    ("options", "millions"), [({"targets": ["a", "b"], "channels": 1}, 5.05), ({"channels": 1}, 5.18)]
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


# The variant for music: facebookresearch/demucs, branch v2 (64ed2cb), demucs/tasnet.py. Its package has it no longer.

MUSIC = yaml.safe_load(msbench.registry.recipes()["conv_tasnet"].read_text("utf-8"))["separator"]
SMALL = {"filters": 32, "bottleneck": 16, "hidden": 24, "blocks": 3, "repeats": 2}


def tasnet(ours, mixture):
    """What tasnet.py makes of a mixture with our weights: its forward, line by line."""
    weights, length, stride = ours.state_dict(), ours.kernel_samples, ours.stride_samples

    def norm(x, name, dims):  # cLN over channels, gLN over channels and frames
        centred = x - x.mean(dims, keepdim=True)
        scaled = centred / (centred.square().mean(dims, keepdim=True) + 1e-8).sqrt()
        return weights[f"{name}.weight"][:, None] * scaled + weights[f"{name}.bias"][:, None]

    encoded = relu(conv1d(mixture, weights["encoder.weight"], stride=stride))
    x = conv1d(norm(encoded, "bottleneck.0", 1), weights["bottleneck.1.weight"])
    for i in range(SMALL["blocks"] * SMALL["repeats"]):
        layer, dilation = f"blocks.{i}.body", 2 ** (i % SMALL["blocks"])
        y = prelu(conv1d(x, weights[f"{layer}.0.weight"]), weights[f"{layer}.1.weight"])
        y = norm(y, f"{layer}.2", (1, 2))
        y = conv1d(y, weights[f"{layer}.3.weight"], padding=dilation, dilation=dilation, groups=SMALL["hidden"])
        y = norm(prelu(y, weights[f"{layer}.4.weight"]), f"{layer}.5", (1, 2))
        x = x + conv1d(y, weights[f"blocks.{i}.residual.weight"])
    masks = relu(conv1d(x, weights["mask.1.weight"])).unflatten(1, (len(ours.targets), -1))
    frames = (masks * encoded[:, None]).transpose(2, 3) @ weights["decoder.weight"].flatten(1)
    frames = frames.unflatten(-1, (ours.channels, length))  # (B, S, frames, C, length)
    estimates = torch.zeros(len(mixture), len(ours.targets), *mixture.shape[1:])
    for i in range(frames.shape[2]):
        estimates[..., i * stride : i * stride + length] += frames[:, :, i]
    return estimates


@pytest.mark.parametrize("time", [4000, 4007, 9999])
def test_the_recipe_for_music_gives_the_outputs_of_tasnet(time):
    torch.manual_seed(0)
    ours = msbench.load("conv_tasnet", **MUSIC | SMALL | {"initialization": "torch"}).eval()
    for parameter in ours.parameters():
        if parameter.dim() == 1:  # ones and zeros hide where they belong
            parameter.data.uniform_(0.5, 1.5)
    mixture = noise(2, 2, time)
    with torch.no_grad():
        assert largest_difference(ours(mixture), tasnet(ours, mixture)) < 1e-5


def test_the_music_network_scales_with_its_input():
    torch.manual_seed(0)
    model = msbench.load("conv_tasnet", **MUSIC | SMALL).eval()
    mixture = noise(1, 2, 4000)
    with torch.no_grad():
        assert largest_difference(10 * model(0.1 * mixture), model(mixture)) < 1e-3


def test_the_recipe_for_music_has_the_parameters_of_tasnet():
    with torch.device("meta"):
        model = msbench.registry.load("models", "conv_tasnet")(**MUSIC)
    assert parameter_count(model) == 10_977_872


def test_the_recipe_for_music_draws_its_weights_as_tasnet():
    torch.manual_seed(0)
    model = msbench.load("conv_tasnet", **MUSIC | {"blocks": 1, "repeats": 1})
    drawn = {  # sqrt(2 / (fan_in + fan_out)); scales and shifts are 1 x n x 1 there, and the decoder is a linear layer
        "encoder.weight": 2 / (20 * (2 + 256)),
        "decoder.weight": 2 / (256 + 2 * 20),
        "bottleneck.0.weight": 2 / (256 + 1),
        "bottleneck.1.weight": 2 / (256 + 256),
        "blocks.0.body.2.weight": 2 / (512 + 1),
        "blocks.0.body.2.bias": 2 / (512 + 1),
        "blocks.0.body.3.weight": 2 / (3 * (1 + 512)),
        "mask.1.weight": 2 / (256 + 1024),
    }
    weights = model.state_dict()
    for name, variance in drawn.items():
        assert weights[name].std().item() == pytest.approx(variance**0.5, rel=0.15), name
        assert abs(weights[name].mean().item()) < 0.2 * variance**0.5, name


def test_a_normalization_of_songs():
    assert msbench.load("conv_tasnet", **SMALL, normalize="song").normalizes_songs
    with pytest.raises(ValueError, match="normalize must be null or 'song', not True"):
        msbench.load("conv_tasnet", **SMALL, normalize=True)


@pytest.mark.parametrize("option", [{"encoder_activation": "tanh"}, {"first_norm": "batch"}, {"mask": "none"}])
def test_an_unknown_variant_is_refused(option):
    ((name, value),) = option.items()
    with pytest.raises(ValueError, match=f"{name} must be one of .*, not '{value}'"):
        msbench.load("conv_tasnet", **option)
