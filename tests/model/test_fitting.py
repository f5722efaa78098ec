"""Which weights fit a model."""

from __future__ import annotations

import torch
from torch import nn

from msbench.model.fitting import fitting_of, load_fitting


def test_names_and_shapes_decide() -> None:
    model = nn.Linear(3, 2)
    weights = {"weight": torch.ones(2, 3), "bias": torch.ones(3), "gain": torch.ones(())}
    before = model.bias.detach().clone()
    fitting = load_fitting(model, weights)
    assert torch.equal(model.weight, weights["weight"])
    assert torch.equal(model.bias, before)
    assert fitting.taken == ["weight"]
    assert fitting.others == ["bias is 3 in the file and 2 in the model", "the model has no gain"]
    assert fitting.summary == "took 1 weights; bias is 3 in the file and 2 in the model; the model has no gain"
    assert fitting_of(model, {"weight": torch.ones(2, 3)}).others == ["bias is missing in the file"]
    assert fitting_of(model, model.state_dict()).summary == "took 2 weights; all fit"
    many = fitting_of(model, {str(number): torch.ones(1) for number in range(9)})
    assert many.first_others.endswith("the model has no 1, and 7 more")
