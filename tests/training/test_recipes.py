"""Recipes as `msbench fit` reads them: which model is meant, and which file a field is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.training.recipes import request


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("name: unet\ndata: {batch_size: 3, root: x}\n")
    Path("b.yaml").write_text("data: {batch_size: 4}\n")
    return tmp_path


def test_a_recipe_names_the_model() -> None:
    asked = request(["-c", "a.yaml", "--config=b.yaml", "--trainer.max_epochs", "1"])
    assert asked.name == "unet"
    assert asked.arguments == (
        *("--config", "a.yaml", "--config", "b.yaml", "--trainer.max_epochs", "1", "--name", "unet"),
    )
    assert request(["-c", "a.yaml", "--name", "demucs"]).name == "demucs"


def test_a_registered_recipe_goes_by_its_name() -> None:
    asked = request(["-c", "unet_small"])
    assert asked.name == "unet"
    assert Path(asked.arguments[1]).name == "unet_small.yaml"


def test_a_field_is_told_with_the_last_recipe_that_holds_it() -> None:
    asked = request(["-c", "a.yaml", "-c", "b.yaml", "--data.gain_db", "1"])
    assert asked.place_of("data.batch_size") == "b.yaml: "
    assert asked.place_of("data.root") == "a.yaml: "
    assert asked.place_of("data.gain_db") == asked.place_of("data.seed") == ""
    assert request(["-c", "a.yaml", "--data.root=y"]).place_of("data.root") == ""


@pytest.mark.parametrize(
    ("recipes", "flags", "on"),
    [
        (["patience: 5"], [], True),
        (["null"], [], False),
        (["patience: 5", "null"], [], False),
        (["null", "patience: 5"], [], True),
        (["null"], ["--early_stopping.patience", "3"], True),
        (["null"], ["--early_stopping.patience=3"], True),
        (["patience: 5"], ["--early_stopping", "null"], False),
        (["patience: 5"], ["--early_stopping.patience", "3", "--early_stopping=null"], False),
    ],
)
def test_the_last_word_says_whether_a_run_stops_early(recipes: list[str], flags: list[str], on: bool) -> None:
    given = []
    for number, content in enumerate(recipes):
        Path(f"{number}.yaml").write_text(
            f"name: unet\nearly_stopping: {content if content == 'null' else {'patience': 5}}\n"
        )
        given += ["-c", f"{number}.yaml"]
    assert request([*given, *flags]).stops_early is on
    assert request(["-c", "a.yaml"]).stops_early


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "c.yaml is no recipe: it must hold fields"),
        ("- a\n", "c.yaml is no recipe: it must hold fields"),
        ("name: 3\n", "c.yaml: field name must be the name of a model, not 3"),
        ("name: unet\ntrainer: 3\n", "c.yaml: field trainer must hold fields of its own, not 3"),
        ("name: [\n", "c.yaml is not YAML"),
        ("data: {}\n", "no model named: give a recipe"),
    ],
)
def test_what_is_no_recipe(content: str, sentence: str) -> None:
    Path("c.yaml").write_text(content)
    with pytest.raises(ValueError, match=sentence):
        request(["-c", "c.yaml"])
