"""What is drawn for the stems of a chunk: whole songs, stems of their own, stems exchanged, and one gain per sum."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from msbench.data.loading.augmentation import Augmentation
from msbench.data.loading.stem_draws import StemDraws

ONE_BY_ONE = [[0], [1], [2], [3]]
NOTHING: frozenset[int] = frozenset()


def draws_of(parts: list[list[int]] = ONE_BY_ONE, tracks: int = 1000, seed: int = 3, **options: Any) -> StemDraws:
    return StemDraws(Augmentation(**options), seed, tracks, parts, 4)


def test_without_remix_all_stems_are_of_one_song_and_with_it_each_is_of_its_own() -> None:
    plain, remixed = draws_of(), draws_of(remix=True)
    for number in range(20):
        whole, apart = plain.of(number, NOTHING), remixed.of(number, NOTHING)
        assert set(whole.stems) == {apart.stems[0]}
        assert not whole.remixed
        assert len(set(apart.stems)) == 4
        assert apart.remixed


def test_a_group_exchanges_the_stems_of_its_chunks() -> None:
    options: dict[str, Any] = {"pitch_semitones": (-2, 2), "gain": (0.25, 1.25)}
    plain, grouped = draws_of(**options), draws_of(remix=True, remix_group=4, **options)
    same, pairs = 0, 0
    for group in range(200):
        numbers = range(4 * group, 4 * group + 4)
        own = {n: plain.of(n, NOTHING) for n in numbers}
        chunks = {n: grouped.of(n, NOTHING) for n in reversed(numbers)}
        for stem in range(4):  # each of the group's songs gives this stem to one chunk, played as that song is
            assert sorted(chunk.stems[stem] for chunk in chunks.values()) == sorted(x.stems[0] for x in own.values())
        for number, chunk in chunks.items():
            replays = {x.stems[0]: x.changes[0].replay for x in own.values()}
            assert [change.replay for change in chunk.changes] == [replays[draw] for draw in chunk.stems]
            assert [x.factor for x in chunk.changes] == [x.factor for x in own[number].changes]
            same += sum(a == b for a, b in combinations(chunk.stems, 2))
            pairs += 6
    assert 0.22 < same / pairs < 0.28  # 4800 pairs; one in four in Demucs


def test_a_group_leaves_out_what_is_bad() -> None:
    grouped = draws_of(tracks=5, remix=True, remix_group=4)
    for number in range(40):
        assert all(draw.track not in (1, 3) for draw in grouped.of(number, {1, 3}).stems)


def test_a_share_of_the_chunks_is_remixed() -> None:
    plain, remixed, some = draws_of(), draws_of(remix=True), draws_of(remix=True, remix_share=0.25)
    count = 0
    for number in range(400):
        drawn = some.of(number, NOTHING)
        count += drawn.remixed
        assert drawn == (remixed if drawn.remixed else plain).of(number, NOTHING)
    assert 80 < count < 120


def test_a_share_of_the_songs_is_repitched() -> None:
    ranges: dict[str, Any] = {"pitch_semitones": (-2, 2), "stretch": (0.9, 1.1)}
    always, some = draws_of(**ranges), draws_of(repitch_share=0.2, **ranges)
    count = 0
    for number in range(400):
        all_of, replay = always.of(number, NOTHING).changes[0].replay, some.of(number, NOTHING).changes[0].replay
        count += replay != (1, 1, None)
        assert replay in (all_of, (1, 1, None))
    assert 60 < count < 100


def test_stems_that_a_target_sums_have_one_gain() -> None:
    for parts, groups in (
        (ONE_BY_ONE, 4),
        ([[1, 2, 3], [0]], 2),
        ([[0, 1]], 3),  # the others are changed each by itself
        ([[0, 1], [1, 2]], 2),
        ([[2, 3], [0, 3], [1]], 2),
    ):
        changes = draws_of(parts, gain_db=(-6, 6)).of(0, NOTHING).changes
        factors = np.array([change.factor for change in changes])
        assert len(set(factors)) == groups
        for part in parts:
            assert np.ptp(factors[part]) == 0
    assert draws_of(gain_db=(-6, 6)).of(0, NOTHING).changes[0] == changes[0]  # the first stem's gain stays
