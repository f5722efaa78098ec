"""Open-Unmix: files of one network per target, and the outputs of the authors' separator."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import msbench
from msbench.weights import catalogue, fetching, published
from tests.plugins.weights import largest_difference, noise, randomise_statistics
from tests.requirements import peer
from tests.weights.publisher import Publisher, register

SOURCE = "from msbench_plugins.weights.openunmix import convert\n"


def test_the_outputs_of_the_package(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = peer("openunmix.model")
    torch.manual_seed(0)
    targets = ["speech", "noise"]
    networks = {name: model.OpenUnmix(nb_bins=129, nb_channels=1, hidden_size=16, max_bin=129) for name in targets}
    theirs = model.Separator(networks, 1, sample_rate=16000.0, n_fft=256, n_hop=64, nb_channels=1).eval()
    randomise_statistics(theirs)
    for name, network in networks.items():
        for parameter in ("input_mean", "output_mean", "output_scale"):
            nn.init.uniform_(getattr(network, parameter), 0.1, 1)
        # As utils.save_checkpoint writes it; the published files are of 2019 and 2020, in torch's format of that time.
        state = {**network.state_dict(), "sample_rate": torch.tensor(16000.0), "stft.window": torch.zeros(256)}
        torch.save(state, tmp_path / name, _use_new_zipfile_serialization=False)
        publisher.files[name] = (tmp_path / name).read_bytes()
    fields = {"targets": targets, "sample_rate": 16000, "options": {"window_samples": 256, "hop_samples": 64}}
    about = {"model": "open_unmix", "files": [publisher.file(name, 8) for name in targets], **fields}
    register(tmp_path / "site", monkeypatch, {"tiny": about}, SOURCE)
    fetching.fetch(catalogue.find("tiny"))
    ours = msbench.load_weights("tiny").eval()
    assert (ours.targets, ours.sample_rate, ours.channels) == (targets, 16000, 1)
    mixture = noise(2, 1, 3989)
    with torch.no_grad():
        assert largest_difference(ours(mixture), theirs(mixture)) < 1e-4


def test_the_catalog_is_that_of_the_package() -> None:
    """Of each of the functions `NAME_spec`, whose files these are, and which build the networks of these sizes."""
    openunmix = peer("openunmix")
    ours = [each for each in catalogue.known().values() if each.family == "openunmix"]
    assert [each.name for each in ours] == ["umx", "umxhq", "umxl", "umxse"]
    for weights in ours:
        source = inspect.getsource(getattr(openunmix, f"{weights.name}_spec"))
        addresses = dict(re.findall(r'"(\w+)": "(https://[^"]+)"', source))
        assert {t: file.url for t, file in zip(weights.targets, weights.files, strict=True)} == addresses
        assert all(file.sha256 is not None and file.url.endswith(f"{file.sha256}.pth") for file in weights.files)
        bins = int(re.findall(r"nb_bins=(\d+) // 2", source)[0])
        assert bins == weights.options.get("window_samples", 4096)


def test_another_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="no file that openunmix wrote"):
        published.load(catalogue.find("umxse"), [tmp_path / "a.pth"] * 2)
    with pytest.raises(ValueError, match=r"are 2 files, in this order: speech_f5e0d9f9.pth, noise_04a6fc2d.pth"):
        published.load(catalogue.find("umxse"), [tmp_path / "a.pth"])
