"""SCNet against the authors' network: outputs, gradients, names and sizes.

The class of msst is that of starrytong/SCNet (5d95bf9, scnet/SCNet.py and separation.py) without the normalization of
the spectrogram, lines 336-338 and 361, which hooks put back here.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

Published = peer("msst.models.scnet").SCNet
FOUR = ["drums", "bass", "other", "vocals"]
SMALL = {"window_samples": 128, "hop_samples": 32, "filters": [4, 8, 8], "layers": 2}
SMALL_THEIRS = {"nfft": 128, "hop_size": 32, "win_size": 128, "num_dplayer": 2}


class Authors(nn.Module):
    """With what msst leaves out: before the first step down, and after the last one up."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        network.encoder[0].register_forward_pre_hook(self.normalize)
        network.decoder[-1][1].register_forward_hook(self.restore)

    def normalize(self, _: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        (x,) = inputs
        self.mean, self.std = (f(dim=(1, 2, 3), keepdim=True) for f in (x.mean, x.std))
        return (x - self.mean) / (1e-5 + self.std)

    def restore(self, _: nn.Module, inputs: tuple[Tensor], x: Tensor) -> Tensor:
        return x * self.std + self.mean

    def forward(self, mixture: Tensor) -> Tensor:
        return self.network(mixture)


def pair(targets: list[str], channels: int, theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[Any, Authors]:
    model, network = pair_of_msst(targets, channels, theirs, ours)
    return model, Authors(network)


def pair_of_msst(targets: list[str], channels: int, theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[Any, Any]:
    torch.manual_seed(0)
    dims = [2 * channels, *(SMALL | ours)["filters"]]
    network = Published(sources=targets, audio_channels=channels, dims=dims, **SMALL_THEIRS | theirs)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 1 and "lstm" not in name:  # normalizations begin as ones and zeros
            nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
    model = msbench.load("scnet", targets=targets, channels=channels, **SMALL | ours)
    model.load_state_dict(network.state_dict())
    return model, network


@pytest.mark.parametrize(
    ("targets", "channels", "theirs", "ours"),
    [
        (FOUR, 2, {}, {}),
        (["vocals"], 1, {"num_dplayer": 4, "expand": 2}, {"layers": 4, "expand": 2, "filters": [4, 4]}),
        (
            FOUR,
            1,
            {"band_SR": [0.3, 0.3, 0.4], "band_stride": [2, 1, 8], "band_kernel": [2, 3, 8], "conv_kernel": 5},
            {"band_shares": [0.3, 0.3, 0.4], "band_strides": [2, 1, 8], "kernel": 5, "filters": [4, 4]},
        ),
    ],
)
def test_it_gives_the_outputs_of_the_authors(
    targets: list[str], channels: int, theirs: dict[str, Any], ours: dict[str, Any]
) -> None:
    model, published = pair(targets, channels, theirs, ours)
    model.eval()
    published.eval()
    for time in (65, 320, 352, 1001):
        mixture = noise(2, channels, time, seed=time)
        with torch.no_grad():
            assert largest_difference(model(mixture), published(mixture)) < 1e-5


@pytest.mark.parametrize("normalization", ["none", "song"])
def test_without_that_normalization_it_gives_the_outputs_of_msst(normalization: str) -> None:
    model, published = pair_of_msst(FOUR, 2, {}, {"normalization": normalization})
    assert model.normalizes_songs == (normalization == "song")
    mixture = noise(2, 2, 1001)
    with torch.no_grad():
        assert largest_difference(model.eval()(mixture), published.eval()(mixture)) < 1e-5


def test_a_chunk_of_training_is_normalized_as_a_song_is() -> None:
    model, _ = pair_of_msst(FOUR, 2, {}, {"normalization": "song"})
    model.eval()
    mixture, references = noise(1, 2, 1001) + 0.3, noise(1, 4, 2, 1001, seed=1)
    with torch.no_grad():
        loss = model.loss(msbench.Batch(mixture, references), lambda estimates, _: estimates)
    stems = msbench.separate(model, mixture[0], model.sample_rate)
    assert largest_difference(loss[0], torch.stack([stems[target] for target in FOUR])) < 1e-3  # N - 1, and 1e-5


def test_its_gradients_are_those_of_the_authors_with_and_without_checkpointing() -> None:
    model, published = pair(FOUR, 2, {}, {})
    mixture = noise(2, 2, 700)
    published(mixture).square().mean().backward()
    expected = {name: parameter.grad for name, parameter in published.network.named_parameters()}
    largest = max(gradient.abs().max() for gradient in expected.values())
    for checkpointing in (False, True):
        model.checkpointing = checkpointing
        model.zero_grad()
        model.train()(mixture).square().mean().backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad - expected[name]).abs().max() < 1e-5 * largest, name


@pytest.mark.parametrize(("filters", "count"), [([32, 64, 128], 10_578_768), ([64, 128, 256], 42_181_232)])
def test_the_published_sizes(filters: list[int], count: int) -> None:
    with torch.device("meta"):
        theirs = Published(dims=[4, *filters])
        ours = msbench.load("scnet", filters=filters)
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    assert parameter_count(ours) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": [1, 1]}, "must each have three numbers"),
        ({"band_shares": [0.5, 0.5, 0.5]}, "band_shares must be above 0 and sum to 1"),
        ({"filters": [3]}, r"filters must be at least compress \(4\), not \[3\]"),
        ({"kernel": 2}, "kernel must be odd, not 2"),
        ({"layers": 3}, "layers must be even and expand at least 1, not 3 and 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "scnet")(**options)
