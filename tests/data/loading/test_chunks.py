"""Chunks: each by its number alone, at the model's rate, and augmented so that its stems still add up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.loading.augmentation import Augmentation
from msbench.data.loading.chunks import ChunkDataset, ChunkFormat, ExhaustiveChunks
from msbench.data.track import Track
from msbench.model.separator import Batch
from tests.data.songs import RATE, STEMS, noise, write, write_musdb18hq, write_song

SUMS = {"accompaniment": ("drums", "bass", "other")}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return MUSDB18HQ(write_musdb18hq(tmp_path_factory.mktemp("hq"))).tracks("train")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Track:
    """Two seconds at 44.1 kHz, with an accompaniment among its targets."""
    folder = write_song(tmp_path_factory.mktemp("song") / "Song", 3, frames=88201, rate=44100)
    stems = {stem: folder / f"{stem}.wav" for stem in STEMS}
    return Track("Song", "train", stems, mixture=folder / "mixture.wav", sums=SUMS)


OF_THE_DATASET = ("sampling", "seed", "strict")


def chunks_of(tracks: Sequence[Track], targets: Sequence[str] = STEMS, seconds: float = 0.1, **options: Any) -> Any:
    """Chunks with options of their format, of the dataset and of augmentation."""
    format = ChunkFormat(tuple(targets), options.pop("rate", RATE), options.pop("channels", 2), seconds)
    of_the_dataset = {name: options.pop(name) for name in OF_THE_DATASET if name in options}
    return ChunkDataset(tracks, format, Augmentation(**options), **of_the_dataset)


def assert_equal(first: Batch, second: Batch) -> None:
    assert torch.equal(first.mixture, second.mixture)
    assert torch.equal(first.references, second.references)


def places_of(part: np.ndarray, whole: np.ndarray) -> list[int]:
    """Where `part` (C, T) lies in `whole`, to the last bit."""
    first = np.flatnonzero((whole[:, : whole.shape[1] - part.shape[1] + 1] == part[:, :1]).all(0))
    return [int(i) for i in first if np.array_equal(whole[:, i : i + part.shape[1]], part)]


# What is read


@pytest.mark.parametrize("targets", [STEMS, ("vocals",)])
@pytest.mark.parametrize("rate", [44100, 16000])
def test_memory_changes_nothing(song: Track, targets: tuple[str, ...], rate: int) -> None:
    disk, memory = (chunks_of([song], targets, 0.2, rate=rate, channels=1) for _ in range(2))
    memory.hold()
    held = sum(array.nbytes for track in memory.tracks for array in track._held.values())
    assert held == memory.bytes_in_memory
    for number in range(5):
        torch.testing.assert_close(disk[number].mixture, memory[number].mixture, atol=1e-6, rtol=0)
        torch.testing.assert_close(disk[number].references, memory[number].references, atol=1e-6, rtol=0)
    memory[0].mixture.zero_()  # what a chunk is made of stays as it is
    memory[0].references.zero_()
    torch.testing.assert_close(disk[0].mixture, memory[0].mixture, atol=1e-6, rtol=0)


# Random chunks


def test_shape_and_type(tracks: list[Track]) -> None:
    chunk = chunks_of(tracks, ("vocals", "bass"), seconds=0.12345)[0]
    assert isinstance(chunk, Batch)
    assert chunk.mixture.shape == (2, 988)  # round(0.12345 * 8000)
    assert chunk.references.shape == (2, 2, 988)
    assert chunk.mixture.dtype == chunk.references.dtype == torch.float32


def test_a_chunk_is_cut_from_a_song(tracks: list[Track]) -> None:
    chunks = chunks_of(tracks, ("bass", "vocals", "other", "drums"))
    songs, places = set(), set()
    for number in range(30):
        chunk = chunks[number]
        torch.testing.assert_close(chunk.mixture, chunk.references.sum(0))
        found = [(t, places_of(chunk.references[0].numpy(), track.read("bass"))) for t, track in enumerate(tracks)]
        ((index, (start,)),) = [(t, at) for t, at in found if at]
        for reference, target in zip(chunk.references, chunks.targets, strict=True):
            np.testing.assert_array_equal(reference, tracks[index].read(target, start, 800))
        songs.add(index)
        places.add(start)
    assert songs == {0, 1, 2}
    assert len(places) > 25


def test_a_chunk_follows_from_seed_and_number_alone(tracks: list[Track]) -> None:
    options = {"remix": True, "gain_db": (-6.0, 3.0), "channel_swap": True, "polarity": True, "speed": (0.8, 1.2)}
    first, second = chunks_of(tracks, seed=5, **options), chunks_of(tracks, seed=5, **options)
    forwards = [first[number] for number in range(8)]
    np.random.seed(1)
    torch.manual_seed(1)
    for number in reversed(range(8)):
        assert_equal(forwards[number], second[number])
    assert not torch.equal(forwards[0].mixture, forwards[1].mixture)
    assert not torch.equal(forwards[0].mixture, chunks_of(tracks, seed=6, **options)[0].mixture)
    assert_equal(first[10**12], second[10**12])


def test_mixture_of_a_subset_holds_all_stems(tracks: list[Track]) -> None:
    for options in ({}, {"remix": True}, {"polarity": True}, {"speed": (0.8, 1.2)}):
        whole, part = chunks_of(tracks, **options), chunks_of(tracks, ("other", "vocals"), **options)
        for number in range(4):
            torch.testing.assert_close(part[number].mixture, whole[number].mixture, atol=1e-6, rtol=0)
            assert torch.equal(part[number].references, whole[number].references[[3, 0]])


def test_mixture_file_is_used_where_targets_do_not_cover_it(tmp_path: Path) -> None:
    """A mastered mixture is not the sum of its stems."""
    folder = write_song(tmp_path / "hq" / "train" / "Song", 0)
    write(folder / "mixture.wav", noise(77))
    (track,) = MUSDB18HQ(tmp_path / "hq").tracks("train")
    chunk = chunks_of([track], ("vocals",))[0]
    assert places_of(chunk.mixture.numpy(), track.read("mixture"))
    chunk = chunks_of([track], STEMS)[0]
    torch.testing.assert_close(chunk.mixture, chunk.references.sum(0))
    assert not places_of(chunk.mixture.numpy(), track.read("mixture"))


def test_sums_as_targets(song: Track) -> None:
    for options in ({}, {"polarity": True}):
        chunk = chunks_of([song], ("accompaniment", "vocals"), rate=44100, **options)[4]
        stems = chunks_of([song], STEMS, rate=44100, **options)[4]
        torch.testing.assert_close(chunk.references[0], stems.references[1:].sum(0), atol=1e-6, rtol=0)
        torch.testing.assert_close(chunk.mixture, stems.mixture, atol=1e-6, rtol=0)


@pytest.mark.parametrize("option", ["gain", "gain_db"])
def test_a_target_that_is_a_sum_keeps_its_balance(song: Track, option: str) -> None:
    levels: dict[str, Any] = {option: (0.25, 1.25) if option == "gain" else (-12.0, 2.0)}
    plain, changed = (chunks_of([song], ("accompaniment", "vocals"), rate=44100, **options) for options in ({}, levels))
    for number in range(8):
        before, after = plain[number].references, changed[number].references
        factors = (before * after).sum((1, 2), keepdim=True) / before.square().sum((1, 2), keepdim=True)
        # Drums, bass and other are as loud, relative to each other, as in the file.
        torch.testing.assert_close(after, factors * before, atol=1e-6, rtol=0)
        assert not torch.isclose(factors[0], factors[1], rtol=1e-3)


def test_tracks_of_different_stems_are_cut_by_their_targets(song: Track, tmp_path: Path) -> None:
    stems = {
        target: write(tmp_path / f"{target}.wav", noise(i, 88201), 44100)
        for i, target in enumerate(("vocals", "accompaniment"))
    }
    pair = Track("Pair", "all", stems)
    targets, songs = ("accompaniment", "vocals"), set()
    for options in ({}, {"gain": (1.0, 1.0)}, {"remix": True}):
        chunks = chunks_of([song, pair], targets, rate=44100, **options)
        for number in range(8):
            chunk, starts = chunks[number], []
            torch.testing.assert_close(chunk.mixture, chunk.references.sum(0))
            for reference, target in zip(chunk.references.numpy(), targets, strict=True):
                found = {track.name: places_of(reference, track.read(target)) for track in (song, pair)}
                ((name, (start,)),) = [(name, at) for name, at in found.items() if at]
                starts.append((name, start))
                songs.add(name)
            assert (starts[0] == starts[1]) is not options.get("remix", False)
    assert songs == {"Song", "Pair"}
    with pytest.raises(
        ValueError, match="track 'Song' has the stems vocals, drums, bass, other, and 'Pair' has vocals"
    ):
        chunks_of([song, pair], ("vocals",), rate=44100)


def test_stems_begin_later_each_by_itself(tracks: list[Track]) -> None:
    chunks = chunks_of(tracks, shift_seconds=0.3)
    offsets = []
    for number in range(10):
        starts = []
        for reference, stem in zip(chunks[number].references, STEMS, strict=True):
            found = [at for track in tracks for at in places_of(reference.numpy(), track.read(stem))]
            starts += found
        offsets.append(np.ptp(starts))
        assert len(starts) == 4
    assert min(offsets) > 0
    assert max(offsets) <= 0.3 * RATE
    assert max(offsets) > 0.2 * RATE


def test_a_song_shorter_than_a_chunk_ends_in_zeros(song: Track) -> None:
    chunk = chunks_of([song], seconds=3.0, rate=44100)[0]
    assert chunk.mixture.shape == (2, 3 * 44100)
    np.testing.assert_array_equal(chunk.references[0, :, :88201], song.read("vocals"))
    assert not chunk.references[..., 88201:].any()
    assert not chunk.mixture[..., 88201:].any()


def test_remix_draws_stems_from_different_songs(tracks: list[Track]) -> None:
    chunks = chunks_of(tracks, remix=True)
    mixed = 0
    for number in range(10):
        chunk = chunks[number]
        torch.testing.assert_close(chunk.mixture, chunk.references.sum(0))
        from_songs = []
        for reference, stem in zip(chunk.references, STEMS, strict=True):
            found = [t for t, track in enumerate(tracks) if places_of(reference.numpy(), track.read(stem))]
            from_songs += found
        assert len(from_songs) == len(STEMS)
        mixed += len(set(from_songs)) > 1
    assert mixed >= 8


def test_each_augmentation_alone(tracks: list[Track]) -> None:
    plain = chunks_of(tracks)
    for options, changed in (
        ({"gain_db": (-12.0, -6.0)}, lambda x, y: 10 ** (-12 / 20) - 1e-3 <= float(y.norm() / x.norm()) <= 0.502),
        ({"channel_swap": True}, lambda x, y: torch.equal(y, x.flip(0))),
        ({"polarity": True}, lambda x, y: torch.equal(y, -x)),
    ):
        augmented = chunks_of(tracks, **options)
        counts = [0, 0]
        for number in range(20):
            before, after = plain[number], augmented[number]
            torch.testing.assert_close(after.mixture, after.references.sum(0))
            for x, y in zip(before.references, after.references, strict=True):
                assert torch.equal(x, y) or changed(x, y)
                counts[torch.equal(x, y)] += 1
        if "gain_db" in options:
            assert counts == [80, 0]
        else:
            assert min(counts) > 20, "a chance of one half"


def test_speed_moves_the_pitch_of_all_stems_of_a_song_alike(tmp_path: Path) -> None:
    time = np.arange(2 * RATE) / RATE
    tones = {stem: 0.2 * np.sin(2 * np.pi * 500 * (i + 1) * time) for i, stem in enumerate(STEMS)}
    for stem, tone in tones.items():
        write(tmp_path / f"{stem}.wav", np.stack([tone, tone], 1))
    track = Track("Song", "train", {stem: tmp_path / f"{stem}.wav" for stem in STEMS})
    factors = []
    for number in range(20):
        chunk = chunks_of([track], seconds=1.0, speed=(0.8, 1.25))[number]
        peaks = np.abs(np.fft.rfft(chunk.references[:, 0].numpy())).argmax(1)  # in Hz, for the chunk is of a second
        factors.append(peaks[3] / 2000)
        assert np.abs(peaks - 500 * factors[-1] * np.arange(1, 5)).max() <= 1
        torch.testing.assert_close(chunk.mixture, chunk.references.sum(0))
    assert 0.79 < min(factors) < 0.9
    assert 1.15 < max(factors) < 1.26


def test_gains_are_even_in_decibels(tracks: list[Track]) -> None:
    plain, loud = chunks_of(tracks, seconds=0.01), chunks_of(tracks, seconds=0.01, gain_db=(-10.0, 10.0))
    levels = [
        20 * float(torch.log10(y.norm() / x.norm()))
        for number in range(100)
        for x, y in zip(plain[number].references, loud[number].references, strict=True)
    ]
    assert -10.001 < min(levels) < -9
    assert 9 < max(levels) < 10.001
    assert abs(np.mean(levels)) < 1


def test_bad_chunks(tracks: list[Track]) -> None:
    with pytest.raises(ValueError, match=r"chunk_seconds must be at least one sample long \(1/8000 s\), not 0"):
        chunks_of(tracks, seconds=0)
    with pytest.raises(ValueError, match="there are no tracks"):
        chunks_of([])
    with pytest.raises(ValueError, match=r"speed must be a range from low to high above 0, not \[1.2, 0.8\]"):
        chunks_of(tracks, speed=(1.2, 0.8))
    with pytest.raises(ValueError, match="track 'Song 0' has no target 'guitar': it has vocals, drums, bass, other"):
        chunks_of(tracks, ("guitar",))
    with pytest.raises(ValueError, match="seed must not be negative, but it is -1"):
        chunks_of(tracks, seed=-1)
    with pytest.raises(ValueError, match=r"gain_db must be a range from low to high, not \[3, -3\]"):
        chunks_of(tracks, gain_db=(3, -3))


# Exhaustive chunks


def test_exhaustive_chunks_hold_every_sample_once(tracks: list[Track]) -> None:
    chunks = ExhaustiveChunks(tracks, ChunkFormat(("drums", "vocals"), RATE, 2, 0.3))
    assert len(chunks) == sum(-(-track.frames // 2400) for track in tracks) == 12
    whole = [torch.cat([chunks[i].references[0] for i in range(4 * t, 4 * t + 4)], dim=-1) for t in range(3)]
    for track, joined in zip(tracks, whole, strict=True):
        np.testing.assert_array_equal(joined[:, : track.frames], track.read("drums"))
        assert not joined[:, track.frames :].any()
    mixture = torch.cat([chunks[i].mixture for i in range(4)], dim=-1)
    np.testing.assert_array_equal(mixture[:, : tracks[0].frames], tracks[0].read("mixture"))
