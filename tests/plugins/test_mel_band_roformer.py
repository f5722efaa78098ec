"""Mel-Band RoFormer against msst 0.1.0, and its bands against librosa's filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msbench_plugins.mel_band_roformer import mel_bands
from torch import nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

THEIRS = {"dim": 16, "num_bands": 12, "sample_rate": 8000, "dim_head": 8, "heads": 2, "time_transformer_depth": 1}
THEIRS |= {"stft_n_fft": 256, "stft_win_length": 256, "stft_hop_length": 64, "match_input_audio_length": True}
OURS = {"features": 16, "bands": 12, "sample_rate": 8000, "head_features": 8, "heads": 2, "time_layers": 1}
OURS |= {"window_samples": 256, "hop_samples": 64, "chunk_seconds": None}


@pytest.mark.parametrize(
    ("channels", "targets", "theirs", "ours"),
    [
        (2, "a", {"depth": 2, "freq_transformer_depth": 2}, {"depth": 2, "band_layers": 2, "mask_layers": 1}),
        (1, "abcd", {"depth": 3, "freq_transformer_depth": 1, "skip_connection": True}, {"depth": 3, "skips": True}),
        (2, "abcd", {"depth": 1, "freq_transformer_depth": 1, "zero_dc": False}, {"depth": 1, "zero_dc": False}),
    ],
)
def test_it_gives_the_outputs_of_msst(
    channels: int, targets: str, theirs: dict[str, int], ours: dict[str, int]
) -> None:
    torch.manual_seed(0)
    depth = {"mask_estimator_depth": ours.get("mask_layers", 2)}
    network: nn.Module = peer("msst.models.bs_roformer").MelBandRoformer(
        stereo=channels == 2, num_stems=len(targets), **THEIRS, **theirs, **depth
    )
    with torch.no_grad():
        for parameter in network.eval().parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model = msbench.load("mel_band_roformer", targets=list(targets), channels=channels, **OURS, **ours).eval()
    model.load_state_dict(network.state_dict(), strict=True)
    for time in (129, 3200, 4001):
        mixture = noise(2, channels, time)
        with torch.no_grad():
            theirs_of_all = network(mixture).reshape(2, len(targets), channels, time)  # one target has no dimension
            assert largest_difference(model(mixture), theirs_of_all) < 1e-5


@pytest.mark.parametrize(
    ("sample_rate", "window", "count"), [(44100, 2048, 60), (44100, 4096, 64), (11025, 512, 30), (8000, 256, 12)]
)
def test_bands_are_where_the_filters_of_librosa_are(sample_rate: int, window: int, count: int) -> None:
    filters = peer("librosa").filters.mel(sr=sample_rate, n_fft=window, n_mels=count)
    filters[0, 0] = filters[-1, -1] = 1  # as in msst
    ours = np.zeros_like(filters, dtype=bool)
    for row, band in zip(ours, mel_bands(sample_rate, window, count), strict=True):
        row[band] = True
    assert np.array_equal(ours, filters > 0)


def test_the_bands_of_public_checkpoints() -> None:
    """Pinned: their weights have these widths, whatever computes a mel scale."""
    widths = [len(band) for band in mel_bands(44100, 2048, 60)]
    assert sum(widths) == 1979
    assert widths[:8] == [7, 6, 6, 6, 6, 6, 6, 6]
    assert widths[-4:] == [105, 113, 122, 130]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 228_202_852),
        (
            {"features": 192, "depth": 8, "hop_samples": 512},
            69_102_468,
        ),  # config_musdb18_mel_band_roformer.yaml of msst
        ({"mask_layers": 1, "head_features": 48}, 84_193_620),
    ],
)
def test_the_published_sizes(options: dict[str, int], count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(msbench.load("mel_band_roformer", targets=["vocals"], **options)) == count


def test_bands_that_leave_bins_out_are_refused() -> None:
    with pytest.raises(ValueError, match="400 mel bands of 129 bins leave a band empty, or a bin in none"):
        mel_bands(8000, 256, 400)
