"""The hash in the name of a run's folder; tests/data/loading/test_module.py holds it to that of the first version."""

from __future__ import annotations

from msbench.training.identity import identity_of


def test_what_changes_no_weight_has_no_part() -> None:
    settings = {"name": "unet", "data": {"workers": 2, "seed": 0}, "output": "here", "trainer": {"max_epochs": 3}}
    same = {"name": "unet", "data": {"workers": 0, "seed": 0}, "output": "there", "trainer": {"max_epochs": 3}}
    assert identity_of(settings) == identity_of(same)
    assert identity_of(settings) != identity_of({**settings, "data": {"workers": 2, "seed": 1}})
    assert settings["output"] == "here"  # what is given stays as it is
