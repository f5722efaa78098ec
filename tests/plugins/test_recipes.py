"""Every recipe beside a plugin is one that `fit` can run: its options, its loss, its data and its targets exist."""

import inspect
import re

import pytest
import torch
import yaml

from msbench import registry
from msbench.data.loading.module import SeparationData
from msbench.losses.criterion import Criterion
from msbench.losses.functions import DOMAINS
from msbench.training.module import SeparationModule

RECIPES = registry.recipes()
SEVEN = ("complex_unet", "conv_tasnet", "deep_karaoke", "demucs", "film_unet", "unet", "wave_unet")


def test_each_of_the_seven_has_the_papers_recipe_and_a_small_one():
    assert {name for model in SEVEN for name in (model, f"{model}_small")} <= set(RECIPES)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_names_what_exists(name):
    recipe = yaml.safe_load(RECIPES[name].read_text("utf-8"))
    with torch.device("meta"):  # the largest has 0.8 G parameters
        model = registry.load("models", recipe["name"])(**recipe["separator"])
    assert model.trainable
    settings = recipe["model"]
    Criterion(settings["loss"], settings.get("loss_domain", "waveform"))
    assert settings.get("loss_domain", "waveform") in model.loss_domains
    assert set(settings) <= set(inspect.signature(SeparationModule).parameters)
    assert set(recipe["data"]) <= set(inspect.signature(SeparationData).parameters)
    dataset = registry.load("datasets", recipe["data"]["dataset"])
    assert set(model.targets) <= set(dataset.targets)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_loss_of_a_recipe_hears_the_level_that_boards_score(name):
    """Where a paper's does not, the recipe says "leaves the level free" beside it."""
    text = RECIPES[name].read_text("utf-8")
    settings = yaml.safe_load(text)["model"]
    domain = settings.get("loss_domain", "waveform")
    if domain not in DOMAINS:
        return  # what is compared there has no level: the estimates are masked mixtures
    torch.manual_seed(0)
    references = torch.rand(2, 2, 1, 5000) if domain == "waveform" else torch.rand(2, 2, 1, 33, 9)
    references = (references > 0.5).float() if domain == "mask" else references
    estimates = 0.9 * references + 0.1 * torch.rand_like(references)
    criterion = Criterion(settings["loss"], domain).of(references.sum(1))
    value, halved = criterion(estimates, references), criterion(0.5 * estimates, references)
    hears = abs(halved - value) > 0.01 * abs(value)
    assert hears or re.search(r"^  loss: .*# .*leaves the level free", text, re.MULTILINE)
