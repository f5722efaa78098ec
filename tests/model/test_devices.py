from __future__ import annotations

import pytest
import torch

from msbench.model.devices import device_or_default


def test_a_wish_counts_and_else_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_or_default("cuda:1") == "cuda:1"
    assert device_or_default() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_or_default() == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:0", "", "-1", "cuda:x"])
def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=rf"there is no device '{device}' here: it can be cpu"):
        device_or_default(device)
