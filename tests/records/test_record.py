"""Records: what is wrong with one is said, with its file, its line and its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from msbench import records
from tests.leaderboard.boards import record


@pytest.fixture
def sound() -> dict[str, Any]:
    return record("system")


def test_a_record_is_written_and_read_without_a_change(tmp_path: Path, sound: dict[str, Any]) -> None:
    records.write(tmp_path / "record.json", sound)
    assert records.read(tmp_path / "record.json") == sound
    assert records.tier_of(sound) == "measured"
    assert records.lacking(sound) == []


def test_a_null_needs_its_reason(sound: dict[str, Any]) -> None:
    scores = sound["scores"]["song"]["voice"]
    scores["snr;channels=joint"] = None
    with pytest.raises(ValueError, match="here: song / voice / snr;channels=joint is null without a reason"):
        records.validate(sound, "here")
    scores["snr;channels=joint"] = float("nan")
    with pytest.raises(ValueError, match="snr;channels=joint is nan, not a finite number"):
        records.validate(sound, "here")


def test_a_record_that_lacks_what_its_numbers_rest_on_is_unverified(sound: dict[str, Any]) -> None:
    sound["code"]["commit"] = None
    del sound["speed"]
    assert records.lacking(sound) == ["code.commit", "speed"]
    assert records.tier_of(sound) == "unverified"
    completed = records.completed(sound)
    assert completed["tier"] == "unverified"
    assert completed["speed"]["gpu"] is None
    assert "speed" not in sound


def test_a_song_separated_whole_has_no_chunks(sound: dict[str, Any]) -> None:
    sound["inference"] |= {"chunk_seconds": None, "overlap": None}
    assert records.lacking(sound) == []


def test_a_record_may_not_claim_a_tier(sound: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="field tier: 'measured' is not one of"):
        records.validate({**sound, "tier": "measured"}, "here")


@pytest.mark.parametrize(
    ("group", "field", "value", "sentence"),
    [
        ("metric", "id", "si-sdr", "line 5: field metric.id: 'si-sdr' names no targets: end it with ;targets=vocals"),
        ("metric", "id", "x;targets=drums", "song has no scores of drums, which the metric id names"),
        ("dataset", "tracks", ["song"], "scores are of other tracks than dataset.tracks lists"),
        ("model", "role", "winner", "line 4: field model.role: 'winner' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, sound: dict[str, Any], group: str, field: str, value: Any, sentence: str
) -> None:
    content = {"schema_version": 1, "model": sound["model"], "metric": sound["metric"]} | sound
    content[group] = {**content[group], field: value}
    path = tmp_path / "record.json"
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(inner)}" for key, inner in content.items())
    path.write_text("{\n\n" + lines + "}")
    with pytest.raises(ValueError, match=sentence) as raised:
        records.read(path)
    assert str(raised.value).startswith(f"{path}, line ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff", "is not UTF-8: line 1"),
        (b"{", "line 1: Expecting property name"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
    ],
)
def test_a_file_that_is_no_record(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"not a record that can be read \(.*{sentence}.*\): delete it") as raised:
        records.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["x" * 100_000, ["x"] * 10_000, {"x": "y" * 100_000}, [["x" * 200] * 200] * 200])
def test_a_long_value_is_not_repeated_in_what_is_said(value: object) -> None:
    bad: dict[str, Any] = {**record("a"), "seed": value}
    with pytest.raises(ValueError, match=r"field seed: .* is refused: the schema says type: ") as caught:
        records.validate(bad, "a.json")
    assert len(str(caught.value)) < 600
