"""What stands for a model: a file, a registered model, published weights, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import msbench
from msbench.model.checkpoints import Checkpoint
from msbench.system.files import sha256_of
from msbench.weights import catalogue, fetching
from msbench.weights.opening import find_checkpoint, named_weights, names_checkpoint
from tests.weights.publisher import Publisher


def test_the_order_in_which_a_model_is_looked_up(theirs: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, then a registered model, then weights; a model that has to be trained has those of its name."""
    fetching.fetch(catalogue.find("tiny"))
    held = find_checkpoint("tiny")
    assert held is not None
    assert held.weights_name == "tiny"
    assert msbench.load("tiny").registered == {"name": "tiny", "options": {}}  # without weights, as ever
    assert torch.equal(msbench.load_weights("tiny").state_dict()["conv.weight"], held.weights["conv.weight"])  # type: ignore[index]
    assert msbench.load("tiny", "b.ckpt") is not None
    fetching.fetch(catalogue.find("one"))
    assert torch.equal(msbench.load("one").state_dict()["conv.weight"], held.weights["conv.weight"])  # type: ignore[index]
    Path("one").write_bytes(Path("b.ckpt").read_bytes())
    found = find_checkpoint("one")
    assert type(found) is Checkpoint
    assert named_weights("mixture") is None
    with pytest.raises(KeyError, match=r"unknown model 'bot'. Did you mean both"):
        msbench.load("bot")


def test_what_is_ready_to_separate(theirs: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "unet.ckpt"
    msbench.save(msbench.load("unet", depth=3, filters=2), path)
    expected = {"name": "unet", "sha256": sha256_of(path), "licence": None, "training": None}
    assert msbench.trained(str(path)).origin == expected
    fetching.fetch(catalogue.find("one"))
    origin = msbench.trained("one").origin
    assert origin is not None
    assert origin["name"] == "one"
    assert msbench.trained("mixture").origin is None
    assert msbench.load("ensemble", members=["one", "one"]).targets == msbench.trained("one").targets
    with pytest.raises(ValueError, match="'unet' has to be trained first"):
        msbench.trained("unet")
    with pytest.raises(KeyError, match="unknown model 'unte'"):
        msbench.trained("unte")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs/a/best.ckpt", True),
        ("unet", False),
        (Path("a.ckpt"), True),
        ("model.pt", True),
        ("away/model.pt", True),
        ("away.pt", False),
        ("mixture", False),  # a registered name, whatever file is called so
    ],
)
def test_what_names_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | Path, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model.pt", "mixture"):
        (tmp_path / name).touch()
    assert names_checkpoint(text) is expected
