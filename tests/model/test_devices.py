from __future__ import annotations

import pytest
import torch

from msbench.model.devices import device_or_default


def test_a_wish_counts_and_else_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_or_default("cuda:1") == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_or_default() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_or_default() == "cpu"
