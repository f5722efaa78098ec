"""Catalogs of published weights: ours, a stranger's, and broken ones, all read without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from msbench import registry
from msbench.cli.app import main
from msbench.model.constructor import parameters_of
from msbench.weights import catalogue
from tests.weights.publisher import register

FILE = {"url": "https://example.org/a/b%20c.th", "sha256": "01234567"}
ENTRY = {"model": "mixture", "files": [FILE], "targets": ["vocals"], "sample_rate": 8000}
SOURCE = "from msbench import own_checkpoint as convert\n"


def test_ours_are_whole() -> None:
    assert catalogue.broken() == {}
    for weights in catalogue.known().values():
        plugin = registry.load("models", weights.model)
        assert weights.options.keys() <= parameters_of(plugin).keys(), weights.name
        assert all(file.url.startswith("https://") for file in weights.files), weights.name
        assert weights.trained_on is None or weights.trained_on.facts()["datasets"], weights.name
        assert registry.error_of(registry.find("weights", weights.family)) is None


def test_ours_are_named_in_the_licences_and_sources_that_were_read() -> None:
    for weights in catalogue.known().values():
        assert weights.licence
        assert weights.citation
        assert any(word in weights.source for word in ("github", "/", "doi:")), weights.name


def test_a_strangers_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"trained_on": {"datasets": {"musdb18": ["train", "test"]}, "private": ["my songs"], "hours": 2.5}}
    register(tmp_path, monkeypatch, {"theirs": {**ENTRY, **fields}}, SOURCE)
    weights = catalogue.find("theirs")
    assert (weights.family, weights.origin, weights.files[0].name) == ("stranger", "stranger 1.0", "b c.th")
    assert weights.trained_on is not None
    assert weights.trained_on.words == "musdb18 (train, test); my songs; 2.5 hours"
    assert weights.trained_on.facts() == {
        "datasets": ["musdb18", "my songs"],
        "splits": {"musdb18": ["train", "test"]},
        "tracks": None,
        "hours": 2.5,
    }
    with pytest.raises(KeyError, match=r"unknown weights 'their'. Did you mean theirs"):
        catalogue.find("their")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": None}, "field 'weights.w.model' must be text, not nothing"),
        ({"files": []}, "must be a list of at least one of files"),
        (
            {"files": [{"url": "ftp://a/b"}]},
            "'weights.w.files\\[0\\].url' must be an address that begins with https://",
        ),
        ({"files": [{"url": "https://a/"}]}, "the file's name '' is empty"),
        ({"files": [{"url": "https://a/%2E%2E"}]}, "the file's name '..' begins with a dot"),
        ({"files": [{**FILE, "sha256": "xyz"}]}, "must be a SHA-256 in hexadecimal"),
        ({"mix": [[1, 0]]}, "'weights.w.mix' must have a row for each file, and in it a number for each target"),
        ({"mix": [[0]]}, "gives a target no weight at all"),
        ({"trained_on": {"datasets": ["a"]}}, "must be splits by dataset"),
        ({"lisence": "x"}, "unknown field 'weights.w.lisence'"),
    ],
)
def test_a_broken_catalog_stops_no_other(
    change: dict[str, Any],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    register(tmp_path, monkeypatch, {"w": {**ENTRY, **change}}, SOURCE)
    with pytest.raises(KeyError, match=f"unknown weights 'w'.*stranger cannot be read: .*{said}"):
        catalogue.find("w")
    assert main(["list", "weights"]) == 0
    listed = capsys.readouterr().out
    assert "stranger" in listed
    assert "BROKEN: " in listed
    assert "\nhtdemucs_ft  " in listed


@pytest.mark.parametrize("text", ["", "[1]", "weights: 3", "weights: {}\nmore: 1", "a: [", "weights: {w: 3}"])
def test_a_catalog_of_another_form(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch, {}, SOURCE)
    next(tmp_path.glob("*.yaml")).write_text(text)
    assert list(catalogue.broken()) == ["stranger"]


def test_names_that_are_not_there_say_why_and_what_to_take(capsys: pytest.CaptureFixture[str]) -> None:
    absent, known = catalogue.absent(), catalogue.known()
    assert not absent.keys() & known.keys()
    for name in ("tasnet", "mdx_q"):
        assert any(other in absent[name] for other in known)
    for command in (
        ["weights", "show", "mdx_q"],
        ["weights", "get", "mdx_q"],
        ["separate", "mdx_q", "a.wav", "-o", "x"],
    ):
        assert main(command) == 2
        assert "the weights 'mdx_q' are not in msbench: its networks are quantized by diffq" in capsys.readouterr().err


def test_a_strangers_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch, {}, SOURCE)
    (path,) = tmp_path.glob("*.yaml")
    path.write_text("weights: {}\nabsent: {theirs: 3}\n")
    assert "field 'absent.theirs' must be" in catalogue.broken()["stranger"]


def test_a_name_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, monkeypatch, {"htdemucs": ENTRY}, SOURCE)
    assert catalogue.find("htdemucs").family == "demucs"
    assert catalogue.broken() == {
        "stranger": "the weights 'htdemucs' are also those of 'demucs': rename one of the two"
    }


def test_listing_loads_no_torch() -> None:
    code = "import sys; from msbench.cli import main; main(['list', 'weights']); main(['weights', 'show', 'umx'])\n"
    code += "assert not {'torch', 'lightning', 'pandas'} & set(sys.modules), 'heavy'"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "trained on   musdb18 (train)" in done.stdout
    assert "zenodo.org/records/3370486/files/vocals-c8df74a5.pth (SHA-256 begins with c8df74a5)" in done.stdout
    assert "not here: " in done.stdout
