"""The layers of Demucs, each against its equation."""

import torch
from torch import nn

from msbench.model.demucs_layers import (
    FramedBLSTM,
    FrequencyEmbedding,
    LayerScale,
    LocalAttention,
    ResidualBranches,
    rescale_convolutions,
)


def test_a_layer_scale_is_a_factor_for_each_channel() -> None:
    first, last = LayerScale(3, 0.5), LayerScale(3, 0.5, channels_last=True)
    first.scale.data = last.scale.data = torch.tensor([1.0, 2.0, 3.0])
    x = torch.randn(2, 3, 5)
    assert torch.equal(first(x), last(x.transpose(1, 2)).transpose(1, 2))
    assert torch.equal(first(x)[:, 2], 3 * x[:, 2])


def test_an_embedding_is_smooth_and_learns_ten_times_as_fast() -> None:
    torch.manual_seed(0)
    embedding = FrequencyEmbedding(512, 8)
    values = embedding(torch.zeros(1, 8, 512, 2))
    assert values.shape == (1, 8, 512, 2)
    assert (values[:, :, 1:] - values[:, :, :-1]).square().mean() < 0.1 * values.square().mean()
    values.sum().backward()
    assert torch.allclose(embedding.embedding.weight.grad, torch.tensor(2 * 0.2 * 10))  # of both frames


def test_a_long_signal_goes_through_the_blstm_in_frames() -> None:
    torch.manual_seed(0)
    layer = FramedBLSTM(4).eval()
    x = torch.randn(2, 4, 470)

    def alone(start: int) -> torch.Tensor:
        piece = nn.functional.pad(x[..., start : start + 200], (0, max(0, start + 200 - 470)))
        return layer(piece) - piece

    with torch.no_grad():
        joined = layer(x) - x
        assert torch.allclose(joined[..., :150], alone(0)[..., :150], atol=1e-6)
        assert torch.allclose(joined[..., 150:250], alone(100)[..., 50:150], atol=1e-6)
        assert torch.allclose(joined[..., 450:], alone(400)[..., 50:70], atol=1e-6)
        assert not torch.allclose(joined[..., 250:300], alone(100)[..., 150:200], atol=1e-3)


def test_attention_forgets_with_the_distance_and_leaves_out_its_own_place() -> None:
    torch.manual_seed(0)
    layer = LocalAttention(8)
    for part in (layer.query, layer.key, layer.query_decay):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    x = torch.randn(1, 8, 6)
    places = torch.arange(6)
    slope = (1 + 2 + 3 + 4) * 0.5 / 2 / 4**0.5  # sigmoid(0) = 0.5 for each of the four decays
    weights = torch.exp(-slope * (places[:, None] - places).abs()) * (1 - torch.eye(6))
    with torch.no_grad():
        by_hand = x + layer.proj(layer.content(x) @ (weights / weights.sum(0)))
        assert torch.allclose(layer(x), by_hand, atol=1e-6)


def test_branches_see_each_frequency_by_itself() -> None:
    torch.manual_seed(0)
    branches = ResidualBranches(16, 4, deep=True)
    for layer in branches.layers:
        nn.init.ones_(layer[-1].scale)
    x = torch.randn(2, 16, 3, 20)
    with torch.no_grad():
        together = branches(x)
        assert torch.allclose(together[:, :, 1], branches(x[:, :, 1]), atol=1e-5)
    assert not torch.allclose(together, x, atol=0.1)


def test_rescaling_goes_half_way() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(64, 64, 3), nn.Linear(8, 8))
    before, linear = layers[0].weight.std().item(), layers[1].weight.clone()
    rescale_convolutions(layers, 0.1)
    assert abs(layers[0].weight.std().item() - (0.1 * before) ** 0.5) < 1e-6
    assert torch.equal(layers[1].weight, linear)
