"""Layers in bands, against the same layer without; test_hdemucs compares them with the package's."""

from __future__ import annotations

import pytest
import torch

from msbench.model.demucs_bands import BandsDown, BandsUp
from msbench.model.demucs_layers import HybridLayer, LayerDown, LayerUp
from tests.plugins.weights import largest_difference, noise

LAYER = HybridLayer(
    width=8,
    channels_in=4,
    channels_out=4,
    kernel=8,
    stride=4,
    padding=2,
    over_frequencies=True,
    meets=False,
    deep=False,
    normalized=False,
    outermost=False,
    splits=(0.1, 0.27, 0.5),
)


@pytest.mark.parametrize("frequencies", [128, 160])
def test_with_the_same_weights_bands_change_nothing(frequencies: int) -> None:
    torch.manual_seed(0)
    down, up = LayerDown(LAYER, 4), LayerUp(LAYER, 4, branches=False)
    bands_down, bands_up = BandsDown(LAYER, 4), BandsUp(LAYER, 4, branches=False)
    for one, split in ((down, bands_down), (up, bands_up)):
        for band in split.layers:
            band.load_state_dict(one.state_dict())
    x = noise(2, 4, frequencies, 5)
    with torch.no_grad():
        below, found = down(x), bands_down(x)
        assert largest_difference(found, below) < 1e-6
        assert largest_difference(bands_up(below, below, 5)[0], up(below, below, 5)[0]) < 1e-6
    bands_up(bands_down(x), found, 5)[0].square().sum().backward()
    assert all(band.conv.weight.grad.isfinite().all() for band in bands_down.layers)


def test_each_band_has_weights_of_its_own() -> None:
    torch.manual_seed(0)
    bands = BandsDown(LAYER, 4)
    x = noise(1, 4, 128, 3)
    with torch.no_grad():
        before = bands(x)
        bands.layers[1].conv.weight.zero_()
        changed = (bands(x) - before).abs().amax((0, 1, 3)) > 0
    assert changed.nonzero().flatten().tolist() == list(range(3, 8))
