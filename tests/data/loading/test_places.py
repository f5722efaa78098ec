"""Places: today's for good, every one once in a pass, and none where it is silent."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.loading.places import SILENCE_DB, is_silent
from msbench.data.loading.sampler import ChunkSampler
from msbench.data.track import Track
from tests.data.loading.test_chunks import assert_equal, chunks_of, places_of
from tests.data.songs import STEMS, noise, write, write_musdb18hq

ALL_BUT_SPEED: dict[str, Any] = {"remix": True, "gain_db": (-6.0, 3.0), "channel_swap": True, "polarity": True}
SPARSE_FRAMES = 8000


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return MUSDB18HQ(write_musdb18hq(tmp_path_factory.mktemp("hq"))).tracks("train")


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    """Two songs of a second in which each stem plays in its own quarter alone, the vocals in the first song alone."""
    root = tmp_path_factory.mktemp("sparse")
    for song in range(2):
        for i, stem in enumerate(STEMS):
            samples = noise(10 * song + i, SPARSE_FRAMES)
            quiet = np.ones(SPARSE_FRAMES, bool)
            quiet[2000 * i : 2000 * (i + 1)] = song == 1 and stem == "vocals"
            samples[quiet] = 0
            write(root / f"{song}" / f"{stem}.wav", samples)
    return [Track(f"{n}", "train", {stem: root / f"{n}" / f"{stem}.wav" for stem in STEMS}) for n in range(2)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "b250b594dbf2cfef"),
        ({"remix": True}, "6fc45597e5f24106"),
        ({"channel_swap": True, "polarity": True}, "66962ff4e90b0331"),
        ({"remix": True, "gain_db": (-6.0, 3.0)}, "a604a144752ca4e0"),
        ({"speed": (0.8, 1.2)}, "a746790bfa859b48"),
        ({"speed": (1.0, 1.0)}, "41db8188c0b0fcbf"),
        ({**ALL_BUT_SPEED, "speed": (0.8, 1.2)}, "ef10b7b98fecc1b6"),
    ],
)
def test_chunks_are_for_good(tracks: list[Track], options: dict[str, Any], expected: str) -> None:
    """To the last bit what they were when these options were all there were."""
    digest = hashlib.sha256()
    for number in (0, 1, 2, 3, 1000):
        chunk = chunks_of(tracks, seed=7, **options)[number]
        digest.update(chunk.mixture.numpy().tobytes())
        digest.update(chunk.references.numpy().tobytes())
    assert digest.hexdigest()[:16] == expected


def test_unknown_sampling(tracks: list[Track]) -> None:
    with pytest.raises(ValueError, match="sampling must be one of random, exhaustive, balanced, not 'all'"):
        chunks_of(tracks, sampling="all")


# Exhaustive


def stem_places(chunks: Any, tracks: list[Track], number: int, stem: str) -> tuple[int, int]:
    """(track, start) of a stem of a chunk, which may end in zeros."""
    part = chunks[number].references[STEMS.index(stem)].numpy()
    held = part[:, : len(np.trim_zeros(part[0], "b"))]
    ((place),) = [(t, at) for t, track in enumerate(tracks) for at in places_of(held, track.read(stem))]
    return place


@pytest.mark.parametrize("remix", [False, True])
def test_exhaustive_sampling_takes_every_place_once_a_pass(tracks: list[Track], remix: bool) -> None:
    chunks = chunks_of(tracks, seconds=0.3, sampling="exhaustive", remix=remix)
    every = [(t, start) for t, track in enumerate(tracks) for start in range(0, track.frames, 2400)]
    assert len(every) == 12
    orders = []
    for stem in STEMS:
        # Epochs of 5 chunks and two ranks: neither of them divides a pass.
        numbers = [
            sorted(n for rank in range(2) for n in ChunkSampler(6, rank=rank, world_size=2, epoch=e)) for e in range(4)
        ]
        places = [stem_places(chunks, tracks, n, stem) for epoch in numbers for n in epoch]
        passes = [places[:12], places[12:]]
        assert [sorted(taken) for taken in passes] == [every, every]
        assert passes[0] != passes[1]
        assert every not in passes
        orders.append(tuple(places))
    assert len(set(orders)) == (len(STEMS) if remix else 1)
    other = chunks_of(tracks, seconds=0.3, sampling="exhaustive", remix=remix, seed=1)
    assert [stem_places(other, tracks, n, "bass") for n in range(12)] != list(orders[STEMS.index("bass")][:12])


def test_exhaustive_sampling_leaves_other_draws_alone(tracks: list[Track]) -> None:
    options: dict[str, Any] = {"gain_db": (-9.0, 0.0), "polarity": True, "seconds": 1.1}
    plain, exhaustive = chunks_of(tracks[:1], **options), chunks_of(tracks[:1], sampling="exhaustive", **options)
    for number in range(4):  # a single place, as the song is shorter than a chunk
        assert_equal(plain[number], exhaustive[number])


# Balanced


def active(chunk: Any) -> list[bool]:
    return [not is_silent(reference.numpy()) for reference in chunk.references]


def test_silence() -> None:
    assert is_silent(np.zeros((2, 50), np.float32))
    level = np.full((2, 50), 10 ** (SILENCE_DB / 20), np.float32)
    assert not is_silent(level * np.float32(1.01))
    assert is_silent(level * np.float32(0.99))


def test_balanced_sampling_fills_every_stem_of_a_remix(sparse: list[Track]) -> None:
    plain, balanced = (chunks_of(sparse, remix=True, sampling=sampling) for sampling in ("random", "balanced"))
    before = np.array([active(plain[n]) for n in range(100)])
    after = np.array([active(balanced[n]) for n in range(100)])
    assert before.mean() < 0.4
    assert after[:, 1:].mean() == 1, "twenty draws, each of which hits with about 3 in 8"
    assert after[:, 0].mean() > 0.9, "of which one half are from the song without vocals"
    for n in range(100):
        for i in np.flatnonzero(before[n]):  # only a place that was silent is left
            assert torch.equal(plain[n].references[i], balanced[n].references[i])


def test_balanced_sampling_gives_each_target_its_turn(sparse: list[Track]) -> None:
    plain, balanced = chunks_of(sparse, seconds=0.02), chunks_of(sparse, seconds=0.02, sampling="balanced")
    counts = []
    for chunks in (plain, balanced):
        chunks.hold()
        counts.append(Counter(i for n in range(1000) for i, on in enumerate(active(chunks[n])) if on))
    (rare, *often), (rare_after, *often_after) = ([count[i] for i in range(4)] for count in counts)
    assert rare < 0.55 * np.mean(often), "vocals are in one song of two"
    assert rare_after > 0.8 * np.mean(often_after), "of twenty draws, each of which hits with 1 in 8"
    for n in range(20):
        torch.testing.assert_close(balanced[n].mixture, balanced[n].references.sum(0))


def test_balanced_sampling_of_one_target_and_of_a_sum(sparse: list[Track]) -> None:
    chunks = chunks_of(sparse, ("vocals",), sampling="balanced")
    assert np.mean([active(chunks[n]) for n in range(60)]) > 0.9
    paths = [track.files for track in sparse]
    sums = {"accompaniment": ("drums", "bass", "other")}
    summed = [Track(f"{n}", "train", {stem: path[stem] for stem in STEMS}, sums=sums) for n, path in enumerate(paths)]
    for options in ({}, {"polarity": True}):
        chunks = chunks_of(summed, ("accompaniment",), sampling="balanced", **options)
        assert np.mean([active(chunks[n]) for n in range(30)]) == 1


def test_balanced_sampling_does_not_depend_on_augmentation(sparse: list[Track]) -> None:
    plain = chunks_of(sparse, sampling="balanced")
    turned = chunks_of(sparse, sampling="balanced", polarity=True)
    for n in range(20):
        torch.testing.assert_close(plain[n].references.abs(), turned[n].references.abs())


def test_balanced_sampling_reads_again_only_what_is_silent(
    tracks: list[Track], sparse: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = Track.read
    monkeypatch.setattr(Track, "read", lambda track, target, *at: read.append(target) or original(track, target, *at))
    for options in ({}, {"remix": True}, {"polarity": True}):
        chunks = chunks_of(tracks, sampling="balanced", **options)
        for n in range(5):
            read.clear()
            chunks[n]
            assert sorted(read) == sorted(STEMS)
    read.clear()
    chunks = chunks_of(sparse, sampling="balanced")
    for n in range(20):
        chunks[n]
    assert 4 * 20 < len(read) <= (3 + 20) * 20


def test_silent_songs_do_not_hold_balanced_sampling_up(tmp_path: Path) -> None:
    stems = {stem: write(tmp_path / f"{stem}.wav", np.zeros((800, 2), np.int16)) for stem in STEMS}
    for remix in (False, True):
        chunk = chunks_of([Track("Silence", "train", stems)], seconds=0.05, sampling="balanced", remix=remix)[0]
        assert not chunk.references.any()
