"""Datasets to train on: further ones by name, each named once, their tracks told from the others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.loading.module import SeparationData
from msbench.data.loading.opened import OpenedDatasets, first_tracks
from tests.data.songs import RATE, noise, write, write_musdb18hq


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """musdb18hq, and ccmixter with three songs, one of them mono."""
    write_musdb18hq(tmp_path / "musdb18hq")
    for song in range(3):
        for i, name in enumerate(("source-01", "source-02", "mix")):
            write(tmp_path / "ccmixter" / f"Song {song}" / f"{name}.wav", noise(10 * song + i, channels=1 + (song > 0)))
    return tmp_path


def training(data: Path, **options: object) -> SeparationData:
    settings: dict[str, object] = {
        "dataset": "musdb18hq",
        "root": data / "musdb18hq",
        "targets": ["accompaniment", "vocals"],
        "sample_rate": RATE,
        "channels": 2,
        "chunk_seconds": 0.1,
        "extra": ["ccmixter:all"],
        "extra_root": data,
    }
    return SeparationData(**(settings | options))  # type: ignore[arg-type]


def test_training_takes_further_datasets_and_says_so(data: Path) -> None:
    one, both = training(data, extra=None), training(data)
    for each in (one, both):
        each.setup("fit")
    assert one.training_data()["datasets"] == ["musdb18hq"]
    trained = both.training_data()
    assert trained["datasets"] == ["musdb18hq", "ccmixter"]
    assert (one.training_data()["tracks"], trained["tracks"]) == (3, 6)
    assert trained["hours"] > one.training_data()["hours"]
    assert both.train_chunks is not None
    assert both.valid_chunks is not None
    assert one.valid_chunks is not None
    assert len(both.valid_chunks) == len(one.valid_chunks)  # validation is the first dataset's
    assert {track.track.split for track in both.train_chunks.tracks} == {"train", "ccmixter:all"}
    assert both.train_chunks[0].references.shape == (2, 2, 800)


def test_fewer_tracks_are_a_part_of_more(data: Path) -> None:
    def chosen(count: int | None, seed: int = 0) -> list[tuple[str, str]]:
        module = training(data, tracks=count, seed=seed)
        module.setup("fit")
        assert module.train_chunks is not None
        tracks = [track.track for track in module.train_chunks.tracks]
        hours = sum(track.seconds for track in tracks) / 3600
        assert module.training_data()["tracks"] == len(tracks)
        assert module.training_data()["hours"] == pytest.approx(hours, abs=1e-4)
        return [(track.split, track.name) for track in tracks]

    whole = chosen(None)
    drawn = [chosen(count) for count in range(1, 7)]
    assert [len(each) for each in drawn] == [1, 2, 3, 4, 5, 6]
    assert all(set(fewer) < set(more) for fewer, more in zip(drawn, drawn[1:], strict=False))
    assert drawn[-1] == whole  # in the same order, so that chunks are the same
    assert len({tuple(chosen(2, seed)) for seed in range(6)}) > 1
    with pytest.raises(ValueError, match=r"data.tracks: 7 are asked for, and there are 6 training tracks: ask for f"):
        chosen(7)


def test_a_bad_track_moves_no_other(data: Path) -> None:
    opened = OpenedDatasets(("vocals",), strict=False)
    tracks = opened.extra_tracks("ccmixter:all", data)
    first, second = first_tracks(tracks, 2, seed=0), first_tracks(tracks, 1, seed=0)
    without = [track for track in tracks if track is not second[0]]
    assert first_tracks(without, 1, seed=0) == [track for track in first if track is not second[0]]


def test_their_train_split_is_the_default(data: Path) -> None:
    opened = OpenedDatasets(("vocals",), strict=True)
    every = opened.extra_tracks("ccmixter:all", data)
    some = OpenedDatasets(("vocals",), strict=True).extra_tracks("ccmixter", data)
    assert {track.name for track in some} < {track.name for track in every}
    assert {track.split for track in some} == {"ccmixter:train"}


def test_their_root_is_where_datasets_are_by_default(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSBENCH_DATA", str(data))
    assert len(OpenedDatasets(("vocals",), strict=True).extra_tracks("ccmixter:all", None)) == 3


def test_a_bad_song_is_dropped_under_its_dataset(data: Path) -> None:
    (data / "ccmixter" / "Song 1" / "mix.wav").write_bytes(b"RIFF")
    module = training(data)
    with pytest.warns(UserWarning, match="track 'Song 1' of split 'ccmixter:all' is dropped"):
        module.setup("fit")
    (dropped,) = module.training_data()["dropped"]
    assert (dropped["split"], dropped["track"]) == ("ccmixter:all", "Song 1")
    assert dropped["reason"].startswith("cannot read Song 1/mix.wav")
    with pytest.raises(ValueError, match=r"mix\.wav as audio"):
        training(data, strict=True).setup("fit")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"extra": ["musdb18hq"]},
            ValueError,
            "field data.extra: 'musdb18hq' is trained on already: name each dataset once",
        ),
        ({"extra": ["ccmixter", "ccmixter:all"]}, ValueError, "'ccmixter' is trained on already"),
        ({"extra": ["ccmixer"]}, ValueError, "field data.extra: unknown dataset 'ccmixer'"),
        ({"extra": ["ccmixter:dev"]}, ValueError, "has no split 'dev': it has train, valid, test, all"),
        ({"targets": ["drums"]}, ValueError, "dataset 'ccmixter' has no target 'drums'"),
        ({"targets": ["vocals"]}, ValueError, "targets that add up to the mixture of each, and vocals do not"),
        (
            {"extra_root": Path("nowhere")},
            FileNotFoundError,
            "field data.extra: no dataset 'ccmixter' at nowhere/ccmixter",
        ),
    ],
)
def test_refusals(data: Path, options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        training(data, **options).setup("fit")
