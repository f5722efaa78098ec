"""BS-RoFormer against msst 0.1.0, and against bs-roformer where that is still the same network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

BANDS = (2, 2, 4, 8, 16, 33)
THEIRS = {"dim": 16, "freqs_per_bands": BANDS, "dim_head": 8, "heads": 2, "time_transformer_depth": 1}
THEIRS |= {"stft_n_fft": 128, "stft_win_length": 128, "stft_hop_length": 32}
OURS = {"features": 16, "bands": BANDS, "head_features": 8, "heads": 2, "time_layers": 1}
OURS |= {"window_samples": 128, "hop_samples": 32, "chunk_seconds": None}


def published(module: str, **options: Any) -> nn.Module:
    """A network of a peer whose weights are not those of a new one: gains of one would hide their order."""
    torch.manual_seed(0)
    network: nn.Module = peer(module).BSRoformer(**{**THEIRS, **options}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize(
    ("channels", "targets", "theirs", "ours"),
    [
        (2, "a", {"depth": 2, "freq_transformer_depth": 2}, {"depth": 2, "band_layers": 2}),
        (1, "abcd", {"depth": 3, "freq_transformer_depth": 1, "skip_connection": True}, {"depth": 3, "skips": True}),
        (2, "abcd", {"depth": 1, "freq_transformer_depth": 1, "mask_estimator_depth": 3}, {"mask_layers": 2}),
        (1, "a", {"depth": 1, "freq_transformer_depth": 1, "zero_dc": False}, {"zero_dc": False}),
    ],
)
def test_it_gives_the_outputs_of_msst(
    channels: int, targets: str, theirs: dict[str, int], ours: dict[str, int]
) -> None:
    network = published("msst.models.bs_roformer", stereo=channels == 2, num_stems=len(targets), **theirs)
    model = msbench.load("bs_roformer", targets=list(targets), channels=channels, **{"depth": 1, **OURS, **ours}).eval()
    model.load_state_dict(network.state_dict(), strict=True)
    for time in (65, 3200, 4001):
        mixture = noise(2, channels, time)
        with torch.no_grad():
            assert largest_difference(model(mixture), network(mixture)) < 1e-5


def test_with_one_stream_and_layer_it_is_the_network_of_lucidrains() -> None:
    network = published(
        "bs_roformer", depth=1, freq_transformer_depth=1, stereo=True, num_stems=2, num_residual_streams=1
    )
    model = msbench.load("bs_roformer", targets=["a", "b"], depth=1, zero_dc=False, **OURS).eval()
    # It wraps attention and feed-forward networks in a residual, which is one more name on their way.
    model.load_state_dict({name.replace(".branch.", "."): value for name, value in network.state_dict().items()})
    mixture = noise(2, 2, 3200)  # it cuts other lengths to whole hops
    with torch.no_grad():
        assert largest_difference(model(mixture), network(mixture)) < 1e-5


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"head_features": 48}, 72_173_340),  # 72.2 M in the paper
        ({}, 74_532_652),
        ({"depth": 12}, 98_194_828),
        ({"features": 192, "hop_samples": 512}, 24_591_340),  # configs/config_musdb18_bs_roformer.yaml of msst
        ({"features": 512, "depth": 12}, 159_758_092),  # configs/viperx/model_bs_roformer_ep_317_sdr_12.9755.yaml
    ],
)
def test_the_published_sizes(options: dict[str, int], count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(msbench.load("bs_roformer", targets=["vocals"], **options)) == count


def test_chunks_are_those_of_the_training() -> None:
    with torch.device("meta"):
        assert msbench.load("bs_roformer").chunk_samples == 352_800
        assert msbench.load("bs_roformer", chunk_seconds=None).chunk_samples is None


def test_bands_must_hold_the_bins() -> None:
    with pytest.raises(ValueError, match="the 1025 bins of the STFT together, not 1000"):
        msbench.registry.load("models", "bs_roformer")(bands=[500, 500])
