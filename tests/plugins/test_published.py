"""The papers' recipes and docs/published.yaml, key by key: where they differ, the recipe's own comment says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from msbench import registry
from msbench.data.loading.module import SeparationData
from msbench.model.constructor import parameters_of

ROOT = Path(__file__).parent.parent.parent
PUBLISHED: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "published.yaml").read_text("utf-8"))
RECIPES = {name: path for name, path in registry.recipes().items() if path.resolve().parent == ROOT / "plugins"}
STOPPING = {"patience": 40, "min_delta": 0.0}  # of `msbench fit`, where a recipe does not say
REASON = re.compile(r"^#   ([\w.]+): (\S.{9,})$", re.MULTILINE)


def value_of(recipe: dict[str, Any], key: str) -> Any:
    """What a recipe trains with; None for what is not done, "unsaid" for what no field says."""
    section, _, name = key.partition(".")
    part = recipe.get(section) or {}
    if section == "early_stopping":
        whole = recipe.get(section, STOPPING)
        return {**STOPPING, **whole}[name] if name and whole is not None else whole
    if section == "model":
        return argument_of(part, name)
    if section in ("data", "separator"):
        of = SeparationData if section == "data" else registry.load("models", recipe["name"])
        default = parameters_of(of).get(name)
        value = part.get(name, None if default is None else default.default)
        return value * recipe["trainer"].get("accumulate_grad_batches", 1) if name == "batch_size" else value
    return part.get(name) if section == "trainer" else "unsaid"


def argument_of(model: dict[str, Any], name: str) -> Any:
    """A field of the section `model`, the class that one names, or an argument of that class."""
    group, _, argument = name.partition(".")
    value = model.get(group)
    if not isinstance(value, dict):
        return value
    return value["init_args"].get(argument) if argument else value["class_path"].rpartition(".")[2]


def same(ours: Any, published: Any) -> bool:
    if isinstance(published, list):
        return isinstance(ours, list) and len(ours) == len(published) and all(map(same, ours, published))
    if isinstance(published, float) and isinstance(ours, int | float):
        return ours == pytest.approx(published, rel=1e-6)  # a sample in a million
    return bool(ours == published)


def differing(recipe: dict[str, Any], settings: dict[str, Any]) -> set[str]:
    """The names under which a comment must say why they differ."""
    keys = {key for key, (published, _) in settings.items() if not same(value_of(recipe, key), published)}
    return {re.sub("^(data|model|trainer)[.]", "", key) for key in keys}


def test_each_recipe_that_is_not_small_has_its_published_settings() -> None:
    assert PUBLISHED.keys() == {name for name in RECIPES if not name.endswith("_small")}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_recipe_says_why_it_differs_from_the_published_settings(name: str) -> None:
    text = RECIPES[name].read_text("utf-8")
    reasons = [key for key, _ in REASON.findall(text)]
    assert len(reasons) == len(set(reasons))
    assert set(reasons) == differing(yaml.safe_load(text), PUBLISHED[name]["settings"])


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_each_setting_has_its_source(name: str) -> None:
    about = PUBLISHED[name]
    assert about["code"] == "none" or re.search(r"[\w-]+/[\w-]+ [0-9a-f]{7}\b", about["code"])
    assert about["paper"]
    for key, (published, source) in about["settings"].items():
        assert re.search(r":\d|[.]py\b|[.]m\b|[.]json\b|\bnotes\b", source), key
        assert published is not None or re.search(r"none|no limit|not clipped|scaling of 1", source), key


def test_the_second_stage_is_of_the_same_network_and_data() -> None:
    first, second = (yaml.safe_load(RECIPES[name].read_text("utf-8")) for name in ("wave_unet", "wave_unet_finetune"))
    assert second["separator"] == first["separator"]  # or its weights would not fit
    changed = {key for key in first["data"] | second["data"] if first["data"].get(key) != second["data"].get(key)}
    assert changed == {"batch_size", "chunks_per_epoch"}


def test_a_change_of_a_recipe_is_seen() -> None:
    settings = PUBLISHED["demucs"]["settings"]
    text = RECIPES["demucs"].read_text("utf-8")
    known = differing(yaml.safe_load(text), settings)
    for before, after, key in (
        ("lr: 0.0003", "lr: 0.001", "optimizer.lr"),
        ("accumulate_grad_batches: 8", "accumulate_grad_batches: 1", "batch_size"),
        ("early_stopping: null", "early_stopping: {patience: 5}", "early_stopping"),
        ("  remix_group: 4\n", "", "remix_group"),
        ("gain: [0.25, 1.25]", "gain: [0.25, 1.0]", "gain"),
        ("  max_epochs: 180", "  max_epochs: 180\n  gradient_clip_val: 5.0", "gradient_clip_val"),
    ):
        assert before in text
        assert differing(yaml.safe_load(text.replace(before, after)), settings) == known | {key}
