"""Whole songs through the inference of demucs 4.1, msst 0.1.0 and openunmix 1.3 and through ours: no difference."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.weights.bag import Bag
from tests.plugins.test_demucs import V2, copy_weights
from tests.plugins.test_open_unmix import theirs_and_ours
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

TARGETS = ["drums", "bass", "other", "vocals"]
RATE = 8000
SMALL = {"samplerate": RATE, "segment": 1}
OURS = {"targets": TARGETS, "sample_rate": RATE, "normalize": False}

pytestmark = pytest.mark.usefixtures("one_thread")


def htdemucs() -> tuple[nn.Module, Any]:
    sizes = {"channels": 16, "nfft": 256, "depth": 2, "t_heads": 2, "t_layers": 1, "dconv_mode": 3}
    theirs = peer("demucs.htdemucs").HTDemucs(TARGETS, bottom_channels=16, **sizes, **SMALL)
    options = {"filters": 16, "window_samples": 256, "depth": 2, "heads": 2, "transformer_channels": 16}
    ours = msbench.load("htdemucs", **OURS, **options, transformer_layers=1, chunk_seconds=1.0)
    for name, parameter in theirs.named_parameters():
        if name.endswith("scale"):  # at their first values, branches and transformer would hardly be heard
            nn.init.uniform_(parameter, 0.2, 1)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def hdemucs() -> tuple[nn.Module, Any]:
    sizes = {"nfft": 64, "depth": 4, "norm_starts": 1, "dconv_lstm": 1, "dconv_attn": 1}
    theirs = peer("demucs.hdemucs").HDemucs(TARGETS, channels=16, dconv_init=1.0, **sizes, **SMALL)
    ours = msbench.load("hdemucs", **OURS, filters=16, window_samples=64, depth=4, plain_layers=1)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def demucs() -> tuple[nn.Module, Any]:
    theirs = peer("demucs.demucs").Demucs(TARGETS, channels=4, depth=5, **V2, **SMALL)
    ours = msbench.load("demucs", filters=4, depth=5, **{**OURS, "normalize": True})
    copy_weights(theirs, ours)
    return theirs, ours


@pytest.mark.parametrize("build", [htdemucs, hdemucs, demucs])
def test_demucs_and_apply_model(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    theirs, ours = build()
    apply = peer("demucs.apply")
    theirs.eval()
    for time, overlap, shifts in ((700, 0.25, 0), (17_001, 0.25, 0), (9_011, 0.1, 2)):
        mixture = noise(2, time, seed=time)
        monkeypatch.setattr(apply, "random", random.Random(0))  # their offsets, as ours are drawn
        with torch.no_grad():
            expected = apply.apply_model(theirs, mixture[None], shifts=shifts, split=True, overlap=overlap)[0]
        options = {"overlap": overlap, "window": "triangle", "shifts": shifts, "batch_size": 2}
        stems = msbench.separate(ours, mixture, RATE, chunk_seconds=1.0, **options)
        found = torch.stack([stems[target] for target in TARGETS])
        assert largest_difference(found, expected) < 1e-5
        assert (found - expected).abs().max() < 1e-4


def test_a_bag_of_demucs_and_apply_model(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    networks, models = zip(*(demucs() for _ in range(2)), strict=True)
    mix = [[1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0]]
    apply, mixture = peer("demucs.apply"), noise(2, 9_011)
    with torch.no_grad():
        bag = apply.BagOfModels([*networks], mix).eval()
        expected = apply.apply_model(bag, mixture[None], shifts=0, split=True, overlap=0.25)[0]
    monkeypatch.setattr("msbench_plugins.ensemble.trained", dict(zip("ab", models, strict=True)).__getitem__)
    by_target = {target: [row[i] for row in mix] for i, target in enumerate(TARGETS)}
    ensemble = msbench.load("ensemble", members=["a", "b"], weights=by_target)
    for ours in (Bag(models, mix, 1.0), ensemble):
        stems = msbench.separate(ours, mixture, RATE, window="triangle", overlap=0.25, chunk_seconds=1.0)
        assert largest_difference(torch.stack([stems[target] for target in TARGETS]), expected) < 1e-5


@pytest.mark.parametrize("overlaps", [2, 4])
def test_roformers_and_demix(overlaps: int) -> None:
    bands = (2, 2, 4, 8, 16, 33)
    sizes = {"dim": 8, "depth": 1, "dim_head": 4, "heads": 2, "time_transformer_depth": 1}
    sizes |= {"freq_transformer_depth": 1, "stft_n_fft": 128, "stft_win_length": 128, "stft_hop_length": 32}
    torch.manual_seed(0)
    module = peer("msst.models.bs_roformer")
    theirs = module.BSRoformer(freqs_per_bands=bands, stereo=True, num_stems=2, **sizes).eval()
    options = {"features": 8, "depth": 1, "head_features": 4, "heads": 2, "time_layers": 1, "bands": bands}
    options |= {"targets": ["a", "b"], "sample_rate": RATE, "window_samples": 128, "hop_samples": 32}
    ours = msbench.load("bs_roformer", **options, chunk_seconds=0.3)
    ours.load_state_dict(theirs.state_dict())
    utilities = peer("msst.utils.model_utils")
    config = peer("ml_collections").ConfigDict(
        {
            "audio": {"chunk_size": 2400},
            "training": {"instruments": ["a", "b"], "target_instrument": None, "use_amp": False},
            "inference": {"num_overlap": overlaps, "batch_size": 1},
        }
    )

    def demix(mixture: Tensor) -> dict[str, Any]:
        estimates: dict[str, Any] = utilities.demix(config, theirs, mixture.numpy(), "cpu", "bs_roformer")
        return estimates

    chosen = {"window": "trapezoid", "overlap": 1 - 1 / overlaps, "batch_size": 3}
    for time in (1, 1000, 2401, 3601, 6001):  # below and above twice the border
        mixture = noise(2, time, seed=time)
        expected = demix(mixture)
        found = msbench.separate(ours, mixture, RATE, **chosen)
        for target in ("a", "b"):
            assert largest_difference(found[target], torch.from_numpy(expected[target])) < 1e-5
    turned = utilities.apply_tta(config, theirs, mixture.numpy(), expected, "cpu", "bs_roformer")
    found = msbench.separate(ours, mixture, RATE, **chosen, tta=["swap", "polarity"])
    for target in ("a", "b"):
        assert largest_difference(found[target], torch.from_numpy(turned[target])) < 1e-5


def test_open_unmix_and_its_separator() -> None:
    theirs, ours = theirs_and_ours(["vocals", "drums"])
    mixture = noise(2, 30_001)
    with torch.no_grad():
        expected = theirs(mixture[None])[0]
    found = msbench.separate(ours, mixture, RATE, chunk_seconds=8.0)  # longer than the song: theirs takes it whole
    assert largest_difference(torch.stack([*found.values()]), expected) < 1e-5


@pytest.mark.parametrize("normalize", [False, True])
def test_scnet_and_demix(normalize: bool) -> None:
    """Of songs that are normalized first too, as `run_folder` of msst/inference.py does."""
    sizes = {"dims": [4, 4, 8], "nfft": 128, "hop_size": 32, "win_size": 128, "num_dplayer": 2}
    torch.manual_seed(0)
    theirs = peer("msst.models.scnet").SCNet(sources=["a", "b"], **sizes).eval()
    options = {"filters": [4, 8], "window_samples": 128, "hop_samples": 32, "layers": 2, "chunk_seconds": 0.3}
    options |= {"targets": ["a", "b"], "sample_rate": RATE, "normalization": "song" if normalize else "none"}
    ours = msbench.load("scnet", **options)
    ours.load_state_dict(theirs.state_dict())
    levels, utilities = peer("msst.utils.audio_utils"), peer("msst.utils.model_utils")
    config = peer("ml_collections").ConfigDict(
        {
            "audio": {"chunk_size": 2400},
            "training": {"instruments": ["a", "b"], "target_instrument": None, "use_amp": False},
            "inference": {"num_overlap": 2, "batch_size": 1},
        }
    )
    for time in (2401, 6001):
        mixture = noise(2, time, seed=time) + 0.05
        given, level = levels.normalize_audio(mixture.numpy()) if normalize else (mixture.numpy(), None)
        expected = utilities.demix(config, theirs, given, "cpu", "scnet")
        stems = msbench.separate(ours, mixture, RATE, window="trapezoid", overlap=0.5)
        for target in ("a", "b"):
            whole = levels.denormalize_audio(expected[target], level) if normalize else expected[target]
            assert largest_difference(stems[target], torch.from_numpy(whole)) < 1e-5
