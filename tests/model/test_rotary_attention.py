"""Rotary positions and gated attention: what they must keep, and the package that they are compared with."""

import torch
from torch.nn import functional

from msbench.model.rotary_attention import Attention, RMSNorm, RotaryEmbedding, RotaryTransformer
from tests.requirements import peer


def test_the_norm_leaves_unit_mean_squares_and_silence() -> None:
    x = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-6, 1, 1e6]).view(3, 1, 1)
    norm = RMSNorm(16)
    torch.testing.assert_close(norm(x), functional.normalize(x, dim=-1) * 4)
    assert norm(torch.zeros(2, 16)).eq(0).all()
    assert norm(x.bfloat16()).dtype == torch.bfloat16


def test_positions_are_those_of_the_package() -> None:
    theirs = peer("rotary_embedding_torch").RotaryEmbedding(dim=12)
    ours = RotaryEmbedding(12)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 50, 12)
    torch.testing.assert_close(ours(x), theirs.rotate_queries_or_keys(x), rtol=0, atol=1e-5)


def test_products_of_queries_and_keys_depend_on_their_distance_alone() -> None:
    torch.manual_seed(0)
    query, key = (torch.randn(8).expand(40, 8) for _ in range(2))
    products = RotaryEmbedding(8)(query) @ RotaryEmbedding(8)(key).T
    for distance in (-7, 0, 20):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-4)
    assert products[0].std() > 0.1


def test_attention_is_the_softmax_of_scaled_products_times_gates() -> None:
    torch.manual_seed(0)
    attention = Attention(6, 2, 4, 0.0, RotaryEmbedding(4))
    x = torch.randn(3, 9, 6)
    normed = attention.norm(x)
    queries, keys, values = attention.to_qkv(normed).view(3, 9, 3, 2, 4).permute(2, 0, 3, 1, 4)
    products = attention.rotary_embed(queries) @ attention.rotary_embed(keys).transpose(2, 3) / 4**0.5
    heads = (products.softmax(-1) @ values) * attention.to_gates(normed).sigmoid().transpose(1, 2).unsqueeze(-1)
    expected = attention.to_out(heads.transpose(1, 2).reshape(3, 9, 8))
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


def test_dropout_is_for_training_alone() -> None:
    torch.manual_seed(0)
    transformer = RotaryTransformer(8, 2, 2, RotaryEmbedding(4), expansion=2, dropout=0.5, norm=True)
    x = torch.randn(2, 5, 8)
    assert not torch.equal(transformer(x), transformer(x))
    transformer.eval()
    torch.testing.assert_close(transformer(x), transformer(x))
    torch.testing.assert_close(transformer(x).square().mean(-1), torch.ones(2, 5))
