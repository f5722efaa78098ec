"""Every field of a suite file, with each wrong type, is refused in a sentence before anything is looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.metrics.bsseval.score import BACKENDS
from msbench.runs import suite_file
from msbench.runs.model_entry import ModelEntry
from msbench.runs.naming import name_cells
from msbench.runs.resources import Resources
from msbench.runs.settings import InferenceSettings, LogSettings
from msbench.runs.suite import read_suite
from msbench.runs.suite_file import SuiteFile, read_suite_file

WRONG_TEXT = ["[a]", "{a: b}", "' '", '"a\\x1b[2Jb"', "!!binary YQ=="]
WRONG_RESOURCES = {
    "nodes": ["0", "1.0", "two", "true", "[1]"],
    "gpus": ["-1", "1.5", "two", "true", "{a: 1}"],
    "cpus": ["0", "2.5", "all", "false"],
    "memory_gb": ["0", "-1", ".nan", ".inf", "much", "true", "[1]"],
    "hours": ["0", "-1", ".nan", ".inf", "long", "true", "2024-01-01"],
}
WRONG_INFERENCE = {
    "chunk_seconds": ["0", "-1", ".nan", ".inf", "long", "true"],
    "overlap": ["-0.1", "0.96", ".nan", "half", "true"],
    "batch_size": ["0", "1.5", "some", "true"],
    "window": ["square", "7", "[hann]"],
    "shifts": ["-1", "101", "1.5", "some", "true"],
    "tta": ["swap", "[7]", "[mirror]", "[swap, swap]"],
    "precision": ["float64", "32", "[bf16]"],
    "compile": ["7", "some", "[true]"],
}
WRONG = {
    "datasets": ["demo", "[]", "7", "{demo: 1}"],
    "datasets[1]": ["[demo]", "''", '"a\\tb"'],
    "models": ["unet_small", "[]", "{recipe: unet_small}"],
    "models[1]": ["[unet_small]", "''", "{}", "{label: a}"],
    "board": WRONG_TEXT,
    "title": WRONG_TEXT,
    "seeds": ["3", "a", "{a: 1}", "true", "[1, 1]"],
    "seeds[1]": ["a", "1.5", "-1", "true", "4294967296", "[1]"],
    "roots": ["here", "[here]", "7", "{'': here}"],
    "roots.demo": WRONG_TEXT,
    "split": WRONG_TEXT,
    "backend": ["slow", "7", "true", "[fast]"],
    "resources": ["5", "much", "[gpus]"],
    **{f"resources.{name}": wrong for name, wrong in WRONG_RESOURCES.items()},
    "excerpts": ["true", "1.5", "some", "-1", "[1]"],
    "metrics": ["snr", "7", "{snr: 1}", "[snr, snr]"],
    "metrics[1]": ["7", "true", "[snr]"],
    "scenario": ["vocals", "[vocals]", "[vocals, vocals]", "{vocals: bass}"],
    "scenario[1]": ["[bass]", "''"],
    "pooled": ["7", "some", "[true]"],
    "models[1].recipe": WRONG_TEXT,
    "models[1].model": WRONG_TEXT,
    "models[1].checkpoint": WRONG_TEXT,
    "models[1].weights": WRONG_TEXT,
    "models[1].scenario": ["vocals", "[vocals]", "[vocals, vocals]", "7"],
    "models[1].label": WRONG_TEXT,
    "models[1].study": WRONG_TEXT,
    "models[1].sweep": ["[1, 2]", "7", "text", "{}"],
    "models[1].sweep.separator.depth": ["3", "[]", "{}", "text", "[2024-01-01]", "{a: 2024-01-01}"],
    "models[1].sweep.recipe": ["[7]", "{a: 7}"],
    "models[1].sweep.inference.overlap": ["[0.96]", "[-1]", "[.nan]", "[some]", "{a: true}"],
    "models[1].zip": ["[1, 2]", "7", "text", "{}"],
    "models[1].zip.separator.depth": ["3", "[]", "{}"],
    "models[1].baseline": ["[a]", "{}", "{1: a}", "{a: 2024-01-01}", "' '"],
    "models[1].inference": ["[1, 2]", "7", "text"],
    **{f"models[1].inference.{name}": wrong for name, wrong in WRONG_INFERENCE.items()},
    "inference": ["[1, 2]", "7", "text"],
    **{f"inference.{name}": wrong for name, wrong in WRONG_INFERENCE.items()},
    "log": ["[tensorboard]", "7", "text"],
    "log.wandb": ["maybe", "7", "true"],
    "log.wandb_project": WRONG_TEXT,
    "log.tensorboard": ["7", "some", "[true]"],
    "models[1].set": ["[1, 2]", "7", "text", "true", "{1: a}", "{'': a}"],
    "models[1].set.data.root": ["2024-01-01", "[a, {b: 2024-01-01}]"],
    "models[1].resources": ["5", "[gpus]"],
    **{f"models[1].resources.{name}": wrong for name, wrong in WRONG_RESOURCES.items()},
}
# The line of a suite in which a value stands in the place of the field.
LINES = {
    "datasets[1]": "datasets: [demo, {}]",
    "models[1]": "models: [mixture, {}]",
    "seeds[1]": "seeds: [0, {}]",
    "roots.demo": "roots: {{demo: {}}}",
    "metrics[1]": "metrics: [si-sdr, {}]",
    "scenario[1]": "scenario: [vocals, {}]",
    "models[1].set.data.root": "models: [mixture, {{model: mixture, set: {{data.root: {}}}}}]",
    "models[1].recipe": "models: [mixture, {{recipe: {}}}]",
    "models[1].sweep.separator.depth": "models: [mixture, {{model: mixture, sweep: {{separator.depth: {}}}}}]",
    "models[1].sweep.recipe": "models: [mixture, {{study: a, sweep: {{recipe: {}}}}}]",
    "models[1].sweep.inference.overlap": "models: [mixture, {{model: mixture, sweep: {{inference.overlap: {}}}}}]",
    "models[1].zip.separator.depth": "models: [mixture, {{model: mixture, zip: {{separator.depth: {}}}}}]",
}
CASES = [(field, value) for field, values in WRONG.items() for value in values]


def line_of(field: str, value: str) -> str:
    if field in LINES:
        return LINES[field].format(value)
    if not field.startswith("models["):
        *outer, inner = field.split(".")
        return f"{outer[0]}: {{{inner}: {value}}}" if outer else f"{inner}: {value}"
    *outer, inner = field.removeprefix("models[1].").split(".")
    own = f"{outer[0]}: {{{inner}: {value}}}" if outer else f"{inner}: {value}"
    return f"models: [mixture, {{{'' if inner == 'model' else 'model: mixture, '}{own}}}]"


def write(folder: Path, line: str) -> Path:
    """A suite that is right but for one line."""
    lines = {"datasets": "datasets: [demo]", "models": "models: [mixture]"}
    lines[line.partition(":")[0]] = line
    path = folder / "suite.yaml"
    path.write_text("\n".join(lines.values()) + "\n")
    return path


@pytest.mark.parametrize(("field", "value"), CASES, ids=[f"{field}: {value}" for field, value in CASES])
def test_a_wrong_type_is_told_by_file_field_and_value(tmp_path: Path, field: str, value: str) -> None:
    path = write(tmp_path, line_of(field, value))
    with pytest.raises(ValueError, match=r" must be | must hold fields|needs `recipe:`|twice") as caught:
        read_suite_file(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: field '{field}")
    assert "\n" not in said
    assert re.search(r", not \S|and has |is no key of it|once is enough", said), said


def test_the_table_holds_every_field() -> None:
    own = {field.name for field in fields(SuiteFile)} - {"path", "studies"}
    entry = {f"models[1].{field.name}" for field in fields(ModelEntry)} - {
        f"models[1].{own}" for own in ("bare", "where", "factors")
    }
    resources = {f"{where}resources.{field.name}" for where in ("", "models[1].") for field in fields(Resources)}
    inference = {
        f"{where}inference.{field.name}" for where in ("", "models[1].") for field in fields(InferenceSettings)
    }
    log = {f"log.{field.name}" for field in fields(LogSettings)}
    assert own | entry | resources | inference | log <= set(WRONG)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("model: [mixture]", "unknown field 'model'. Did you mean models? The fields are datasets, models"),
        ("models: [{modle: mixture}]", "unknown field 'models[0].modle'. Did you mean model?"),
        ("resources: {gpu: 2}", "unknown field 'resources.gpu'. Did you mean gpus or cpus? The fields are nodes, gpus"),
        ("1: 2", "unknown field '1'. The fields are"),
        ("backend: musevel", "must be one of fast, museval, not 'musevel'. Did you mean museval?"),
        ("metrics: [7]", "field 'metrics[0]' must be text, not 7: put it in quotes"),
        ("datasets: [demo, demo]", "field 'datasets' lists 'demo' twice: once is enough"),
        ("excerpts: 0x" + "f" * 5000, "a number of 5002 characters is too long"),
        ("excerpts: 99999999999999999999", "field 'excerpts' must be a whole number of at least 0"),
        ("models: [mixture]\nsplit: a\nmodels: [unet]", "line 4: the key 'models' comes twice"),
        ("models: [{model: unet, set: {output: /tmp/x}}]", "'output' cannot be set in a suite"),
        ("models: [{model: unet, set: {config: a.yaml}}]", "'config' cannot be set in a suite"),
        ("models: [{model: unet, set: {'output=/tmp/x': 1}}]", "'output=/tmp/x' is no name of a setting"),
        ("models: [{model: unet, set: {'-c': 1}}]", "'-c' is no name of a setting"),
        (
            "models: [{model: unet, set: {a.b: '" + "[" * 100 + "'}}]",
            "line 1: values lie more than 64 levels",
        ),
        ("seeds: 3", "field 'seeds' must be a list of seeds, as [0, 1, 2], not 3"),
        ("seeds: [1.5]", "field 'seeds[0]' must be a whole number from 0 to 4294967295, not 1.5"),
        ("models: [{model: mixture, set: [1, 2]}]", "must be a mapping of settings, as {trainer.max_epochs: 100}"),
    ],
)
def test_what_may_be_is_said(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_suite_file(write(tmp_path, line))


def test_a_suite_is_checked_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(write(tmp_path, "backend: slow"))]) == 2
    assert "field 'backend' must be one of fast, museval" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"]


@pytest.mark.parametrize("content", ["", "[]", "text", "3"])
def test_a_file_without_fields(tmp_path: Path, content: str) -> None:
    (tmp_path / "suite.yaml").write_text(content)
    with pytest.raises(ValueError, match="must hold fields"):
        read_suite_file(tmp_path)


def test_fields_left_empty_keep_their_defaults(tmp_path: Path) -> None:
    optional = [
        field.name for field in fields(SuiteFile) if field.name not in ("path", "datasets", "models", "studies")
    ]
    text = "".join(f"{name}:\n" for name in optional) + "datasets: [demo]\nmodels: [mixture]\n"
    (tmp_path / "suite.yaml").write_text(text)
    file = read_suite_file(tmp_path)
    assert (file.split, file.backend, file.excerpts, file.metrics, file.resources) == ("test", "fast", 0, None, {})
    assert file.seeds_of(trained=True) == (0,)
    assert file.seeds_of(trained=False) == (None,)
    assert (file.board_name, file.board_title) == (tmp_path.name, tmp_path.name)


def test_the_backends_are_those_of_the_metric() -> None:
    assert suite_file.BACKENDS == BACKENDS


def test_a_suite_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"give the path of a suite.yaml"):
        read_suite_file(tmp_path)


@pytest.mark.parametrize("name", ["1", "007", "1.50", "2024-01-05", "no", "true", "0x1F", "1:30", "1e3"])
def test_names_are_the_text_that_stands_there(tmp_path: Path, name: str) -> None:
    text = f"""
board: {name}
title: {name}
split: {name}
datasets: [{name}]
roots: {{{name}: {name}}}
models:
  - {{model: {name}, label: {name}}}
  - {{recipe: {name}, checkpoint: {name}, set: {{a: 007}}}}
  - {name}
"""
    (tmp_path / "suite.yaml").write_text(text)
    file = read_suite_file(tmp_path)
    assert (file.board, file.title, file.split, file.datasets, file.roots) == (name, name, name, (name,), {name: name})
    first, second, third = file.models
    assert (first.model, first.label) == (name, name)
    assert (second.recipe, second.checkpoint, second.set) == (name, name, {"a": 7})
    assert third.bare == name


HOSTILE = {
    "../../x": "begins with a dot",
    "a/../b": "holds a slash",
    "/etc": "holds a slash",
    "a\\b": "holds a slash",
    "..": "begins with a dot",
    "x" * 181: "is longer than 180 bytes",
    "ü" * 91: "is longer than 180 bytes",
    "a\nb": "without control characters",
    "a\0b": "without control characters",
    "\x1b]0;x\x07": "without control characters",
}


@pytest.mark.parametrize(
    "line", ["board: {}", "split: {}", "datasets: [{}]", "models: [{{model: mixture, label: {}}}]"]
)
@pytest.mark.parametrize("name", list(HOSTILE))
def test_names_that_would_be_paths_are_refused(tmp_path: Path, line: str, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(HOSTILE[name])) as caught:
        read_suite_file(write(tmp_path, line.format(json.dumps(name))))
    assert str(caught.value).startswith(f"{tmp_path}/suite.yaml: field '")
    assert str(caught.value).isprintable()


def test_a_title_of_several_lines(tmp_path: Path) -> None:
    assert read_suite_file(write(tmp_path, "title: >\n  A board\n  of mine\n")).title == "A board of mine"


@pytest.mark.parametrize("read", [read_suite, name_cells])
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "models: [mixture, {model: mixture_share, label: mixture}]",
            "models[0] and models[1] are both called",
        ),
        ("models: [mixture, mixture]", "both called 'mixture': give each a `label` of its own"),
        ("models: [{model: mixture, label: 1}, {model: unet, checkpoint: c, label: '1'}]", "are both called '1'"),
        (
            "models: [{model: mixture, label: " + "a" * 180 + "}]\ndatasets: [" + "d" * 60 + "]",
            "too long for the name of",
        ),
        ("models: [../../x]", "unknown model '../../x'|the label '../../x' begins with a dot"),
        ("models: [{recipe: ..}]", "no recipe '..'|the label '..' begins with a dot"),
    ],
)
def test_labels_that_cannot_be(tmp_path: Path, read: Callable[[Path], object], lines: str, said: str) -> None:
    (tmp_path / "c").touch()
    path = tmp_path / "suite.yaml"
    path.write_text(lines + ("" if "datasets" in lines else "\ndatasets: [demo]"))
    if "datasets" in lines and read is read_suite:
        said = "unknown dataset 'ddd"
    with pytest.raises((ValueError, FileNotFoundError), match="|".join(map(re.escape, said.split("|")))):
        read(path)
