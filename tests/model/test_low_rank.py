"""Low-rank adapters: they begin as nothing, are all that learns, and are added to the weights of a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from msbench.model.low_rank import adapt, adaptable, merged


class Many(nn.Module):
    """Layers of each kind; one whose weight is read by the model itself, and two that share one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(6, 6, 3, padding=1, groups=2)
        self.transposed = nn.ConvTranspose1d(6, 6, 3, padding=1)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.lstm = nn.LSTM(6, 6, batch_first=True)
        self.read = nn.Linear(6, 6)
        self.tied, self.same = nn.Linear(6, 6), nn.Linear(6, 6)
        self.same.weight = self.tied.weight

    def forward(self, x: Tensor) -> Tensor:  # (B, 6, T)
        y = self.transposed(self.conv(x)).transpose(1, 2)
        y = self.lstm(self.norm(y + self.attention(y, y, y)[0]))[0]
        return self.same(self.tied(nn.functional.linear(y, self.read.weight, self.read.bias)))


TAKEN = ["conv.weight", "transposed.weight", "attention.in_proj_weight", "attention.out_proj.weight", "read.weight"]


def test_adapters_begin_as_nothing_and_are_all_that_learns() -> None:
    torch.manual_seed(0)
    model, x = Many(), torch.randn(2, 6, 20)
    before, expected = {name: value.clone() for name, value in model.state_dict().items()}, model(x)
    assert sorted(adaptable(model)) == sorted(TAKEN)
    adapt(model, TAKEN, rank=2, alpha=4)
    torch.testing.assert_close(model(x), expected)
    learning = [name for name, each in model.named_parameters() if each.requires_grad]
    assert len(learning) == 2 * len(TAKEN)
    assert all(name.endswith((".0.a", ".0.b")) for name in learning)

    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=0.1)
    for _ in range(2):  # A learns once B is no longer zero
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    after = merged(model.state_dict())
    assert after.keys() == before.keys()
    for name, value in after.items():
        assert torch.equal(value, before[name]) == (name not in TAKEN)
        if name in TAKEN:
            assert torch.linalg.matrix_rank((value - before[name]).flatten(1)) <= 2
    plain = Many()
    plain.load_state_dict(after)
    torch.testing.assert_close(plain(x), model(x))


def test_the_product_counts_alpha_by_rank() -> None:
    layer = nn.Sequential(nn.Linear(3, 5))
    weight = layer[0].weight.detach().clone()
    adapt(layer, ["0.weight"], rank=4, alpha=2)
    low_rank: Any = layer[0].parametrizations.weight[0]
    nn.init.ones_(low_rank.b)
    expected = weight + 0.5 * low_rank.b @ low_rank.a
    torch.testing.assert_close(layer[0].weight, expected)
    torch.testing.assert_close(merged(layer.state_dict())["0.weight"], expected)
    assert torch.linalg.norm(low_rank.a) > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.pop("w.parametrizations.weight.0.b"),
        lambda held: held.update({"w.parametrizations.weight.0.b": torch.zeros(9, 2)}),
        lambda held: held.update({"w.parametrizations.weight.0.a": torch.zeros(3)}),
        lambda held: held.update({"w.parametrizations.weight.0.scale": torch.zeros(5, 4)}),
        lambda held: held.update({"w.parametrizations.weight.original": torch.zeros(5, 4, dtype=torch.int64)}),
        lambda held: held.update({"w.parametrizations.weight.original": torch.zeros(())}),
        # A matrix that claims 10 to the 12 values and holds one.
        lambda held: held.update(
            {
                "w.parametrizations.weight.original": torch.zeros(1).expand(10**6, 10**6),
                "w.parametrizations.weight.0.a": torch.zeros(1, 10**6),
                "w.parametrizations.weight.0.b": torch.zeros(10**6, 1),
            }
        ),
    ],
)
def test_what_does_not_fit_together_is_left_alone(change: Callable[[dict[str, Tensor]], Any]) -> None:
    held = {
        "w.parametrizations.weight.original": torch.zeros(5, 4),
        "w.parametrizations.weight.0.a": torch.ones(2, 4),
        "w.parametrizations.weight.0.b": torch.ones(5, 2),
        "w.parametrizations.weight.0.scale": torch.tensor(1.0),
    }
    assert merged(held).keys() == {"w.weight"}
    change(held)
    assert merged(held).keys() == held.keys()
