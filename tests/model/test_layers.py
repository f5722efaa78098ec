"""Layers that several models share: shapes at any size, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from msbench.model.layers import LAYERS, ConvUNet, centre, initialize


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


def _before(size: int) -> int:
    """The zeros that TensorFlow's "same" puts before `size` rows, for kernels of 5 and a stride of 2."""
    total = max(5 - 2, 0) if size % 2 == 0 else max(5 - size % 2, 0)
    return total // 2


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (8, 5), (1, 2)])
def test_layers_of_tensorflow_by_its_definition(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    down, up, _ = LAYERS["tensorflow"]
    convolution, transposed = down(2, 3), up(2, 3)
    image = torch.randn(1, 2, *size)
    forth = np.zeros((3, -(-size[0] // 2), -(-size[1] // 2)))
    back = np.zeros((3, 2 * size[0], 2 * size[1]))
    pixels = image[0].numpy()
    for (i, j), (a, b) in ((out, tap) for out in np.ndindex(*forth.shape[1:]) for tap in np.ndindex(5, 5)):
        row, column = 2 * i + a - _before(size[0]), 2 * j + b - _before(size[1])
        if 0 <= row < size[0] and 0 <= column < size[1]:
            forth[:, i, j] += convolution.weight.detach().numpy()[:, :, a, b] @ pixels[:, row, column]
    for (i, j), (a, b) in ((at, tap) for at in np.ndindex(*size) for tap in np.ndindex(5, 5)):
        row, column = 2 * i + a - _before(2 * size[0]), 2 * j + b - _before(2 * size[1])
        if 0 <= row < 2 * size[0] and 0 <= column < 2 * size[1]:
            back[:, row, column] += pixels[:, i, j] @ transposed.weight.detach().numpy()[:, :, a, b]
    for layer, expected in ((convolution, forth), (transposed, back)):
        output = layer(image)[0].detach().numpy() - layer.bias.detach().numpy()[:, None, None]
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_layers_are_named() -> None:
    with pytest.raises(ValueError, match="layers must be one of torch, tensorflow, not 'keras'"):
        ConvUNet(1, 1, depth=3, filters=4, dropout=0.0, layers="keras")


def test_the_middle() -> None:
    assert centre(torch.arange(5), 3).tolist() == [1, 2, 3]
    assert centre(torch.arange(6), 3).tolist() == [1, 2, 3]  # of two middles the earlier one


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(8, 32, 25), nn.BatchNorm1d(32), nn.ConvTranspose2d(32, 16, 5), nn.Linear(64, 200))


@pytest.mark.parametrize(
    ("how", "deviations"),  # of the convolution (fans 200 and 800), the transposed one (400, 800), the linear layer
    [
        ("normal", (0.02, 0.02, 0.02)),
        (
            "he_uniform",
            (0.1, (2 / 400) ** 0.5, (2 / 64) ** 0.5),
        ),  # the fan in is 16 x 25 up, as in Keras
        ("xavier_normal", tuple((2 / fans) ** 0.5 for fans in (1000, 1200, 264))),
        ("xavier_uniform", tuple((2 / fans) ** 0.5 for fans in (1000, 1200, 264))),
    ],
)
def test_initial_weights(how: str, deviations: tuple[float, ...]) -> None:
    network, bias = _network(), _network()[0].bias
    initialize(network, how)
    for layer, deviation in zip((network[0], network[2], network[3]), deviations, strict=True):
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.03)
        assert (layer.bias == 0).all() == (how != "xavier_normal")
        uniform = layer.weight.abs().max().item() < 1.74 * deviation  # sqrt(3) of a uniform distribution
        assert uniform == how.endswith("uniform")
    assert torch.equal(network[0].bias, bias) == (how == "xavier_normal")
    assert (network[1].weight == 1).all()


def test_the_initialization_of_torch_changes_nothing() -> None:
    network = _network()
    initialize(network, "torch")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), _network().parameters(), strict=True))
    with pytest.raises(ValueError, match=r"initialization must be one of torch, normal, .*, not 'zeros'"):
        initialize(network, "zeros")
