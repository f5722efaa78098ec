"""Every recipe beside a plugin is one that `fit` can run: its options, its loss, its data and its targets exist."""

import inspect

import pytest
import torch
import yaml

from msbench import registry
from msbench.data.loading.module import SeparationData
from msbench.losses.criterion import Criterion
from msbench.training.module import SeparationModule

RECIPES = registry.recipes()
SEVEN = ("cnn_mask", "complex_unet", "conv_tasnet", "demucs", "film_unet", "unet", "wave_unet")


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
