"""Datasets to train on: further ones by name, each named once, their tracks told from the others'."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.data.loading.module import SeparationData
from msbench.data.loading.opened import OpenedDatasets
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
