"""Parameters that are not trained, and the statistics that stay with them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from msbench import Separator
from msbench.model.separator import Batch
from msbench.training.module import SeparationModule


class Normed(Separator):
    def __init__(self) -> None:
        super().__init__(["voice"], 8000, 1)
        self.encoder = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.BatchNorm1d(2))
        self.decoder = nn.Sequential(nn.BatchNorm1d(2), nn.Conv1d(2, 1, 3, padding=1))

    def forward(self, mixture: Tensor) -> Tensor:
        return self.decoder(self.encoder(mixture)).unsqueeze(1)


def test_what_is_frozen_stays_with_its_statistics() -> None:
    torch.manual_seed(0)
    module = SeparationModule(Normed(), freeze="encoder.*", optimizer=lambda params: torch.optim.AdamW(params, lr=0.1))
    module.log = module.log_dict = lambda *args, **options: None  # type: ignore[method-assign,assignment]
    before = {name: value.clone() for name, value in module.separator.state_dict().items()}
    (optimizer,), _ = module.configure_optimizers()
    assert len(optimizer.param_groups[0]["params"]) == 4
    module.eval()
    module.train()  # as after each validation
    references = torch.randn(2, 1, 1, 100)
    loss = module.training_step(Batch(references.sum(1), references), 0)
    assert loss is not None
    loss.backward()
    optimizer.step()
    same = {name for name, value in module.separator.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("encoder.")}


def test_patterns_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no parameter is named 'encode\.\*'\. .*Available: encoder\.0"):
        SeparationModule(Normed(), freeze=["encode.*"])
    with pytest.raises(ValueError, match=r"model\.freeze matches every parameter, so nothing is left to train"):
        SeparationModule(Normed(), freeze=["encoder.*", "decoder.*"])


def test_adapters_learn_in_place_of_the_weights() -> None:
    torch.manual_seed(0)
    module = SeparationModule(
        Normed(), lora={"rank": 2, "target": "decoder.*"}, optimizer=lambda params: torch.optim.SGD(params, lr=0.1)
    )
    module.log = module.log_dict = lambda *args, **options: None  # type: ignore[method-assign,assignment]
    assert module.adapt() == (
        "model.lora: 1 weight with adapters of 0.0 k parameters, which are trained; the 0.0 k of the model are not"
    )
    (optimizer,), _ = module.configure_optimizers()
    assert sum(each.numel() for each in optimizer.param_groups[0]["params"]) == 2 * (1 + 6)
    before = {name: value.clone() for name, value in module.separator.state_dict().items()}
    module.eval()
    module.train()
    references = torch.randn(2, 1, 1, 100)
    loss = module.training_step(Batch(references.sum(1), references), 0)
    assert loss is not None
    loss.backward()
    optimizer.step()
    moved = [name for name, value in module.separator.state_dict().items() if not torch.equal(value, before[name])]
    assert moved == ["decoder.1.parametrizations.weight.0.b"]  # A follows when B is no longer zero


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"target": ["decoder.*", "encode.*"]}, r"or a convolution is named 'encode.*'. .*Available: encoder.0.weight"),
        ({"target": "encoder.1.weight"}, "no weight of a linear layer or a convolution is named 'encoder.1.weight'"),
        ({"target": []}, r"model.lora: target must be patterns of names of weights, not \[\]"),
        ({"rank": 0}, "model.lora: rank must be a whole number of at least 1, not 0"),
        ({"rank": 2.5}, "model.lora: rank must be a whole number"),
        ({"alpha": -1}, "model.lora: alpha must be a number above 0, not -1"),
        ({"ranks": 4}, r"model.lora has no option 'ranks'. Did you mean rank\?"),
    ],
)
def test_adapters_that_are_refused(lora: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SeparationModule(Normed(), lora=lora)


def test_adapters_and_frozen_parameters_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"model.lora: nothing but adapters is trained: leave model.freeze out"):
        SeparationModule(Normed(), lora={}, freeze="encoder.*")
