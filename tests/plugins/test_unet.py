"""The U-Net at the size of the paper, and with the layers of TensorFlow."""

import pytest
import torch

import msbench
from msbench.model.costs import parameter_count
from msbench.training.joining import join
from tests.plugins.weights import noise

SMALL = {"depth": 3, "filters": 4, "window_samples": 256, "hop_samples": 128}


def test_the_size_of_the_paper():
    with torch.device("meta"):
        model = msbench.load("unet")
    assert parameter_count(model) == 9_823_313
    chunk = torch.zeros(1, 1, round(11.90625 * 8192))
    assert msbench.STFT(1024, 768)(chunk).shape == (1, 1, 513, 128)


def test_layers_of_tensorflow_have_the_same_weights_and_other_masks():
    torch.manual_seed(0)
    ours, theirs = (msbench.load("unet", layers=layers, **SMALL).eval() for layers in ("torch", "tensorflow"))
    theirs.load_state_dict(ours.state_dict())
    assert {block[1].eps for block in theirs.unet.convolutions} == {1e-3}
    with torch.no_grad():
        masks = [model.mask(noise(1, 1, 129, 40).abs()) for model in (ours, theirs)]
    assert masks[0].shape == masks[1].shape == (1, 1, 1, 129, 40)
    assert not torch.allclose(*masks, atol=1e-2)


@pytest.mark.parametrize("targets", [["vocals"], ["vocals", "drums"]])
def test_initial_weights_of_deviation_0_02(targets):
    torch.manual_seed(0)
    model = msbench.load("unet", targets=targets, initialization="normal", depth=4)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name


def test_the_highest_bin_has_the_mask_of_its_neighbour():
    model = msbench.load("unet", **SMALL).eval()
    masks = model.mask(noise(1, 1, 129, 40).abs())
    assert torch.equal(masks[..., -1, :], masks[..., -2, :])
    assert 0 < masks.min() < masks.max() < 1


def test_the_network_hears_the_level():
    """Docstring: the magnitudes are not brought to the range from 0 to 1."""
    torch.manual_seed(0)
    model = msbench.load("unet", **SMALL).train()
    mixture = noise(2, 1, 4000)
    with torch.no_grad():
        loud, quiet = (model.mask(gain * model.stft(mixture).abs()) for gain in (1.0, 0.01))
    assert not torch.allclose(loud, quiet, atol=0.05)


def test_one_network_per_target_masks_as_the_networks_by_themselves():
    torch.manual_seed(0)
    model = msbench.load("unet", targets=["vocals", "drums"], per_target=True, **SMALL).eval()
    magnitudes = noise(1, 1, 129, 40).abs()
    masks = model.mask(magnitudes)
    for i, (target, network) in enumerate(model.networks().items()):
        alone = msbench.load("unet", targets=[target], **SMALL).eval()
        assert alone.networks() == {}
        alone.unet.load_state_dict(network.state_dict())
        assert torch.allclose(masks[:, i], alone.mask(magnitudes)[:, 0], atol=1e-6)
        assert parameter_count(model) == 2 * parameter_count(alone)


def test_networks_of_single_targets_are_joined(tmp_path):
    for target in ("vocals", "drums"):
        msbench.save(msbench.load("unet", targets=[target], per_target=True, **SMALL), tmp_path / f"{target}.ckpt")
    whole = msbench.load(join([tmp_path / "vocals.ckpt", tmp_path / "drums.ckpt"], tmp_path / "whole.ckpt")).eval()
    mixture = noise(1, 1, 5000)
    for i, target in enumerate(whole.targets):
        assert torch.allclose(
            whole(mixture)[:, i], msbench.load(tmp_path / f"{target}.ckpt").eval()(mixture)[:, 0], atol=1e-6
        )


def test_magnitudes_are_put_out_whatever_the_mixture_has():
    """`sigmoid` and `direct` are two ways from the last layer to a magnitude; `mask` multiplies the mixture's."""
    torch.manual_seed(0)
    mask, sigmoid, direct = (
        msbench.load("unet", output=output, **SMALL).eval() for output in ("mask", "sigmoid", "direct")
    )
    assert (sigmoid.unet.last.bias == -5).all()  # magnitudes begin near those of a song
    for model in (sigmoid, direct):
        model.load_state_dict(mask.state_dict())
    magnitudes = noise(1, 1, 129, 40).abs() + 0.1
    estimates = [model.mask(magnitudes) * magnitudes.unsqueeze(1) for model in (sigmoid, direct)]
    assert torch.allclose(estimates[0], mask.mask(magnitudes))
    assert torch.allclose(estimates[1], torch.logit(mask.mask(magnitudes)).relu(), atol=1e-5)
