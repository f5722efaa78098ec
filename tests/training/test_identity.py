"""The hash in the name of a run's folder; tests/data/loading/test_module.py holds it to that of the first version."""

from __future__ import annotations

from msbench.training.identity import identity_of


def test_what_changes_no_weight_has_no_part() -> None:
    settings = {"name": "unet", "data": {"workers": 2, "seed": 0}, "output": "here", "trainer": {"max_epochs": 3}}
    same = {"name": "unet", "data": {"workers": 0, "seed": 0}, "output": "there", "trainer": {"max_epochs": 3}}
    assert identity_of(settings) == identity_of(same)
    assert identity_of(settings) != identity_of({**settings, "data": {"workers": 2, "seed": 1}})
    assert settings["output"] == "here"  # what is given stays as it is


def test_a_setting_that_came_later_has_no_part_until_it_is_used() -> None:
    settings = {"name": "demucs", "separator": {"version": "v1"}, "data": {}, "trainer": {}}
    before = identity_of(settings)
    assert identity_of({**settings, "init_from": None, "separator": {"version": "v1", "normalize": None}}) == before
    assert identity_of({**settings, "separator": {"version": "v1", "normalize": True}}) != before
