"""A model that is ready to separate, and what is known of its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

import msbench
from msbench.system.files import sha256_of


def test_what_stands_for_a_model(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    msbench.save(msbench.load("unet", depth=3, filters=2), path)
    model = msbench.trained(str(path))
    assert model.origin == {"name": "unet", "sha256": sha256_of(path), "training": None}
    assert msbench.trained("mixture").origin is None
    with pytest.raises(ValueError, match="'unet' has to be trained first"):
        msbench.trained("unet")
    with pytest.raises(KeyError, match="unknown model 'unte'"):
        msbench.trained("unte")
