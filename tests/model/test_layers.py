"""Layers that several models share: shapes at any size, and what is refused."""

from __future__ import annotations

import pytest
import torch

from msbench.model.layers import ConvUNet, centre


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 21)])
def test_the_u_net_keeps_any_size(skip: bool, size: tuple[int, int]) -> None:
    unet = ConvUNet(2, 3, depth=3, filters=4, dropout=0.5, skip=skip).eval()
    assert unet(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


def test_modulation_takes_the_place_of_what_it_is_given() -> None:
    unet, seen = ConvUNet(1, 1, depth=3, filters=4, dropout=0.0).eval(), []

    def modulate(layer: int, x: torch.Tensor) -> torch.Tensor:
        seen.append((layer, x.shape[1]))
        return x

    image = torch.randn(1, 1, 16, 16)
    assert torch.equal(unet(image, modulate), unet(image))
    assert seen == [(0, 4), (1, 8), (2, 16)]
    assert not torch.equal(unet(image, lambda layer, x: 0 * x), unet(image))


def test_a_depth_that_has_no_recipe() -> None:
    with pytest.raises(ValueError, match="depth must be from 3 to 6, not 7"):
        ConvUNet(1, 1, depth=7, filters=4, dropout=0.0)


def test_the_middle() -> None:
    assert centre(torch.arange(5), 3).tolist() == [1, 2, 3]
    assert centre(torch.arange(6), 3).tolist() == [1, 2, 3]  # of two middles the earlier one
