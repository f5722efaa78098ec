from __future__ import annotations

from typing import Any

import pytest

from msbench.training.lineage import Lineage, joined


def trained(*datasets: str, tracks: int | None = 10, **more: Any) -> dict[str, Any]:
    return {"datasets": [*datasets], "tracks": tracks, "hours": None if tracks is None else tracks / 10, **more}


@pytest.mark.parametrize(
    ("earlier", "own", "datasets", "tracks"),
    [
        (trained("a"), trained("b", tracks=5), ["a", "b"], 15),
        (trained("a"), trained("a", tracks=9), ["a"], 10),
        (trained("a", "b"), trained("b", tracks=5), ["a", "b"], 10),
        (trained("a", "b"), trained("b", "c"), ["a", "b", "c"], None),
        (trained("a", tracks=None), trained("b"), ["a", "b"], None),
        (None, trained("b"), None, None),
        (trained("a"), None, None, None),
    ],
    ids=["others", "the same", "within", "some shared", "uncounted", "first unknown", "second unknown"],
)
def test_what_was_learned_from_is_joined(
    earlier: Any, own: Any, datasets: list[str] | None, tracks: int | None
) -> None:
    both = joined(earlier, own)
    assert both["datasets"] == datasets
    assert both["tracks"] == tracks
    assert both["hours"] == (None if tracks is None else tracks / 10)
    assert "unlabelled_hours" not in both


def test_songs_without_stems_are_counted_apart() -> None:
    both = joined(trained("a", "songs (unlabelled)", unlabelled_hours=2.0), trained("a"))
    assert (both["tracks"], both["hours"], both["unlabelled_hours"]) == (10, 1.0, 2.0)


def test_bad_tracks_of_both_are_listed_once() -> None:
    bad = {"split": "train", "track": "x", "reason": "cut short"}
    more = {"split": "train", "track": "a", "reason": "empty"}
    assert joined(trained("a", dropped=[bad]), trained("a", dropped=[bad, more]))["dropped"] == [more, bad]


def test_no_path_is_published() -> None:
    changes = [
        {"field": "trainer.precision", "before": "32-true", "after": "bf16-mixed", "step": 3},
        {"field": "trainer.profiler", "before": None, "after": {"init_args": {"dirpath": "/home/me"}}, "step": 3},
        {"field": "checkpoint.filename", "before": "best", "after": "home/me", "step": 3},
    ]
    training = Lineage(changed=changes).training(trained("a"))
    assert training is not None
    names = [{"field": name, "step": 3} for name in ("trainer.profiler", "checkpoint.filename")]
    assert training["changed"] == [changes[0], *names]


def test_a_run_of_its_own_says_no_more_than_before() -> None:
    assert Lineage({}).training(trained("a")) == trained("a")
    assert Lineage({}).training(None) is None
    assert Lineage({}).comments() == ""
