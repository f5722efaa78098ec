"""Ensembles: Demucs' bags with the same weights, each way to combine, and what cannot be one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import msbench
from msbench.model.costs import macs_per_second, parameter_count
from tests.plugins.test_hdemucs import SMALL, SMALL_OURS, TARGETS, Published
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer


class Scaled(msbench.Separator):
    """Each target is the mixture times a number."""

    def __init__(
        self, factors: Sequence[float], targets: Sequence[str], sample_rate: int = 8000, channels: int = 2
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        self.factors = nn.Parameter(torch.tensor(factors))

    def forward(self, mixture: Tensor) -> Tensor:
        return mixture[:, None] * self.factors[:, None, None]


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> dict[str, msbench.Separator]:
    """Models by the names that an ensemble is given."""
    known: dict[str, msbench.Separator] = {
        "a": Scaled([1.0, 2.0], ["x", "y"]),
        "b": Scaled([3.0, -4.0], ["x", "y"]),
        "c": Scaled([10.0, -1.0, 5.0], ["y", "x", "z"]),
        "z": Scaled([1.0], ["z"]),
    }
    monkeypatch.setattr("msbench_plugins.ensemble.trained", known.__getitem__)
    return known


def factors(**options: Any) -> list[float]:
    """What an ensemble multiplies the mixture by."""
    model = msbench.load("ensemble", **options).eval()
    mixture = noise(2, model.channels, 4000)
    with torch.no_grad():
        estimates = model(mixture)
    found = (estimates * mixture[:, None]).sum((0, 2, 3)) / mixture.square().sum()
    assert (estimates - mixture[:, None] * found[:, None, None]).abs().max() < 1e-5
    return [round(float(each), 4) for each in found]


def test_it_gives_the_estimates_of_a_bag(tmp_path: Path) -> None:
    apply = peer("demucs.apply")
    theirs, paths = [], []
    for seed in (0, 1):
        torch.manual_seed(seed)
        theirs.append(Published(TARGETS, channels=16, dconv_init=1.0, **SMALL).eval())
        ours = msbench.load("hdemucs", targets=TARGETS, normalize=False, **SMALL_OURS)
        ours.load_state_dict(theirs[-1].state_dict())
        paths.append(str(tmp_path / f"{seed}.ckpt"))
        msbench.save(ours, paths[-1])
    weights = [[1.0, 0.0, 3.0], [2.0, 1.0, 1.0]]  # by model and target
    bag = apply.BagOfModels(theirs, weights)
    by_target = {target: [row[i] for row in weights] for i, target in enumerate(TARGETS)}
    ensemble = msbench.load("ensemble", members=paths, weights=by_target)
    mixture = noise(2, 2, 4096) + 0.05
    with torch.no_grad():
        assert largest_difference(ensemble(mixture), apply.apply_model(bag, mixture, shifts=0, split=False)) < 1e-5


@pytest.mark.parametrize("domain", ["waveform", "stft"])
@pytest.mark.parametrize(
    ("combine", "x", "y"), [("mean", 1, 8 / 3), ("median", 1, 2), ("largest", 3, 10), ("smallest", 1, 2)]
)
@pytest.mark.usefixtures("members")
def test_each_way(domain: str, combine: str, x: float, y: float) -> None:
    found = factors(members=["a", "b", "c"], combine=combine, domain=domain, window_samples=256, hop_samples=64)
    assert found == pytest.approx([x, y], abs=1e-4)


@pytest.mark.usefixtures("members")
def test_weights_and_targets_that_some_members_lack() -> None:
    assert factors(members=["a", "b"], weights=[3, 1]) == [1.5, 0.5]
    assert factors(members=["a", "b"], weights={"y": [0, 1]}) == [2, -4]
    assert factors(members=["a", "c", "z"], targets=["z", "x"], weights=[1, 1, 3]) == [2, 0]
    assert factors(members=["a", "b"], combine="median") == [2, -1]  # the mean of the two in the middle


def test_members_of_other_rates_and_channels(members: dict[str, msbench.Separator]) -> None:
    members["mono"] = Scaled([1.0, 2.0], ["x", "y"], channels=1)
    members["slow"] = Scaled([3.0, 4.0], ["x", "y"], sample_rate=4000)
    ensemble = msbench.load("ensemble", members=["mono", "slow"])
    assert (ensemble.sample_rate, ensemble.channels) == (8000, 2)
    time = np.arange(8000) / 8000
    tone = torch.from_numpy(np.stack([np.sin(2 * np.pi * 200 * time), np.cos(2 * np.pi * 300 * time)])).float()
    estimates = msbench.separate(ensemble, tone, 8000)
    assert (estimates["x"] - 2 * tone)[:, 400:-400].abs().max() < 1e-3
    assert msbench.separate(msbench.load("ensemble", members=["mono"]), tone[:1], 8000)["y"].shape == (1, 8000)


class Leveled(Scaled):
    """Keeps the levels of what it is given; a song is normalized before."""

    normalizes_songs = True

    def forward(self, mixture: Tensor) -> Tensor:
        return super().forward(mixture.tanh())


def test_each_member_separates_as_it_does_alone(members: dict[str, msbench.Separator]) -> None:
    members["level"] = Leveled([1.0, 2.0], ["x", "y"])
    members["length"] = Scaled([0.5, 0.5], ["y", "x"])
    members["length"].chunk_samples = 3000
    members["whole"] = Scaled([2.0, 1.0], ["x", "y"])
    members["whole"].chunking = "song"  # type: ignore[misc]
    names = ["level", "length", "whole"]
    mixture = noise(2, 30_000) * torch.linspace(0.1, 3, 30_000)  # each chunk has another level
    options: dict[str, Any] = {"chunk_seconds": 0.5, "shifts": 2, "tta": ["polarity"]}
    alone = [msbench.separate(members[name], mixture, 8000, **options) for name in names]
    for domain in ("waveform", "stft"):
        ensemble = msbench.load("ensemble", members=names, domain=domain, window_samples=256, hop_samples=64)
        together = msbench.separate(ensemble, mixture, 8000, **options)
        for target in ("x", "y"):
            mean = torch.stack([estimates[target] for estimates in alone]).mean(0)
            assert largest_difference(together[target], mean) < 1e-6


def test_bins_are_combined_in_chunks_as_in_the_whole(members: dict[str, msbench.Separator]) -> None:
    mixture = noise(2, 200_000)  # 25 s, more than two chunks
    for combine in ("median", "largest", "smallest"):
        members["b"] = Delayed()
        ensemble = msbench.load("ensemble", members=["a", "b"], combine=combine, domain="stft")
        found = msbench.separate(ensemble, mixture, 8000)
        each = [torch.stack(list(msbench.separate(members[name], mixture, 8000).values())) for name in "ab"]
        for target, whole in zip(ensemble.targets, ensemble.combined(each), strict=True):
            assert largest_difference(found[target], whole) < 1e-5


class Delayed(Scaled):
    """Its bins are larger than another's in some places only."""

    def __init__(self) -> None:
        super().__init__([1.0, 1.0], ["x", "y"])

    def forward(self, mixture: Tensor) -> Tensor:
        return super().forward(mixture + nn.functional.pad(mixture, (5, 0))[..., :-5])


def test_costs_are_the_sum(members: dict[str, msbench.Separator]) -> None:
    assert parameter_count(msbench.load("ensemble", members=["a", "b", "c"])) == 7
    members["a"] = members["b"] = msbench.load("unet", targets=["vocals"], depth=3, filters=2, sample_rate=8000)
    ensemble = msbench.load("ensemble", members=["a", "b"])
    assert macs_per_second(ensemble) == 2 * (macs_per_second(members["a"]) or 0) > 0


@pytest.mark.usefixtures("members")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"members": ["a", "z"]}, r"no common target \(a has x, y; z has z\): name some, separator.targets"),
        ({"members": ["a", "b"], "targets": ["w"]}, "no member has the target 'w': a has x, y"),
        ({"members": []}, "members must be a list of checkpoints or names"),
        ({"members": "a"}, "members must be a list of checkpoints or names"),
        ({"members": ["a"], "combine": "max"}, "combine must be one of mean, median, largest, smallest, not 'max'"),
        ({"members": ["a"], "domain": "fft"}, "domain must be one of waveform, stft, not 'fft'"),
        ({"members": ["a"], "weights": [1, 2]}, "weights of x must be 1 numbers of at least 0, one per member"),
        ({"members": ["a"], "weights": {"x": [-1]}}, "weights of x must be"),
        ({"members": ["a"], "weights": {"w": [1]}}, "weights are given for 'w', which is no target: x, y are"),
        ({"members": ["a"], "weights": [0]}, "the weights of all members that have 'x' are 0"),
        ({"members": ["a"], "weights": [1], "combine": "median"}, "weights are those of the mean"),
        ({"members": ["ensemble"]}, "'ensemble' would be a member of itself"),
    ],
)
def test_what_is_no_ensemble(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        msbench.load("ensemble", **options)


def test_members_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent.ckpt"):
        msbench.load("ensemble", members=[str(tmp_path / "absent.ckpt")])
    with pytest.raises(ValueError, match="'unet' has to be trained first"):
        msbench.load("ensemble", members=["unet"])
    with pytest.raises(ValueError, match="'oracle_irm' needs the true stems of a song, and cannot be a member"):
        msbench.load("ensemble", members=["oracle_irm"])


def test_an_ensemble_in_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    msbench.save(msbench.load("unet", targets=["vocals"], depth=3, filters=2), path)
    ensemble = msbench.load("ensemble", members=[str(path)])
    msbench.save(ensemble, tmp_path / "both.ckpt")
    assert msbench.load(tmp_path / "both.ckpt").targets == ["vocals"]
    msbench.save(ensemble, path)
    with pytest.raises(ValueError, match=r"a.ckpt' would be a member of itself: name the members of that ensemble"):
        msbench.load(path)
