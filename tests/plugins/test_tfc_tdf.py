"""TFC-TDF U-Net v3 against the class of msst, which is the authors': outputs, gradients, names and sizes."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

Published = peer("msst.models.mdx23c_tfc_tdf_v3").TFC_TDF_net
FOUR = ["vocals", "bass", "drums", "other"]
SMALL = {"window_samples": 256, "hop_samples": 32, "bins": 96, "subbands": 3, "scales": 2, "filters": 4, "growth": 3}


def published(targets: list[str], channels: int = 2, **ours: int) -> nn.Module:
    """Of the configuration that our options name; by default that of configs/config_musdb18_mdx23c.yaml."""
    options = {"window_samples": 8192, "hop_samples": 1024, "bins": 4096, "subbands": 4, "scales": 5, "filters": 128}
    options |= {"growth": 128, "blocks": 2, "bottleneck": 4} | ours
    audio = {"n_fft": options["window_samples"], "hop_length": options["hop_samples"], "dim_f": options["bins"]}
    model = {
        "norm": "InstanceNorm",
        "act": "gelu",
        "scale": [2, 2],
        "num_subbands": options["subbands"],
        "num_scales": options["scales"],
        "num_blocks_per_scale": options["blocks"],
        "num_channels": options["filters"],
        "growth": options["growth"],
        "bottleneck_factor": options["bottleneck"],
    }
    training = {"target_instrument": targets[0] if len(targets) == 1 else None, "instruments": targets}
    config = {"audio": audio | {"num_channels": channels}, "model": model, "training": training}
    return Published(SimpleNamespace(**{name: SimpleNamespace(**part) for name, part in config.items()}))


def pair(targets: list[str], channels: int, **options: Any) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    theirs = published(targets, channels, **options)
    for name, parameter in theirs.named_parameters():
        if parameter.dim() == 1:  # normalizations begin as ones and zeros, which would hide their order
            nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
    ours = msbench.load("tfc_tdf", targets=targets, channels=channels, **options)
    ours.load_state_dict(theirs.state_dict())
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize(
    ("targets", "channels", "options"),
    [
        (FOUR, 2, {}),
        (["vocals"], 2, {"blocks": 1, "bottleneck": 2}),
        (FOUR, 1, {"subbands": 1, "growth": 0}),
        (["vocals"], 1, {"scales": 3}),
    ],
)
def test_it_gives_the_outputs_of_the_authors(targets: list[str], channels: int, options: dict[str, int]) -> None:
    ours, theirs = pair(targets, channels, **SMALL | options)
    whole = 32 * (3 * ours.frame_multiple - 1)
    for time in (whole, whole - 32, whole - 101):
        mixture = noise(2, channels, time, seed=time)
        with torch.no_grad():
            # Theirs takes whole hops whose frames divide by 2 to the scales, and folds mono into two channels.
            expected = theirs(nn.functional.pad(mixture, (0, whole - time))).reshape(2, len(targets), channels, -1)
            assert largest_difference(ours(mixture), expected[..., :time]) < 1e-5


def test_its_gradients_are_those_of_the_authors_with_and_without_checkpointing() -> None:
    ours, theirs = pair(FOUR, 2, **SMALL)
    mixture = noise(2, 2, 32 * 11)
    theirs.train()(mixture).square().mean().backward()
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for checkpointing in (False, True):
        ours.checkpointing = checkpointing
        ours.zero_grad()
        ours.train()(mixture).square().mean().backward()
        for name, parameter in ours.named_parameters():
            assert largest_difference(parameter.grad, expected[name]) < 1e-3, name


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        theirs = published(FOUR)
        ours = msbench.load("tfc_tdf")
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    assert parameter_count(ours) == 111_994_368
    assert ours.chunk_samples == 261_120
    assert ours._padded(261_120) == 261_120  # 256 frames, nothing is filled up


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 4000}, "bins must be a multiple of 128 .* up to 4097, not 4000"),
        ({"bins": 8192}, "up to 4097, not 8192"),
        ({"bottleneck": 33}, "a bottleneck of 33 leaves no unit for the 32 frequencies"),
        ({"blocks": 0}, "blocks and bottleneck must be at least 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "tfc_tdf")(**options)
