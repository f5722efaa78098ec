"""Wave-U-Net: the paper's sizes, its difference output, and what context means."""

import pytest
import torch

import msbench
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise

SMALL = {"depth": 3, "filters": 4, "sample_rate": 8000}


def test_m4_maps_the_papers_samples_with_the_papers_parameters():
    model = msbench.load("wave_unet")
    assert model.sizes(16384) == (147443, 16389)
    assert round(parameter_count(model) / 1e6, 2) == 10.26
    with torch.no_grad():
        assert model.network(noise(1, 2, 147443)).shape == (1, 2, 2, 16389)


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_the_last_target_is_the_mixture_less_the_others(context, learned):
    model = msbench.load("wave_unet", context=context, learned_upsampling=learned, targets=["a", "b", "c"], **SMALL)
    mixture = noise(2, 2, 1009)
    assert torch.allclose(model(mixture).sum(1), mixture, atol=1e-6)
    direct = msbench.load("wave_unet", context=context, output="direct", targets=["a", "b", "c"], **SMALL)
    assert not torch.allclose(direct(mixture).sum(1), mixture, atol=1e-2)


def test_with_context_an_estimate_depends_on_real_samples_alone():
    """The middle of a long mixture is estimated alike from the whole and from an excerpt with its context."""
    model = msbench.load("wave_unet", **SMALL).eval()
    mixture = noise(1, 2, 2000)
    inputs, outputs = model.sizes(64)
    before = (inputs - outputs) // 2
    start = 800  # a multiple of the stride
    with torch.no_grad():
        whole = model(mixture)
        excerpt = model.network(mixture[..., start - before : start - before + inputs])
    grid = (model.sizes(2000)[0] - model.sizes(2000)[1]) // 2
    assert (grid - before) % model.stride_samples == 0  # both see the same decimation grid
    assert torch.allclose(excerpt, whole[..., start : start + outputs], atol=1e-6)


def test_a_chunk_in_training_gives_the_loss_of_its_middle():
    model = msbench.load("wave_unet", **SMALL)
    inputs, _ = model.sizes(200)
    mixture, references = noise(1, 2, inputs + 5), noise(1, 2, 2, inputs + 5, seed=1)
    seen = []
    model.loss(Batch(mixture, references), lambda estimates, true: seen.append((estimates, true)) or estimates.mean())
    estimates, true = seen[0]
    start = 2 + (inputs - estimates.shape[-1]) // 2
    assert estimates.shape == true.shape
    assert estimates.shape[-1] >= 200
    assert torch.equal(true, references[..., start : start + true.shape[-1]])


def test_learned_upsampling_starts_linear_and_is_learned():
    mixture = noise(1, 2, 999)
    torch.manual_seed(0)
    linear = msbench.load("wave_unet", **SMALL)
    torch.manual_seed(0)
    learned = msbench.load("wave_unet", learned_upsampling=True, **SMALL)
    assert torch.equal(linear(mixture), learned(mixture))
    learned(mixture)[:, 0].square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in learned.upsampling)
    assert len(linear.upsampling) == 0


def test_interpolation_by_hand():
    model = msbench.load("wave_unet", **SMALL)
    x = torch.tensor([[[0.0, 4.0, 8.0]]])
    assert model._upsampled(x, torch.tensor([[0.25]])).tolist() == [[[0, 3, 4, 7, 8]]]  # w v_1 + (1 - w) v_2
    same = msbench.load("wave_unet", context=False, **SMALL)
    assert same._upsampled(x, torch.tensor([[0.5]])).tolist() == [[[0, 2, 4, 6, 8, 8]]]
