"""Bad files in training: dropped, said once and counted; with `strict` an error."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench.cli.app import main
from msbench.data.loading.module import SeparationData
from msbench.records.record import validate
from msbench.system.errors import is_bug
from msbench.training.fit import fit
from msbench.training.module import _of_all_ranks
from tests.data.songs import RATE, STEMS, noise, write_musdb18hq
from tests.tiny import write_model, write_songs

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*GPU available but not used"),
]


def data_of(root: Path, **options: Any) -> SeparationData:
    settings: dict[str, Any] = {
        "dataset": "musdb18hq",
        "root": root,
        "targets": list(STEMS),
        "sample_rate": RATE,
        "channels": 2,
        "chunk_seconds": 0.05,
        "chunks_per_epoch": 24,
        "batch_size": 4,
        "memory_gb": 0,
    }
    return SeparationData(**(settings | options))


def set_up(root: Path, **options: Any) -> SeparationData:
    data = data_of(root, **options)
    data.setup("fit")
    return data


def epoch(data: SeparationData) -> list[torch.Tensor]:
    """All training mixtures of an epoch."""
    mixtures = [mixture for batch in data.train_dataloader() for mixture in batch[0]]
    data.teardown("fit")
    return mixtures


def plant_nan(path: Path, at: slice) -> None:
    samples, rate = soundfile.read(path, dtype="float32")
    samples[at] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (cut, "is cut short"),
    "zero-byte": (lambda path: path.write_bytes(b""), "has zero length"),
    "unreadable": (lambda path: path.write_bytes(b"RIFF nonsense"), "cannot read .* as audio"),
    "wrong rate": (lambda path: soundfile.write(path, noise(1), 2 * RATE), "has a sample rate of 16000 Hz"),
    "missing": (Path.unlink, "lacks its drums"),
}


# Known at the start


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_track_that_cannot_be_opened_is_dropped(tmp_path: Path, kind: str, split: str) -> None:
    root = write_musdb18hq(tmp_path / "hq", valid=2)
    song = min((root / split).iterdir())
    damage, sentence = DAMAGE[kind]
    damage(song / "drums.wav")
    with pytest.warns(UserWarning, match=rf"track '{song.name}' of split '{split}' is dropped: .*{sentence}"):
        data = set_up(root)
    (dropped,) = data.training_data()["dropped"]
    assert (dropped["split"], dropped["track"]) == (split, song.name)
    assert f"{split}/{song.name}/drums.wav" in dropped["reason"]
    assert str(tmp_path) not in dropped["reason"], "records are published"
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        set_up(root, strict=True)
    shutil.rmtree(song)
    without = set_up(root)
    assert without.training_data() == {**data.training_data(), "dropped": []}
    assert torch.equal(torch.stack(epoch(without)), torch.stack(epoch(data)))
    assert len(without.val_dataloader()) == len(data.val_dataloader())


def test_a_split_of_nothing_but_bad_tracks(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    (root / "valid" / "Song 3" / "bass.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no track of split 'valid' can be opened, as .*bass.wav has zero length"):
        set_up(root)


def test_prepared_data_are_no_exception(tmp_path: Path) -> None:
    root, prepared = write_musdb18hq(tmp_path / "hq"), tmp_path / "prepared"
    assert main(["data", "prepare", "musdb18hq", "--root", str(root), "-o", str(prepared), "--jobs", "1"]) == 0
    cut(prepared / "train" / "Song 1" / "bass.wav")
    with pytest.warns(UserWarning, match=r"'Song 1' of split 'train' is dropped: .*bass.wav has \d+ bytes, and"):
        data = set_up(prepared)
    assert data.training_data()["tracks"] == 2
    with pytest.raises(ValueError, match=r"bass.wav has \d+ bytes"):
        set_up(prepared, strict=True)


# Found in training


TURNS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (cut, "(is corrupt between|ends at 0.5)"),
    "zero-byte": (lambda path: path.write_bytes(b""), "is corrupt"),
    "unreadable": (lambda path: path.write_bytes(b"RIFF nonsense"), "is corrupt"),
    "vanished": (Path.unlink, "has been removed meanwhile"),
    "NaN": (lambda path: plant_nan(path, slice(None)), "holds NaN or infinity between"),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", TURNS)
def test_a_track_that_turns_bad_is_passed_over(tmp_path: Path, kind: str, workers: int) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    whole = set_up(root).train_chunks
    assert whole is not None
    expected = [whole[number] for number in range(24)]
    data, strict = (set_up(root, workers=workers, strict=strict) for strict in (False, True))
    path = root / "train" / "Song 1" / "drums.wav"
    damage, sentence = TURNS[kind]
    damage(path)
    with pytest.warns(UserWarning, match=rf"track 'Song 1' of split 'train' is dropped: {path} {sentence}") as told:
        found = epoch(data)
    assert len([warning for warning in told if "dropped" in str(warning.message)]) == 1
    (dropped,) = data.training_data()["dropped"]
    assert (dropped["split"], dropped["track"]) == ("train", "Song 1")
    assert dropped["reason"].startswith("train/Song 1/drums.wav ")
    assert all(torch.isfinite(mixture).all() for mixture in found)
    same = [torch.equal(a, b.mixture) for a, b in zip(found, expected, strict=True)]
    assert 10 < sum(same) < 24, "what met no bad file is as it was"
    direct = set_up(root, strict=False) if kind == "NaN" else data  # the others can no longer be opened
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = [direct.train_chunks[number].mixture for number in reversed(range(24))]  # type: ignore[index]
    assert all(torch.equal(a, b) for a, b in zip(found, reversed(again), strict=True)), "in any order, any process"
    with pytest.raises(ValueError, match=rf"^{path} {sentence}"):
        epoch(strict)
    strict.teardown("fit")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"remix": True},
        {"speed": (0.9, 1.1)},
        {"sample_rate": 11025},
        {"sampling": "exhaustive"},
        {"sampling": "balanced"},
        {"sampling": "exhaustive", "remix": True},
        {"sampling": "balanced", "remix": True},
    ],
)
def test_one_bad_moment_is_passed_over_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    """A track is read on where it is sound; and decoded memory changes no chunk."""
    root = write_musdb18hq(tmp_path / "hq")
    plant_nan(root / "train" / "Song 1" / "vocals.wav", slice(4000, 4010))
    with pytest.warns(UserWarning, match="holds NaN"):
        disk = epoch(set_up(root, chunks_per_epoch=80, **options))
    with pytest.warns(UserWarning, match="holds NaN"):
        held = set_up(root, chunks_per_epoch=80, memory_gb=1, **options)
    assert held.training_data()["dropped"][0]["track"] == "Song 1"
    assert all(torch.isfinite(mixture).all() for mixture in disk)
    torch.testing.assert_close(torch.stack(epoch(held)), torch.stack(disk), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        set_up(root, memory_gb=1, strict=True, **options)


def test_chunks_are_drawn_as_ever_where_nothing_is_bad(tmp_path: Path) -> None:
    chunks = set_up(write_musdb18hq(tmp_path / "hq"), seed=7).train_chunks
    assert chunks is not None
    for number in (0, 5, 10**9):
        rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(number,)))
        track = chunks.tracks[rng.integers(3, size=4)[0]]
        start = int(rng.random((4, 4))[0, 0] * (track.frames - 400 + 1))
        assert np.array_equal(chunks[number].references[1].numpy(), track.read("drums", start, 400))


def test_two_bad_tracks_of_three(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    data = set_up(root, remix=True)
    for song in ("Song 0", "Song 2"):
        (root / "train" / song / "other.wav").unlink()
    with pytest.warns(UserWarning, match="is dropped"):
        assert len(epoch(data)) == 24
    assert [each["track"] for each in data.training_data()["dropped"]] == ["Song 0", "Song 2"]


@pytest.mark.parametrize("workers", [0, 2])
def test_no_track_is_left(tmp_path: Path, workers: int) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    data = set_up(root, workers=workers)
    shutil.rmtree(root / "train")
    with pytest.raises(ValueError, match=r"^no track is left to train on, each of 3 is bad, as /.*wav has been"):
        epoch(data)
    data.teardown("fit")


@pytest.mark.parametrize("workers", [0, 1])
def test_validation_goes_on_with_other_tracks(tmp_path: Path, workers: int) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    shutil.copytree(root / "train" / "Song 0", root / "valid" / "Song 4")
    data = set_up(root, workers=workers)
    before = [mixture for batch in data.val_dataloader() for mixture in batch[0]]
    data.teardown("fit")
    path = root / "valid" / "Song 3" / "bass.wav"
    plant_nan(path, slice(7000, 7001))
    data = set_up(root, workers=workers)
    assert data.valid_chunks is not None
    bad = next(i for i, (track, start) in enumerate(data.valid_chunks._places) if start <= 7000 < start + 400)
    other = next(i for i, (track, _) in enumerate(data.valid_chunks._places) if track.track.name == "Song 4")
    with pytest.warns(UserWarning, match="track 'Song 3' of split 'valid' is dropped: .*bass.wav holds NaN"):
        after = [mixture for batch in data.val_dataloader() for mixture in batch[0]]
    data.teardown("fit")
    assert len(after) == len(before)
    torch.testing.assert_close(after[bad], before[other], rtol=0, atol=0)
    for i in set(range(len(before))) - {bad}:
        torch.testing.assert_close(after[i], before[i], rtol=0, atol=0)
    assert [(each["split"], each["track"]) for each in data.training_data()["dropped"]] == [("valid", "Song 3")]
    shutil.rmtree(root / "valid")
    with pytest.raises(ValueError, match=r"^no track is left to validate on, each of 2 is bad, as /.*wav has been"):
        list(data.val_dataloader())
    data.teardown("fit")


def test_with_strict_validation_passes_nothing_over(tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    data = set_up(root, strict=True)
    path = root / "valid" / "Song 3" / "bass.wav"
    plant_nan(path, slice(7000, 7001))
    with pytest.raises(ValueError, match=rf"^{path} holds NaN or infinity between 0.850 s and 0.900 s: download"):
        list(data.val_dataloader())
    with pytest.raises(ValueError, match=rf"^{path} holds NaN or infinity"):
        set_up(root, memory_gb=1, strict=True)


# Slips in our own code


def slip(*_: object, **__: object) -> Any:
    """A ValueError of numpy, with nothing wrong in any file."""
    return np.zeros(3).reshape(2, 2)


def test_a_slip_in_checking_drops_no_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    monkeypatch.setattr("msbench.data.track.Track.check", slip)
    with pytest.raises(ValueError, match="cannot reshape") as raised:
        set_up(root)
    assert is_bug(raised.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_slip_in_reading_drops_no_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    data = set_up(write_musdb18hq(tmp_path / "hq"), workers=workers)
    monkeypatch.setattr("msbench.data.track.read_samples", slip)
    with pytest.raises(ValueError, match="cannot reshape") as raised:
        epoch(data)
    data.teardown("fit")
    assert is_bug(raised.value)
    assert data.training_data()["dropped"] == []


# The record


def test_what_was_dropped_is_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs")
    flags = {
        "name": "tiny",
        "data.dataset": "folder",
        "data.root": "songs",
        "data.chunk_seconds": "0.25",
        "data.chunks_per_epoch": "8",
        "data.batch_size": "2",
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.accelerator": "cpu",
        "output": "run",
        "data.memory_gb": "0",
    }
    command = [part for key, value in flags.items() for part in (f"--{key}", value)]
    path = tmp_path / "songs" / "train" / "song 1" / "voice.wav"
    whole = path.read_bytes()
    plant_nan(path, slice(None))
    with pytest.warns(UserWarning, match="'song 1' of split 'train' is dropped"):
        fit([*command, "--trainer.max_epochs", "1"])
    path.write_bytes(whole)  # it was missed all the same
    fit([*command, "--trainer.max_epochs", "2"])
    training = torch.load("run/last.ckpt", weights_only=True)["training"]
    reason = training["dropped"][0].pop("reason")
    assert training["dropped"] == [{"split": "train", "track": "song 1"}]
    assert reason.startswith("train/song 1/voice.wav holds NaN or infinity between ")
    assert main(["evaluate", "run/last.ckpt", "--data", "folder", "--root", "songs", "-o", "out"]) == 0
    record = json.loads(Path("out/record.json").read_text())
    assert record["training"]["dropped"][0]["reason"] == reason
    validate(record, "it")
    record["training"]["dropped"] = [{"track": "song 1"}]
    with pytest.raises(ValueError, match="dropped"):
        validate(record, "it")
    cut(path)
    with pytest.raises(ValueError, match=r"voice.wav is cut short"):
        fit([*command, "--trainer.max_epochs", "3", "--data.strict", "true"])


def test_evaluation_drops_nothing(tmp_path: Path, capsys: Any) -> None:
    root = write_musdb18hq(tmp_path / "hq", test=2)
    (root / "test" / "Song 4" / "bass.wav").write_bytes(b"")
    assert main(["evaluate", "mixture", "--data", "musdb18hq", "--root", str(root), "-o", str(tmp_path / "out")]) == 2
    assert "bass.wav has zero length" in capsys.readouterr().err


def test_ranks_tell_what_each_has_met(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = ({"split": "train", "track": name, "reason": "gone"} for name in ("b", "a"))
    ranks = [{"tracks": 3, "dropped": [one]}, {"tracks": 3, "dropped": [one, two]}]
    monkeypatch.setattr("msbench.training.module.gathered", lambda described: ranks)
    assert _of_all_ranks(ranks[0]) == {"tracks": 3, "dropped": [two, one]}
