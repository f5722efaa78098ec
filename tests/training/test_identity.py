"""The hash in the name of a run's folder; tests/data/loading/test_module.py holds it to that of the first version."""

from __future__ import annotations

from msbench import registry
from msbench.model.constructor import parameters_of
from msbench.training.identity import LATER, completed, counted, identity_of


def test_what_changes_no_weight_has_no_part() -> None:
    settings = {
        "name": "unet",
        "data": {"workers": 2, "seed": 0, "extra_root": "there"},
        "output": "here",
        "trainer": {"max_epochs": 3},
    }
    same = {"name": "unet", "data": {"workers": 0, "seed": 0}, "output": "there", "trainer": {"max_epochs": 3}}
    assert identity_of(settings) == identity_of(same)
    assert identity_of(settings) != identity_of({**settings, "data": {"workers": 2, "seed": 1}})
    assert settings["output"] == "here"  # what is given stays as it is


def test_a_setting_that_came_later_has_no_part_until_it_is_used() -> None:
    settings = {"name": "demucs", "separator": {"version": "v1"}, "data": {}, "trainer": {}}
    before = identity_of(settings)
    assert identity_of({**settings, "init_from": None, "separator": {"version": "v1", "normalize": None}}) == before
    assert identity_of({**settings, "separator": {"version": "v1", "normalize": True}}) != before


def test_a_field_that_came_later_counts_where_it_changes_something() -> None:
    before = {"name": "unet", "data": {"seed": 0}, "early_stopping": None}
    now = {**before, "init_from": None, "data": {"seed": 0, "gain": None, "remix_share": 1.0, "extra": None}}
    assert identity_of(now) == identity_of(before)
    assert counted(now) == before
    for data in ({"seed": 0, "gain": [0.25, 1.25]}, {"seed": 0, "extra": ["ccmixter"]}, {"seed": 0, "tracks": 2}):
        assert identity_of({**before, "data": data}) != identity_of(before)
    fields = {field.removeprefix("data."): value for field, value in LATER.items() if field.startswith("data.")}
    assert completed(before)["data"] == {"seed": 0, **fields}
    assert completed({"trainer": {"max_epochs": 3}}) == {"trainer": {"max_epochs": 3}}


# The networks of which there are runs from before one of these settings. Later ones came with all of theirs.
BEFORE = ("complex_unet", "conv_tasnet", "deep_karaoke", "demucs", "film_unet", "unet", "wave_unet")


def test_each_later_setting_is_at_its_default_what_was_done_before() -> None:
    later = {key.removeprefix("separator."): value for key, value in LATER.items() if key.startswith("separator.")}
    seen = set()
    some = {"deep_clustering": {"beta"}, "scnet": {"chunk_seconds", "normalization"}}  # layers of the former: a number
    some["hdemucs"] = {"deep_norm", "late_spectrum", "spectrum", "splits"}
    for name in (*BEFORE, *some):
        options = parameters_of(registry.load("models", name))
        own = some.get(name, later.keys())
        for option in own & options.keys():
            assert options[option].default == later[option], f"{name}: {option}"
            seen.add(option)
    assert seen == later.keys()
