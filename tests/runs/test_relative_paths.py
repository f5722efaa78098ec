"""Relative paths begin at the file that holds them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import yaml

from msbench.runs.relative_paths import beginning_at, with_paths
from msbench.runs.suite import read_suite
from msbench.training.recipes import request


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite and a recipe in a folder that is not the working folder."""
    warnings.simplefilter("error")
    (tmp_path / "work").mkdir()
    (tmp_path / "board" / "songs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    recipe = {"name": "unet", "data": {"root": "songs", "unlabelled": "more"}}
    (tmp_path / "board" / "r.yaml").write_text(yaml.safe_dump(recipe))
    rows = [
        {"recipe": "r.yaml"},
        {"recipe": "r.yaml", "label": "b", "set": {"data.unlabelled": "x", "a.b": "songs"}},
    ]
    (tmp_path / "board" / "suite.yaml").write_text(yaml.safe_dump({"datasets": ["demo"], "models": rows}))
    return tmp_path / "board"


def test_paths_of_recipes_and_suites(suite: Path) -> None:
    first, second = read_suite(suite).cells
    assert first.recipe == {"name": "unet", "data": {"root": f"{suite}/songs", "unlabelled": f"{suite}/more"}}
    assert second.overrides == {"data.unlabelled": f"{suite}/x", "a.b": "songs"}
    asked = request(["-c", "../board/r.yaml", "--data.root", "mine"])
    begin = ("--config", "../board/r.yaml", "--data.root", f"{suite}/songs", "--data.unlabelled", f"{suite}/more")
    assert asked.arguments == (*begin, "--data.root", "mine", "--name", "unet")


def test_names_of_cells_follow_from_the_words_alone(suite: Path) -> None:
    names = [cell.name for cell in read_suite(suite).cells]
    os.chdir(suite)
    assert [cell.name for cell in read_suite(suite).cells] == names
    assert read_suite(suite).cells[0].recipe == {"name": "unet", "data": {"root": "songs", "unlabelled": "more"}}
    assert request(["-c", "r.yaml"]).arguments == ("--config", "r.yaml", "--name", "unet")


def test_what_lies_in_the_working_folder_is_still_found_with_a_warning(suite: Path) -> None:
    Path("more").mkdir()
    with pytest.warns(FutureWarning, match=r"r.yaml: field data.unlabelled: 'more' is taken from the working folder"):
        recipe = read_suite(suite).cells[0].recipe
    assert recipe is not None
    assert recipe["data"]["unlabelled"] == "more"
    Path("songs").mkdir()
    with pytest.warns(FutureWarning, match=r"'songs' is now .*board/songs, next to this file, not .*work/songs"):
        assert beginning_at(suite / "r.yaml", "songs", "data.root") == f"{suite}/songs"


def test_a_recipe_of_the_working_folder(suite: Path) -> None:
    Path("own.yaml").write_text("name: unet\n")
    (suite / "suite.yaml").write_text("datasets: [demo]\nmodels: [own.yaml]\n")
    with pytest.warns(FutureWarning, match=r"suite.yaml: field recipe: 'own.yaml' is taken from the working folder"):
        assert read_suite(suite).cells[0].label == "own"


def test_absolute_paths_stay(suite: Path) -> None:
    assert beginning_at(suite / "r.yaml", "/data/x", "data.root") == "/data/x"


def test_the_folder_of_further_datasets_begins_at_the_recipe(suite: Path) -> None:
    recipe = with_paths({"data": {"extra": ["ccmixter"], "extra_root": "sets"}}, suite / "r.yaml")
    assert recipe["data"] == {"extra": ["ccmixter"], "extra_root": f"{suite}/sets"}


def test_the_members_of_an_ensemble(suite: Path) -> None:
    members = ["runs/a/best.ckpt", "b.ckpt", "mixture", "/c.ckpt"]
    rows = [{"model": "ensemble", "set": {"separator.members": members}}]
    (suite / "suite.yaml").write_text(yaml.safe_dump({"datasets": ["demo"], "models": rows}))
    (cell,) = read_suite(suite).cells
    expected = [f"{suite}/runs/a/best.ckpt", f"{suite}/b.ckpt", "mixture", "/c.ckpt"]
    assert cell.overrides == {"separator.members": expected}
