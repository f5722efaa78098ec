"""Chunks and their joins: the identity gives the mixture whatever is chosen, and what an estimate is made of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from msbench.model.separator import Separator
from msbench.separation.chunks import WINDOWS, ChunkPlan, chunks
from msbench.separation.joining import joined
from msbench.separation.pipeline import separate
from tests.plugins.weights import noise

RATE = 1000


class Identity(Separator):
    """Each target is the mixture; says how long its inputs were, and may ask for context in `triangle`."""

    def __init__(self, stride: int = 1, fixed: int | None = None, context: int = 0) -> None:
        super().__init__(["vocals", "rest"], RATE, 2)
        self.stride_samples, self.chunk_samples, self.context = stride, fixed, context
        self.lengths: set[int] = set()

    def padded_length(self, time: int) -> int:
        return super().padded_length(time + self.context)

    def forward(self, mixture: Tensor) -> Tensor:
        self.lengths.add(mixture.shape[-1])
        return mixture.unsqueeze(1).repeat(1, 2, 1, 1)


class Local(Separator):
    """A nonlinear network that sees 10 samples to each side."""

    def __init__(self) -> None:
        super().__init__(["vocals"], RATE, 2)
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv1d(2, 8, 11, padding=5), nn.Tanh(), nn.Conv1d(8, 2, 11, padding=5))

    def forward(self, mixture: Tensor) -> Tensor:
        signals: Tensor = self.net(mixture)
        return signals.unsqueeze(1)


def choose(seed: int) -> tuple[Identity, int, dict[str, Any]]:
    """A model, a length and options, all by chance; chunks are of 100 samples."""
    drawn = random.Random(seed)
    stride = drawn.choice([1, 1, 7, 64])
    model = Identity(stride, drawn.choice([None, 100]), drawn.choice([0, 0, 9]))
    time = drawn.choice([1, 2, 49, 50, 51, 99, 100, 101, 150, 199, 200, 201, drawn.randint(1, 350), 333])
    options = {
        "chunk_seconds": 0.1,
        "overlap": drawn.choice([0, 0.25, 0.5, 2 / 3, 0.75, 0.9, 0.95, drawn.uniform(0, 0.95)]),
        "window": drawn.choice(WINDOWS),
        "shifts": drawn.choice([0, 0, 1, 3]),
        "tta": drawn.choice([[], [], ["polarity"], ["swap"], ["swap", "polarity"]]),
        "batch_size": drawn.choice([1, 2, 5, 1000, "auto"]),
    }
    return model, time, options


@pytest.mark.parametrize("group", range(10))
def test_the_identity_gives_the_mixture_whatever_is_chosen(group: int) -> None:
    for seed in range(group * 15, group * 15 + 15):
        model, time, options = choose(seed)
        mixture = noise(2, time, seed=seed)
        found = separate(model, mixture, RATE, **options)
        for estimate in found.values():
            assert estimate.shape == mixture.shape
            assert (estimate - mixture).abs().max() < 1e-6, (seed, time, options)
        if model.chunk_samples is not None:
            assert model.lengths == {100}


def test_silence_stays_silence() -> None:
    for window in WINDOWS:
        found = separate(
            Identity(), torch.zeros(2, 333), RATE, chunk_seconds=0.1, window=window, shifts=2, tta=["swap"]
        )
        assert not found["vocals"].any()


@pytest.mark.parametrize(("window", "overlap"), [("crossfade", 0.5), ("crossfade", 0.8), ("crossfade", 0.95)])
@pytest.mark.parametrize("time", [99, 101, 250, 333])
def test_crossfaded_chunks_are_the_whole_where_the_overlap_holds_the_context(
    window: str, overlap: float, time: int
) -> None:
    model, mixture = Local(), noise(2, time)
    with torch.inference_mode():
        whole = model(mixture[None])[0, 0]
    found = separate(model, mixture, RATE, chunk_seconds=0.1, overlap=overlap, window=window, batch_size=3)["vocals"]
    assert (found - whole).abs().max() < 1e-6


def heard(plan: ChunkPlan, count: int) -> np.ndarray:
    """(chunks, time): the weights of each chunk, by estimates that are one in one chunk and zero in the others."""
    estimates = [(place * plan.step, np.eye(count, dtype=np.float32)[place]) for place in range(count)]
    blocks = joined(((start, np.repeat(row[:, None], plan.size, 1)) for start, row in estimates), plan)
    return np.concatenate([*blocks], axis=-1)


def test_what_a_window_weighs() -> None:
    triangle = ChunkPlan.of(Identity(), 0.1, 0.25, "triangle")
    assert (triangle.size, triangle.step) == (100, 75)
    own = np.minimum(np.arange(1, 101), np.arange(100, 0, -1)) / 50
    np.testing.assert_allclose(triangle.weights(100), own, atol=1e-7)
    expected = own[75:] / (own[75:] + own[:25])
    np.testing.assert_allclose(heard(triangle, 2)[0, 75:100], expected, atol=1e-6)
    hann = ChunkPlan.of(Identity(), 0.1, 0.5, "hann")
    np.testing.assert_allclose(hann.weights(100), np.sin(np.pi * (np.arange(100) + 0.5) / 100) ** 2, atol=1e-7)
    trapezoid = ChunkPlan.of(Identity(), 0.1, 0.75, "trapezoid")
    np.testing.assert_allclose(trapezoid.weights(100)[:11], [*np.linspace(0, 1, 10), 1], atol=1e-7)
    np.testing.assert_allclose(trapezoid.weights(100), trapezoid.weights(100)[::-1])


@pytest.mark.parametrize("overlap", [0.1, 0.5, 0.7, 0.9])
def test_a_crossfade_leaves_out_the_ends_of_chunks(overlap: float) -> None:
    plan = ChunkPlan.of(Identity(), 0.1, overlap)
    weights = heard(plan, 40)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)
    guard = plan.overlap // 4
    for chunk in range(1, 39):
        start = chunk * plan.step
        assert not weights[chunk, start : start + guard].any()
        assert not weights[chunk, start + plan.size - guard : start + plan.size].any()
    assert np.abs(np.diff(weights, axis=1)).max() < 2 / max(1, plan.overlap // 2)  # no click


@pytest.mark.parametrize(
    ("overlap", "step"), [(0.75, 25), (0.5, 50), (2 / 3, 33), (0.6667, 33), (0.9, 10), (0.95, 5), (0, 100), (0.3, 70)]
)
def test_a_trapezoid_of_n_overlaps_steps_by_an_nth(overlap: float, step: int) -> None:
    assert ChunkPlan.of(Identity(), 0.1, overlap, "trapezoid").step == step


def given(plan: ChunkPlan, time: int, sizes: Sequence[int] = (40,)) -> list[tuple[int, list[float], int, int]]:
    """The chunks of 1, 2, ... that comes in blocks: (start, what the model is given, before, frames)."""
    song = np.arange(1, time + 1, dtype=np.float32)[None, None]
    edges = [*range(0, time, sizes[0]), time]
    blocks = (song[..., first:last] for first, last in zip(edges, edges[1:], strict=False))
    return [(piece.start, piece.samples[0, 0].tolist(), piece.before, piece.frames) for piece in chunks(blocks, plan)]


def test_a_song_below_the_length_of_a_model_is_in_the_middle() -> None:
    for window in ("crossfade", "hann", "triangle"):
        (only,) = given(ChunkPlan.of(Identity(fixed=6), 1, 0, window), 3)
        assert only == (0, [0, 1, 2, 3, 0, 0], 1, 3)


def test_a_triangle_has_the_audio_around_it_as_context() -> None:
    plan = ChunkPlan.of(Identity(context=4), 0.006, 0.5, "triangle")
    found = given(plan, 10, sizes=[4])
    assert found[0] == (0, [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], 2, 6)
    assert found[1] == (3, [2, 3, 4, 5, 6, 7, 8, 9, 10, 0], 2, 6)
    assert found[3] == (9, [8, 9, 10, 0, 0], 2, 1)  # one begins at each step, however near the end


def test_a_trapezoid_mirrors_the_song() -> None:
    plan = ChunkPlan.of(Identity(), 0.006, 0.5, "trapezoid")
    found = given(plan, 9, sizes=[2])
    assert [start for start, *_ in found] == [-3, 0, 3, 6]
    assert found[0] == (-3, [4, 3, 2, 1, 2, 3], 0, 6)
    assert found[-1] == (6, [7, 8, 9, 8, 7, 6], 0, 3)
    short = given(plan, 5, sizes=[2])  # no longer than twice the border: not mirrored in front
    assert short[0] == (0, [1, 2, 3, 4, 5, 4], 0, 5)
    assert short[1] == (3, [4, 5, 0, 0, 0, 0], 0, 2)


@pytest.mark.parametrize("window", WINDOWS)
def test_blocks_of_any_size_give_the_same_chunks(window: str) -> None:
    plan = ChunkPlan.of(Identity(stride=3, context=5), 0.02, 0.6, window)
    for time in (7, 40, 101):
        whole = given(plan, time, sizes=[time])
        for size in (1, 13, 33):
            assert given(plan, time, sizes=[size]) == whole


@pytest.mark.parametrize("window", WINDOWS)
def test_no_more_than_some_chunks_are_held(window: str) -> None:
    taken = 0

    def blocks() -> Any:
        nonlocal taken
        for _ in range(500):
            taken += 10
            yield np.zeros((1, 2, 10), np.float32)

    plan = ChunkPlan.of(Identity(context=9), 0.1, 0.75, window)
    for piece in chunks(blocks(), plan):
        assert taken - piece.start <= 3 * plan.size
        base = piece.samples if piece.samples.base is None else piece.samples.base
        assert base.shape[-1] <= 5 * plan.size
