"""Deep karaoke's masks: binary at inference, soft in training, averaged over all windows that hold a frame."""

import numpy as np
import pytest
import torch
from torch import nn

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise

SMALL = {"targets": ["a", "b"], "window_samples": 64, "hop_samples": 32, "frames": 4, "hidden": 8}


def test_masks_are_binary_at_inference_alone():
    model = msbench.load("deep_karaoke", **SMALL)
    mixture = noise(2, 1, 1000)
    model(mixture)  # once in training mode, for the statistics
    model.eval()
    masks, spectrum = model.masks_of(mixture)
    assert 0 < masks.min() < masks.max() < 1
    binary = (masks > 0.5).float() * spectrum.unsqueeze(1)
    assert torch.allclose(model(mixture), model.stft.inverse(binary, 1000))
    model.threshold = 0.999
    assert model(mixture).abs().max() == 0


def test_each_frame_is_the_mean_over_the_windows_that_hold_it():
    model = msbench.load("deep_karaoke", **SMALL).eval()
    spectrogram = model.stft(noise(1, 1, 300)).abs()
    count, frames = spectrogram.shape[-1], 4
    padded = torch.nn.functional.pad(spectrogram, (frames - 1, frames - 1))
    total = torch.zeros(1, 2, 1, 33, count + 2 * (frames - 1))
    for start in range(count + frames - 1):  # the network on one window after the other
        window = (1 + 1000 * padded[..., start : start + frames]).log().flatten(1, 2)
        x = torch.nn.functional.conv1d(model.network[0](window), model.network[1].weight, model.network[1].bias)
        out = model.network[4](model.network[3](x.sigmoid()))  # (1, frames x targets x bins, 1)
        total[..., start : start + frames] += out.view(1, frames, 2, 1, 33).permute(0, 2, 3, 4, 1)
    expected = total[..., frames - 1 : frames - 1 + count] / frames
    assert torch.allclose(model.mask(spectrogram), expected, atol=1e-6)


def test_masks_are_those_of_the_authors_code():
    """nnff.m of the toolbox with its changed sigmoid on sample_frames(., L, 1), then average_frames.m."""
    torch.manual_seed(0)
    small = {"targets": ["vocals"], "window_samples": 64, "hop_samples": 32, "frames": 4, "hidden": 4 * 33}
    model = msbench.load("deep_karaoke", levels="linear", hidden_shift=6.0, **small).eval()
    nn.init.normal_(model.network[1].weight)  # so that the masks are not all one half
    nn.init.normal_(model.network[3].weight)
    magnitudes = 30 * model.stft(noise(1, 1, 600)).abs()
    bins, frames = magnitudes.shape[2:]
    weights = model.network[1].weight.detach().transpose(1, 2).flatten(1).double().numpy()  # stacked frame by frame
    second = model.network[3].weight.detach()[..., 0].double().numpy()
    biases = [model.network[i].bias.detach().double().numpy() for i in (1, 3)]

    def sigm(values, bias):
        return 1 / (1 + np.exp(-values + bias))

    total, count = np.zeros((bins, frames)), np.zeros(frames)
    for start in range(frames - 3):
        window = magnitudes[0, 0, :, start : start + 4].double().numpy().T.ravel()
        output = sigm(second @ sigm(weights @ window + biases[0], 6) + biases[1], 0).reshape(4, bins).T
        total[:, start : start + 4] += output
        count[start : start + 4] += 1
    ours = model.mask(magnitudes)[0, 0, 0].detach().double().numpy()
    inner = slice(3, frames - 3)  # where four windows lie inside the song
    assert ours.std() > 0.1
    np.testing.assert_allclose(ours[:, inner], (total / count)[:, inner], atol=1e-6)


def test_the_ideal_binary_mask_is_that_of_the_authors_code():
    """get_analysis.m: abs(target_stft) > abs(nontarget_stft)."""
    model, seen = msbench.load("deep_karaoke", **{**SMALL, "targets": ["vocals"]}).eval(), []

    def criterion(masks, ideal):
        seen.append(ideal)
        return masks.mean()

    criterion.domain = "mask"
    target, rest = noise(2, 1, 1000, seed=1), noise(2, 1, 1000, seed=2)
    model.loss(Batch(target + rest, target[:, None]), criterion)
    assert torch.equal(seen[0][:, 0], (model.stft(target).abs() > model.stft(rest).abs()).float())


def test_the_size_of_the_authors_network():
    with torch.device("meta"):
        model = msbench.load("deep_karaoke", targets=["vocals"], hidden=20500, levels="linear")
    assert parameter_count(model) == 2 * 20500 * 20501
    with pytest.raises(ValueError, match="levels must be 'log' or 'linear', not 'dB'"):
        msbench.load("deep_karaoke", levels="dB", **SMALL)


def test_trains_against_the_ideal_binary_mask():
    model = msbench.load("deep_karaoke", **SMALL)
    time = torch.arange(4000) / 44100
    references = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (3000.0, 12000.0)])[None, :, None]
    batch = Batch(references.sum(1), references)
    criterion = Criterion("bce", "mask")
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        loss = model.loss(batch, criterion)
        loss.backward()
        optimiser.step()
    masks, _ = model.masks_of(batch.mixture)
    low, high = round(3000 / 44100 * 64), round(12000 / 44100 * 64)
    assert masks[0, 0, 0, low].mean() > 0.8
    assert masks[0, 0, 0, high].mean() < 0.2
    assert masks[0, 1, 0, high].mean() > 0.8
    assert masks[0, 1, 0, low].mean() < 0.2
