"""A sweep is the entries that one would write by hand: the same cells, by the same names."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from msbench.runs.naming import name_cells
from msbench.runs.suite import Suite, read_suite

RECIPE = "name: unet\ntrainer: {max_epochs: 2}\n"


def suite_of(folder: Path, *entries: str, yes: bool = True) -> Suite:
    """A suite of these entries, in YAML."""
    for name in ("tiny", "other"):
        (folder / f"{name}.yaml").write_text(RECIPE)
    models = [yaml.safe_load(entry) for entry in entries]
    (folder / "suite.yaml").write_text(yaml.safe_dump({"datasets": ["demo"], "models": models}, sort_keys=False))
    return read_suite(folder, yes)


def labels(suite: Suite) -> list[str]:
    return [cell.label for cell in suite.cells]


def test_a_sweep_is_the_cells_that_stand_there_by_hand(tmp_path: Path) -> None:
    swept = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, label: 'd{separator.depth}-{separator.skip}', set: {trainer.max_epochs: 3}, "
        "sweep: {separator.depth: [3, 4], separator.skip: [true, false]}, resources: {hours: 2}}",
    ).cells
    by_hand = suite_of(
        tmp_path,
        *(
            f"{{recipe: tiny.yaml, label: d{depth}-{skip}, resources: {{hours: 2}}, "
            f"set: {{separator.skip: {skip}, trainer.max_epochs: 3, separator.depth: {depth}}}}}"
            for depth in (3, 4)
            for skip in ("true", "false")
        ),
    ).cells
    assert [cell.name for cell in swept] == [cell.name for cell in by_hand]
    for one, other in zip(swept, by_hand, strict=True):
        assert (one.overrides, one.resources, one.recipe) == (other.overrides, other.resources, other.recipe)


def test_a_board_knows_the_cells_and_studies_of_its_suite(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "{recipe: tiny.yaml, sweep: {separator.depth: [3, 4], inference.overlap: [0, 0.5]}}")
    named = name_cells(tmp_path)
    assert [cell.name for cell in suite.cells] == [cell.name for cell in named.cells]
    assert suite.studies == named.studies


def test_factors_of_zip_go_in_step_and_change_fastest(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, sweep: {a.depth: [1, 2]}, zip: {data.batch_size: [4, 8], data.chunks: [120, 60]}}",
    )
    assert labels(suite) == [
        "tiny-depth1-batch_size4-chunks120",
        "tiny-depth1-batch_size8-chunks60",
        "tiny-depth2-batch_size4-chunks120",
        "tiny-depth2-batch_size8-chunks60",
    ]
    assert suite.cells[1].overrides == {"a.depth": 1, "data.batch_size": 8, "data.chunks": 60}


def test_values_with_names_and_factors_of_several_settings(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, sweep: {data.stretch: {none: null, some: [0.7, 1.3]}, "
        "augmentation: {plain: {}, all: {data.gain: [1, 2], data.batch_size: 3, inference.overlap: 0.5}}}}",
    )
    first, second, third, last = suite.cells
    assert (first.label, first.overrides) == ("tiny-stretch_none-augmentation_plain", {"data.stretch": None})
    assert second.label == "tiny-stretch_none-augmentation_all"
    assert (third.label, third.overrides) == ("tiny-stretch_some-augmentation_plain", {"data.stretch": [0.7, 1.3]})
    assert last.overrides == {"data.stretch": [0.7, 1.3], "data.gain": [1, 2], "data.batch_size": 3}
    assert (third.inference, last.inference) == ({}, {"overlap": 0.5})
    assert last.factors == {"data.stretch": "some", "augmentation": "all"}


def test_recipes_models_and_inference_are_swept(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{study: nets, sweep: {recipe: [tiny.yaml, other.yaml], inference.overlap: [0.1, 0.5]}}",
        "{study: floors, sweep: {model: {none: mixture, share: mixture_share}}, inference: {batch_size: 2}}",
    )
    assert labels(suite) == [
        "tiny-overlap0.1",
        "tiny-overlap0.5",
        "other-overlap0.1",
        "other-overlap0.5",
        "none",
        "share",
    ]
    assert suite.cells[1].inference == {"overlap": 0.5}
    assert suite.cells[1].recipe == yaml.safe_load(RECIPE)
    assert (suite.cells[5].model, suite.cells[5].inference) == ("mixture_share", {"batch_size": 2})
    assert len({cell.identity for cell in suite.cells}) == 4  # both recipes say the same


@pytest.mark.parametrize(
    ("sweep", "made"),
    [
        ("{a.x: [1, 0.001, -3]}", ["x1", "x0.001", "x-3"]),
        ("{a.x: [true, null, some]}", ["x_true", "x_none", "x_some"]),
        ("{a.x: [[0.7, 1.3], [a, true]]}", ["x_0.7_1.3", "x_a_true"]),
        ("{a.x: [1], b.x: [2, 3], c.y: [4]}", ["a.x1-b.x2-y4", "a.x1-b.x3-y4"]),
        ("{x: [1, 2], a.x: [3]}", ["x1-a.x3", "x2-a.x3"]),
    ],
)
def test_labels_by_default(tmp_path: Path, sweep: str, made: list[str]) -> None:
    suite = suite_of(tmp_path, f"{{recipe: tiny.yaml, sweep: {sweep}}}")
    assert labels(suite) == [f"tiny-{end}" for end in made]


def test_a_label_names_what_is_swept_or_set(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        "{recipe: tiny.yaml, sweep: {a.x: {few: 1, many: 2}}, set: {a.y: 3}, inference: {overlap: 0.1}, "
        "label: '{a.x}_{a.y} {inference.overlap} {recipe}{'}",
    )
    assert labels(suite) == ["few_3 0.1 tiny{", "many_3 0.1 tiny{"]
    assert labels(suite_of(tmp_path, "{recipe: tiny.yaml, label: 'a{b}', set: {a.y: 3}}")) == ["a{b}"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("sweep: {a.x: [1, 1]}", "field 'models[0].sweep.a.x' has 1 twice: once is enough"),
        ("sweep: {a: {b: {c.d: 1}, e: {c.d: 1}}}", "field 'models[0].sweep.a' has 'e' twice"),
        ("zip: {a.x: [1, 1], a.y: [2, 2]}", "field 'models[0].zip' has [1, 2] twice"),
        ("zip: {a.x: [1, 2], a.y: [2]}", "they are not of one length: a.x has 2, a.y has 1"),
        ("sweep: {a.x: [1, 2]}, set: {a.x: 1}", "a.x stands in `set` and in `sweep.a.x`: leave one out"),
        ("sweep: {a.x: [1, 2]}, zip: {a.x: [1, 2]}", "a.x stands in `sweep.a.x` and in `zip.a.x`"),
        ("sweep: {a.x: [1, 2], b: {c: {a.x: 1}}}", "a.x stands in `sweep.a.x` and in `sweep.b`"),
        ("sweep: {recipe: [tiny.yaml, other.yaml]}", "recipe stands in `recipe` and in `sweep.recipe`"),
        (
            "sweep: {inference.overlap: [0, 0.1]}, inference: {overlap: 0}",
            "inference.overlap stands in `inference` and in",
        ),
        ("sweep: {a.x: [1, 2]}, label: one", "2 cells are called 'one': name in it {a.x}"),
        ("sweep: {a.x: [true, 'true']}", "2 cells are called 'tiny-x_true': name in it"),
        (
            "sweep: {a.depth: [1, 2]}, label: 'd{a.dept}'",
            "field 'models[0].label': {a.dept} is neither swept nor set. Did you mean a.depth?",
        ),
        ("sweep: {a.x: [{b: 1}, 2]}", "give each value a name, as a.x: {NAME: "),
        ("sweep: {a.x: [b/c, 2]}", "the label cannot hold 'b/c' of a.x: give each value a name"),
        ("sweep: {a.x: {b/c: 1}}", "the name of a value 'b/c' holds a slash"),
        ("sweep: {a.x: {on: 1}}", "the name True of a value must be text: put it in quotes"),
        ("sweep: {output: [a, b]}", "'output' cannot be set in a suite"),
        ("sweep: {a: {b: {output: c}}}", "field 'models[0].sweep.a.b': 'output' cannot be set in a suite"),
        (
            "sweep: {inference.overlapp: [0, 0.1]}",
            "unknown field 'models[0].sweep.inference.overlapp[0]'. Did you mean",
        ),
        ("set: {inference.overlap: 0}", "'inference.overlap' is no flag of `msbench fit`: write inference: {overlap:"),
        ("sweep: {a.x: [1]}", "the study 'tiny' has one cell alone"),
    ],
)
def test_sweeps_that_cannot_be(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "suite.yaml").write_text(f"datasets: [demo]\nmodels: [{{recipe: tiny.yaml, {entry}}}]\n")
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        name_cells(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/suite.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_swept_recipe_needs_the_name_of_a_study(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sweeps its recipe or model, so its study needs a name: add `study: NAME`"):
        suite_of(tmp_path, "{sweep: {recipe: [tiny.yaml, other.yaml]}}")
    with pytest.raises(ValueError, match="has neither a recipe nor a model at 'a d'"):
        suite_of(tmp_path, "{study: s, sweep: {a: {b: {recipe: tiny.yaml}, d: {}}}}")


def test_cells_are_counted_before_they_are_made(tmp_path: Path) -> None:
    values = [*range(1000)]
    million, billion = ({f"a.{name}": values for name in names} for names in ("xy", "xyz"))
    started = time.process_time()
    for swept, most in ((billion, "1,000,000,000"), (million, "1,000,000")):
        with pytest.raises(ValueError, match=f"its sweeps stand for {most} cells, and at most 30,000 can be"):
            suite_of(tmp_path, yaml.safe_dump({"recipe": "tiny.yaml", "sweep": swept}))
    with pytest.raises(ValueError, match=r"its sweeps stand for 1,001 cells, more than 1,000: .* or say --yes"):
        suite_of(tmp_path, yaml.safe_dump({"recipe": "tiny.yaml", "sweep": {"a.x": [*range(1001)]}}), yes=False)
    assert time.process_time() - started < 5
    assert len(suite_of(tmp_path, yaml.safe_dump({"recipe": "tiny.yaml", "sweep": {"a.x": values}}), yes=False).cells)
