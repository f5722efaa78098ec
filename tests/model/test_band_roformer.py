"""The band-split transformer: bands, precision, memory, chunks; outputs are compared in tests/plugins."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from msbench.model.band_roformer import BandRoformer, RoformerShape
from msbench.model.stft import STFT
from msbench.separation.pipeline import separate
from tests.plugins.weights import largest_difference, noise

SIZES: dict[str, Any] = {
    "features": 8,
    "depth": 2,
    "time_layers": 1,
    "band_layers": 1,
    "heads": 2,
    "head_features": 4,
    "mask_layers": 1,
    "mask_expansion": 2,
    "dropout": 0.0,
    "norm_each": False,
    "skips": False,
    "zero_dc": True,
    "checkpointing": False,
}
OVERLAPPING = [range(0, 6), range(4, 20), range(16, 33)]


def roformer(bands: list[range] = OVERLAPPING, **changed: Any) -> BandRoformer:
    torch.manual_seed(0)
    shape = RoformerShape(**{name: changed.pop(name, size) for name, size in SIZES.items()})
    return BandRoformer(["a", "b"], 8000, 1, STFT(64, 16, plain=True), bands, shape, **changed)


def test_masks_of_overlapping_bands_are_averaged() -> None:
    model = roformer()
    values = torch.full((1, 1, 2 * 39), 3.0)
    values[0, 0, : 2 * 6] = 1.0  # of the first band
    parts = torch.view_as_real(model._mask(values))[0, 0, :, 0, 0]
    assert parts.tolist() == [1.0] * 4 + [2.0] * 2 + [3.0] * 27


def test_skips_change_what_later_transformers_read() -> None:
    mixture = noise(1, 1, 500)
    plain, skipping = roformer().eval(), roformer(skips=True).eval()
    skipping.load_state_dict(plain.state_dict())
    assert largest_difference(skipping(mixture), plain(mixture)) > 1e-3


def test_checkpointing_changes_no_gradient() -> None:
    mixture = noise(2, 1, 500)
    gradients = []
    for checkpointing in (False, True):
        model = roformer(checkpointing=checkpointing)
        model(mixture).square().sum().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("bands", [OVERLAPPING, [range(0, 10), range(10, 33)]])
def test_bfloat16_is_near(bands: list[range]) -> None:
    model, mixture = roformer(bands).eval(), noise(1, 1, 3001)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(mixture)
    exact = model(mixture)
    assert rough.dtype == torch.float32
    assert (exact.square().sum() / (rough - exact).square().sum()).log10() > 3  # 30 dB
    rough.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_without_attention_over_time_chunks_are_the_whole() -> None:
    """Attention over time sees all of a chunk; what is left sees one window."""
    model = roformer(chunk_seconds=0.5).eval()
    for over_time, _ in model.layers:
        torch.nn.init.zeros_(over_time.layers[0][0].to_out[0].weight)
    song = noise(1, 20001).numpy()
    chunked = separate(model, song, 8000, overlap=0.5)
    with torch.no_grad():
        whole = model(torch.from_numpy(song)[None])[0]
    for target, expected in zip(model.targets, whole, strict=True):
        inside = slice(0, -64)  # the last window sees zeros in the last chunk, and the song mirrored in the whole
        assert largest_difference(torch.as_tensor(chunked[target])[..., inside], expected[..., inside]) < 1e-4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bands": [range(0, 32)]}, "the bands must hold all 33 bins of the STFT, and no other"),
        ({"chunk_seconds": 0.001}, "chunk_seconds must be a hop of 16 samples or more, not 0.001"),
        ({"depth": 0}, "depth must be a whole number of at least 1, not 0"),
        ({"mask_layers": 0.5}, "mask_layers must be a whole number of at least 0, not 0.5"),
        ({"head_features": 3}, "head_features must be even, as positions turn pairs of them, not 3"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1, not 1.0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        roformer(**changed)
