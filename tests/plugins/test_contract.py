"""Every registered model keeps the plugin contract: a new plugin is tested by registering it."""

import pytest

from msbench import registry
from msbench.conformance.checks import check

NAMES = [name for name, entry in registry.entries("models").items() if not entry.error]
# Options that make small what takes more than some seconds as it is, which `make test-daily` checks.
SMALLER = {
    "bs_roformer": {
        "sample_rate": 8000,
        "window_samples": 128,
        "hop_samples": 64,
        "bands": [5, 20, 40],
        "features": 8,
        "depth": 1,
        "heads": 2,
        "head_features": 4,
        "chunk_seconds": 0.2,
    },
    "bsrnn": {
        "targets": ["vocals"],
        "sample_rate": 4000,
        "window_samples": 128,
        "hop_samples": 64,
        "features": 4,
        "depth": 1,
        "hidden": 4,
        "chunk_seconds": 1.0,
    },
    "chimera": {"hidden": 16, "layers": 1, "embedding": 4},
    "cdae": {"targets": ["vocals"], "sample_rate": 2000, "window_samples": 128, "hop_samples": 96},
    "cnn_mask": {
        "sample_rate": 4000,
        "window_samples": 128,
        "hop_samples": 64,
        "fft_samples": 256,
        "filters": [4, 4, 4, 4],
        "pooled_bins": 4,
        "units": [16, 16],
    },
    "complex_unet": {"architecture": "10"},
    "conv_tasnet": {"filters": 32, "bottleneck": 16, "hidden": 32, "skip": 16, "blocks": 3, "repeats": 2},
    "cosep_unet": {"depth": 5, "filters": 2},
    "deep_karaoke": {"sample_rate": 8000, "window_samples": 512, "hop_samples": 128, "hidden": 16},
    "deep_clustering": {"hidden": 16, "embedding": 4},
    "demucs": {"filters": 4},
    "dprnn": {"filters": 16, "bottleneck": 8, "hidden": 8, "repeats": 2},
    "drnn": {"hidden": 32},
    "film_unet": {"depth": 4, "filters": 4},
    "ft2d": {"sample_rate": 8000},
    "hdemucs": {"sample_rate": 8000, "filters": 8},
    "hpss": {"sample_rate": 8000},
    "htdemucs": {
        "sample_rate": 8000,
        "filters": 16,
        "transformer_channels": 16,
        "transformer_layers": 2,
        "chunk_seconds": 2.0,
    },
    "ica": {"iterations": 5},
    "isa": {"window_samples": 512, "hop_samples": 256, "components": 6, "iterations": 5},
    "lstm_mask": {"hidden": 32},
    "nmf": {"sample_rate": 16000, "window_samples": 512, "hop_samples": 256, "components": 5, "iterations": 5},
    "nmf_blind": {"window_samples": 1024, "hop_samples": 512, "components": 6, "iterations": 5},
    "open_unmix": {"sample_rate": 8000, "hidden": 8, "layers": 1, "window_samples": 512, "hop_samples": 256},
    "repet": {"sample_rate": 8000},
    "repet_sim": {"sample_rate": 8000},
    "rpca": {"window_samples": 256, "hop_samples": 128, "iterations": 10},
    "moises_light": {
        "sample_rate": 8000,
        "window_samples": 384,
        "hop_samples": 128,
        "bins": 128,
        "filters": 8,
        "depth": 2,
        "layers": 1,
        "chunk_seconds": 0.5,
    },
    "scnet": {
        "sample_rate": 8000,
        "window_samples": 256,
        "hop_samples": 128,
        "filters": [4, 4, 8],
        "band_strides": [1, 2, 4],
        "layers": 2,
    },
    "segan": {"filters": [4, 4, 8, 8], "kernel": 7, "noise": 4, "slice_samples": 1024},
    "spleeter": {"filters": 2, "window_samples": 512, "hop_samples": 128, "bins": 192, "segment_frames": 64},
    "tasnet": {"filters": 32, "hidden": 16},
    "tfc_tdf": {
        "sample_rate": 8000,
        "window_samples": 256,
        "hop_samples": 128,
        "bins": 128,
        "scales": 2,
        "filters": 4,
        "growth": 4,
        "chunk_seconds": 0.5,
    },
    "mel_band_roformer": {
        "sample_rate": 8000,
        "window_samples": 128,
        "hop_samples": 64,
        "bands": 8,
        "features": 8,
        "depth": 1,
        "heads": 2,
        "head_features": 4,
        "chunk_seconds": 1.0,
    },
    "mmdenselstm": {
        "targets": ["vocals"],
        "sample_rate": 2000,
        "window_samples": 128,
        "hop_samples": 96,
        "bands": [20, 45],
        "growth": [[2, 3, 2], [1, 0, 1], [2, 2, 2]],
        "depth": [[1, 2, 1], [1, 0, 1], [1, 1, 1]],
        "lstm_units": [[0, 4, 0], [0, 2, 0], [0, 0, 4]],
        "features": [4, 2, 2],
        "kernels": [[3, 3], [3, 3], [3, 3]],
    },
    "mmdensenet": {
        "targets": ["vocals"],
        "sample_rate": 2000,
        "window_samples": 128,
        "hop_samples": 96,
        "bands": [20, 45],
        "growth": [[2, 3, 2], [1, 1, 1], [2, 2, 2]],
        "depth": [[1, 2, 1], [1, 1, 1], [1, 1, 1]],
        "features": [4, 2, 2],
    },
    "unet": {"depth": 4, "filters": 4},
    "wave_unet": {"filters": 4},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_registered_model_keeps_the_contract(name):
    assert [result for result in check(name, **SMALLER.get(name, {})) if not result.passed] == []


@pytest.mark.parametrize("phase", ["griffin_lim", "wiener"])
def test_a_model_keeps_it_with_another_phase(phase):
    checked = check("unet", depth=3, filters=2, phase=phase, phase_iterations=2)
    assert [result for result in checked if not result.passed] == []


@pytest.mark.daily
@pytest.mark.parametrize("name", sorted(SMALLER))
def test_a_large_model_keeps_the_contract_as_it_is(name):
    assert [result for result in check(name) if not result.passed] == []


@pytest.mark.parametrize("kind", registry.KINDS)
def test_what_is_registered_imports_and_says_what_it_is(kind):
    for name, entry in registry.entries(kind).items():
        assert registry.error_of(entry) is None, name
        assert registry.summary_of(entry), f"{name} has no docstring: `msbench list {kind}` shows its first line"
