"""A song at zero mean and unit deviation, and back; test_published_inference compares whole separations with msst's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import msbench
from msbench.model.separator import Separator
from msbench.separation.normalization import NormalizedSong
from msbench.weights.bag import Bag

RATE = 1000


class Seen(Separator):
    """Its estimate is the mixture; keeps what it was given."""

    normalizes_songs = True

    def __init__(self, sample_rate: int = RATE) -> None:
        super().__init__(["vocals"], sample_rate, 2)
        self.given: list[Tensor] = []

    def forward(self, mixture: Tensor) -> Tensor:
        self.given.append(mixture)
        return mixture.unsqueeze(1)


def song(time: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((2, time)) + [[0.2], [0.4]]).astype(np.float32)


@pytest.mark.parametrize("time", [1, 999, 200_000])
def test_the_mono_mix_has_zero_mean_and_unit_deviation(time: int) -> None:
    signal = song(time)[None]
    normalized = NormalizedSong(np.split(signal, [time // 3], axis=-1))
    blocks = list(normalized)
    found = np.concatenate(blocks, -1)
    mono = found[0].mean(0)
    assert abs(mono.mean()) < 1e-5
    assert abs(mono.std() - (time > 1)) < 1e-4
    np.testing.assert_allclose(np.concatenate(list(normalized.restored(blocks)), -1), signal, atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_a_constant_is_not_made_louder(level: float) -> None:
    normalized = NormalizedSong([np.full((1, 2, 500), level, np.float32)])
    assert np.abs(np.concatenate(list(normalized), -1)).max() < 1e-6
    assert normalized.deviation == 1


@pytest.mark.parametrize("shifts", [0, 2])
def test_a_model_is_given_chunks_of_the_normalized_song(shifts: int) -> None:
    model, signal = Seen(), song(5000)
    signal[:, 2500:] *= 10  # so that a chunk alone has another level
    stems = msbench.separate(model, signal, RATE, chunk_seconds=1.0, shifts=shifts)
    np.testing.assert_allclose(stems["vocals"].numpy(), signal, atol=1e-5)
    mono = signal.mean(0)
    largest = max(chunk.max() for chunk in model.given)
    assert largest == pytest.approx((signal.max() - mono.mean()) / mono.std(), rel=1e-4)


def test_members_of_bags_and_ensembles_have_songs_normalized(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = song(5000)
    bag = Bag([Seen(), Seen()], [[1], [1]])
    msbench.separate(bag, signal, RATE, chunk_seconds=1.0)
    member = Seen()
    monkeypatch.setattr("msbench_plugins.ensemble.trained", lambda _: member)
    stems = msbench.separate(msbench.load("ensemble", members=["a"]), signal, RATE, chunk_seconds=1.0)
    np.testing.assert_allclose(stems["vocals"].numpy(), signal, atol=1e-5)
    for given in (bag.members[0].given, member.given):  # type: ignore[union-attr]
        whole = torch.cat([chunk[0] for chunk in given], -1)  # type: ignore[union-attr]
        assert abs(whole.mean()) < 0.05
