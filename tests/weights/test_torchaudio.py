"""torchaudio's Hybrid Demucs: a state dict of its network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import msbench
from msbench.weights import catalogue, fetching, published
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer
from tests.weights.publisher import Publisher, register

SOURCE = "from msbench_plugins.weights.torchaudio import convert\n"
TARGETS = ["drums", "bass", "other", "vocals"]


def test_the_outputs_of_the_package(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    sizes = {"channels": 16, "nfft": 64, "depth": 4, "norm_starts": 1, "dconv_attn": 1, "dconv_lstm": 1}
    theirs = peer("torchaudio.models").HDemucs(TARGETS, dconv_init=1.0, **sizes)
    torch.save(theirs.eval().state_dict(), tmp_path / "a.pt")
    publisher.files["a.pt"] = (tmp_path / "a.pt").read_bytes()
    options = {"window_samples": 64, "depth": 4, "plain_layers": 1}
    about = {"model": "hdemucs", "files": [publisher.file("a.pt")], "targets": TARGETS, "sample_rate": 44100}
    register(tmp_path / "site", monkeypatch, {"tiny": {**about, "options": options}}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    mixture = noise(1, 2, 1500) + 0.05
    with torch.no_grad():
        assert largest_difference(msbench.load_weights("tiny").eval()(mixture), theirs(mixture)) < 1e-4


def test_the_catalog_is_that_of_the_package() -> None:
    pipelines = peer("torchaudio.pipelines")
    ours = [each for each in catalogue.known().values() if each.family == "torchaudio"]
    assert len(ours) == 2
    for weights in ours:
        bundle = getattr(pipelines, weights.name.upper())
        assert weights.files[0].url == f"https://download.pytorch.org/torchaudio/{bundle._model_path}"
        assert weights.sample_rate == bundle.sample_rate
        assert list(weights.targets) == bundle._model_factory_func.keywords["sources"]


def test_another_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="no Hybrid Demucs of torchaudio"):
        published.load(catalogue.find("hdemucs_high_musdb"), [tmp_path / "a.pt"])
