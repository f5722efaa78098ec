"""Moises-Light against the package of that name: outputs, gradients, names and sizes."""

from typing import Any

import pytest
import torch
from torch import nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise, randomise_statistics
from tests.requirements import peer

package = peer("moises_light")
FOUR = ["vocals", "drums", "bass", "other"]
SMALL = {"window_samples": 96, "hop_samples": 16, "bins": 32, "bands": 2, "filters": 4, "depth": 2, "layers": 1}
SMALL |= {"convolutions": 2, "bottleneck": 4, "heads": 2, "head_features": 4}
NAMES = {"window_samples": "n_fft", "hop_samples": "hop_size", "bins": "freq_dim", "bands": "n_bands", "filters": "G"}
NAMES |= {"depth": "n_enc", "full_stages": "n_dec", "convolutions": "n_split_enc", "convolutions_up": "n_split_dec"}
NAMES |= {"layers": "n_rope", "bottleneck": "bn_factor"}


def published(targets: list[str], channels: int, options: dict[str, Any]) -> nn.Module:
    theirs = {NAMES[key]: value for key, value in options.items() if key in NAMES} | {
        "win_size": options["window_samples"]
    }
    attention = {"heads": options["heads"], "dim_head": options["head_features"], "ff_mult": 2, "flash_attn": False}
    attention |= {"attn_dropout": 0.0, "proj_dropout": 0.0, "ff_dropout": 0.0}
    masks = options.get("output", "mask") == "mask"
    return package.MoisesLight(
        sources=targets, audio_channels=channels, transformer_params=attention, use_mask=masks, **theirs
    )


def pair(targets: list[str], channels: int, **options: Any) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    theirs = published(targets, channels, SMALL | options)
    randomise_statistics(theirs)
    ours = msbench.load("moises_light", targets=targets, channels=channels, **SMALL | options)
    ours.load_state_dict(theirs.state_dict())
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize(
    ("targets", "channels", "options"),
    [
        (FOUR, 2, {}),
        (["vocals"], 1, {"output": "direct", "layers": 2}),
        (FOUR, 1, {"full_stages": 2, "convolutions_up": 2, "bands": 1}),
        (["vocals"], 2, {"full_stages": 0, "filters": 6}),
    ],
)
def test_it_gives_the_outputs_of_the_package(targets: list[str], channels: int, options: dict[str, Any]) -> None:
    ours, theirs = pair(targets, channels, **options)
    for time in (65, 176, 301):
        mixture = noise(2, channels, time, seed=time)
        with torch.no_grad():
            assert largest_difference(ours(mixture), theirs(mixture)) < 1e-5


def test_its_gradients_are_those_of_the_package() -> None:
    ours, theirs = pair(FOUR, 2)
    for model in (ours, theirs):
        model.train()(noise(2, 2, 301)).square().mean().backward()
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters() if parameter.requires_grad}
    largest = max(gradient.abs().max() for gradient in expected.values())
    for name, parameter in ours.named_parameters():
        assert name not in expected or (parameter.grad - expected[name]).abs().max() < 1e-4 * largest, name


@pytest.mark.parametrize(("shared", "rank"), [(True, 2), (False, 8)])
def test_masks_of_four_targets_are_apart_if_each_has_a_last_convolution_of_its_own(shared: bool, rank: int) -> None:
    torch.manual_seed(0)
    model = msbench.load("moises_light", targets=FOUR, channels=1, shared_output=shared, **SMALL).eval()
    spectrogram = torch.randn(1, 2, 49, 20)  # real and imaginary
    with torch.no_grad():
        masks = model.estimate(spectrogram) / spectrogram[:, :, : SMALL["bins"]].unsqueeze(1)
    numbers = masks.flatten(0, 2).flatten(1).double()  # of four targets, by bin and frame
    assert torch.linalg.matrix_rank(numbers - numbers.mean(1, keepdim=True), rtol=1e-4) == rank


@pytest.mark.parametrize(
    ("preset", "options", "count"),
    [
        ("paper_large", {}, 5_451_216),
        ("paper_small", {"filters": 32, "layers": 6}, 2_558_768),
        ("fullband_large", {"filters": 60, "bands": 6, "bins": 3072}, 5_477_844),
        ("fullband_small", {"filters": 36, "layers": 6, "bands": 6, "bins": 3072}, 2_805_796),
    ],
)
def test_the_presets_of_the_package(preset: str, options: dict[str, int], count: int) -> None:
    with torch.device("meta"):
        theirs = package.MoisesLight(**package.configs[preset])
        ours = msbench.load("moises_light", **options)
    shapes = {name: value.shape for name, value in theirs.named_parameters()}
    assert {name: value.shape for name, value in ours.named_parameters()} == shapes
    assert ours.targets == theirs.sources
    assert parameter_count(ours) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 2046}, "bins must be a multiple of 4 bands up to 3073"),
        ({"bins": 4096}, "up to 3073, .* not 4096"),
        ({"filters": 30}, "filters must be a multiple of 4 bands, not 30"),
        ({"full_stages": 4}, "full_stages must be from 0 to the depth, 3, not 4"),
        ({"head_features": 3}, "head_features must be even"),
        ({"output": "both"}, "output must be one of mask, direct, not 'both'"),
        ({"depth": 0}, "depth, bottleneck and heads must be at least 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "moises_light")(**options)
