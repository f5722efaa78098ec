"""Parameters that are not trained, and the statistics that stay with them."""

from __future__ import annotations

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
