"""The audio network of co-separation against the authors' code with the same weights, and its variant."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise, randomise_statistics

SMALL = {"targets": ["a"], "filters": 2, "window_samples": 126, "hop_samples": 32, "log_bins": 128, "visual": 3}


def warp(image, places):
    """utils/utils.py, warpgrid, and `grid_sample` as PyTorch had it before 1.3, with aligned corners.

    In doubles: in floats, as theirs is, the grid itself is off by 1e-5 of a bin.
    """
    y, x = np.meshgrid(places, np.linspace(-1, 1, image.shape[3]), indexing="ij")
    grid = torch.from_numpy(np.stack([x, y], -1)).expand(len(image), -1, -1, -1)
    return functional.grid_sample(image.double(), grid, align_corners=True).float()


def to_log(image, bins):
    return warp(image, (21 ** ((np.linspace(-1, 1, bins) + 1) / 2) - 11) / 10)


def published(ours, magnitudes):
    """Mixture (warped) and masks, warped and back, of rhgao/co-separation (ed1f830) with our weights.

    models/audioVisual_model.py and models/networks.py with a zero image; test.py, get_separated_audio.
    """

    def norm(x, layer):
        return functional.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias)

    mixture = to_log(magnitudes + 1e-10, ours.to_log.lower.numel())
    x, features = mixture.log(), []
    for convolution, normalization, _ in ours.down:
        x = functional.conv2d(x, convolution.weight, convolution.bias, 2, 1)
        x = functional.leaky_relu(norm(x, normalization), 0.2)
        features.append(x)
    x = torch.cat([torch.zeros(len(x), ours.visual, *x.shape[2:]), features.pop()], 1)
    for transposed, normalization, _ in ours.up:
        x = functional.conv_transpose2d(x, transposed.weight, transposed.bias, 2, 1)
        x = torch.cat([norm(x, normalization).relu(), features.pop()], 1)
    mask = functional.conv_transpose2d(x, ours.last.weight, ours.last.bias, 2, 1).sigmoid()
    places = np.log(np.linspace(-1, 1, magnitudes.shape[2]) * 10 + 11) / np.log(21) * 2 - 1
    return mixture, mask, warp(mask, places)


@pytest.mark.parametrize(("depth", "frames"), [(7, 128), (5, 64), (5, 37)])
def test_the_masks_are_the_authors(depth, frames):
    torch.manual_seed(0)
    ours = msbench.load("cosep_unet", depth=depth, **SMALL).eval()
    randomise_statistics(ours)
    for parameter in ours.parameters():  # masks of initial weights are all near one half
        parameter.data.mul_(10 if parameter.dim() > 1 else 1)
    spectrogram = noise(2, 1, 64, frames).abs()  # as our STFT scales it; theirs has no scale
    padded = functional.pad(spectrogram * 63, (0, -frames % ours.stride))
    with torch.no_grad():
        theirs = published(ours, padded)[2][..., :frames]
        masks = ours.mask(spectrogram)
    assert theirs.std() > 0.03
    assert (masks[:, 0] - theirs).abs().max() < 1e-5


def test_the_level_is_that_of_librosa():
    """librosa.stft has no scale: a full-scale sine peaks at half the sum of the window."""
    model, time = msbench.load("cosep_unet", **SMALL), torch.arange(3000)
    seen = []
    model.log_mask = lambda magnitudes: seen.append(magnitudes) or magnitudes.unsqueeze(1).sigmoid()
    model(torch.sin(2 * torch.pi * 5 / 126 * time).expand(1, 1, -1))
    peak = torch.hann_window(126).sum() / 2
    assert peak.item() * 0.9 < seen[0].max() < peak.item() * 1.001


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", ["l1", "bce"])
def test_the_loss_is_the_authors(loss, weighted):
    """models/audioVisual_model.py and models/criterion.py: weight x |mask - ratio|, at the network's frequencies."""
    torch.manual_seed(0)
    ours = msbench.load("cosep_unet", depth=5, weighted=weighted, **{**SMALL, "targets": ["a", "b"]}).eval()
    batch = Batch(5 * noise(2, 1, 1001), 5 * noise(2, 2, 1, 1001, seed=1))
    with torch.no_grad():
        value = ours.loss(batch, Criterion(loss, "mask"))
        mixture, references = (63 * ours.stft(each).abs() for each in batch)
        mixture, masks, _ = published(ours, functional.pad(mixture, (0, -mixture.shape[3] % 32)))
        frames = references.shape[-1]
        mixture, masks = mixture[..., :frames], masks[..., :frames]
        ratios = to_log(references[:, :, 0], 128) / mixture
        ratios = ratios.clamp(0, 5)
        weight = torch.clamp(torch.log1p(mixture), 1e-3, 10) if weighted else 1
        expected = (weight * (masks - ratios).abs()).mean()
        if loss == "bce":
            expected = functional.binary_cross_entropy(masks, ratios.clamp_max(1))
    assert ratios.max() == 5
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_parameters_are_the_authors():
    with torch.device("meta"):
        assert parameter_count(msbench.load("cosep_unet", targets=["a"])) == 46_022_785
        variant = msbench.load("cosep_unet", targets=["a"], encoder="resnet18")
        assert parameter_count(variant) == 41_718_849
        resnet = msbench.load("cosep_unet", channels=3, encoder="resnet18").down
    # He et al. 2016; torchvision/models/resnet.py documents 11,689,512 with its last layer of 1000 classes.
    assert parameter_count(resnet) == 11_689_512 - (512 * 1000 + 1000)
    names = set(resnet.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight"} < names
    assert "layer1.0.downsample.0.weight" not in names


def test_the_resnet_is_he_et_als():
    """Table 1 of the paper, in functions: what comes out of each stage."""
    torch.manual_seed(0)
    model = msbench.load("cosep_unet", encoder="resnet18", visual=0, log_bins=64).eval()
    randomise_statistics(model.down)
    weights = model.down.state_dict()

    def conv_norm(x, convolution, norm, stride, padding):
        x = functional.conv2d(x, weights[f"{convolution}.weight"], None, stride, padding)
        statistics = [weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *statistics)

    image = noise(1, 1, 64, 32)
    x = conv_norm(image, "conv1", "bn1", 2, 3).relu()
    expected = [x]
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            shortcut = conv_norm(x, f"{name}.downsample.0", f"{name}.downsample.1", 2, 0) if stride == 2 else x
            x = conv_norm(x, f"{name}.conv1", f"{name}.bn1", stride, 1).relu()
            x = (conv_norm(x, f"{name}.conv2", f"{name}.bn2", 1, 1) + shortcut).relu()
        expected.append(x)
    with torch.no_grad():
        for ours, theirs in zip(model.down(image), expected, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "resnet50"}, "encoder must be one of unet, resnet18, not 'resnet50'"),
        ({"depth": 4}, "depth must be from 5 to 7, not 4"),
        ({"log_bins": 96}, "log_bins must be a multiple of 128, not 96"),
        ({"log_bins": 40, "encoder": "resnet18"}, "log_bins must be a multiple of 32, not 40"),
        ({"visual": -1}, "visual must be zero or more features, not -1"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load("cosep_unet", **options)
