"""Spleeter: the archives of its release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import msbench
from msbench.weights import catalogue, fetching, published
from tests.plugins.test_spleeter import SMALL, STEMS, tensorflow
from tests.plugins.test_spleeter import published as outputs_of_the_authors
from tests.plugins.weights import largest_difference, noise
from tests.weights import bundle
from tests.weights.publisher import Publisher, register

SOURCE = "from msbench_plugins.weights.spleeter import convert\n"


@pytest.mark.parametrize("stems", STEMS)
def test_the_outputs_of_the_authors(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stems: int
) -> None:
    arrays = {name: np.asarray(value) for name, value in tensorflow(stems).items()}
    publisher.files["a.tar.gz"] = bundle.write(tmp_path / "a.tar.gz", arrays).read_bytes()
    about = {"model": "spleeter", "targets": STEMS[stems]["targets"], "sample_rate": 8000, "options": SMALL}
    register(tmp_path / "site", monkeypatch, {"tiny": {**about, "files": [publisher.file("a.tar.gz")]}}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    ours = msbench.load_weights("tiny").eval()
    mixture = noise(2, 3000)
    with torch.no_grad():
        theirs = torch.stack(outputs_of_the_authors(arrays, mixture.T, stems)).transpose(1, 2)
        assert largest_difference(ours(mixture[None])[0], theirs) < 1e-4


def test_an_archive_of_other_stems(tmp_path: Path) -> None:
    arrays = {name: np.asarray(value) for name, value in tensorflow(2).items()}
    path = bundle.write(tmp_path / "a.tar.gz", arrays)
    with pytest.raises(ValueError, match="the weights are of 2 stems, and the targets 4"):
        published.load(catalogue.find("spleeter_4stems"), [path])
