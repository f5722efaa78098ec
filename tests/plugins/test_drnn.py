"""The recurrent network against the authors' Matlab code, posenhuang/deeplearningsourceseparation (6a6e54d)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise

SMALL = {"window_samples": 64, "hop_samples": 32, "hidden": 20}


def built(**options):
    torch.manual_seed(0)
    model = msbench.load("drnn", **{**SMALL, **options}).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zeros hide where they belong
            parameter.data.uniform_(-0.3, 0.3)
    return model


def estimates_of(model, mixture):
    """codes/drdae_discrim_joint_kl_obj.m:107-204 with RELU and softabs, on the frames of formulate_data_test.m:69-82.

    Args:
        mixture: Magnitudes (bins, frames).
    """
    weights = {name: value.double().numpy() for name, value in model.state_dict().items() if "window" not in name}
    side = model.context // 2
    padded = np.concatenate([mixture[:, :1]] * side + [mixture] + [mixture[:, -1:]] * side, 1)
    before: dict[int, np.ndarray] = {}
    frames = []
    for t in range(mixture.shape[1]):
        h = padded[:, t : t + model.context].T.ravel()  # im2col: one column under the other
        for i in range(len(model.layers)):
            h = weights[f"layers.{i}.weight"] @ h + weights[f"layers.{i}.bias"]
            if t > 0 and f"layers.{i}.recurrence" in weights:
                h += weights[f"layers.{i}.recurrence"] @ before[i]
            before[i] = h = np.maximum(0, h)
        a1, a2 = np.split(weights["outputs.weight"] @ h + weights["outputs.bias"], 2)
        total = np.abs(a1) + np.abs(a2) + 1e-10
        frames.append([np.abs(a1) / total * mixture[:, t], np.abs(a2) / total * mixture[:, t]])
    return np.array(frames).transpose(1, 2, 0)


@pytest.mark.parametrize(("options", "frames"), [({}, 12), ({"recurrent": 3, "context": 5}, 7), ({"context": 1}, 1)])
def test_the_estimates_are_those_of_the_authors_code(options, frames):
    model = built(**options).double()  # a mask is ill-conditioned where both outputs are near zero
    mixture = noise(1, 1, 33, frames).abs().double()
    expected = estimates_of(model, model.input_gain * mixture[0, 0].numpy())
    with torch.no_grad():
        ours = (model.mask(mixture) * mixture.unsqueeze(1))[0, :, 0].numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(model.input_gain * ours, expected, atol=1e-9)


def test_the_stft_and_its_inverse_are_those_of_the_authors_code():
    """tools/labrosa/stft.m and istft.m with the sine window, which begin at the first sample: our second frame."""
    model, signal = built(), noise(32 * 9).double().numpy()
    window = np.sin(np.arange(64) * np.pi / 64)
    frames = np.stack([np.fft.rfft(window * signal[b : b + 64]) for b in range(0, 32 * 8, 32)], 1)
    ours = model.stft(torch.from_numpy(signal).float())[:, 1:-1].numpy()
    assert ours.shape == frames.shape
    np.testing.assert_allclose(ours, frames * (math.pi / 2 / 64), atol=1e-6)
    masked = np.linspace(0, 1, frames.size).reshape(frames.shape) * frames
    theirs = np.zeros(32 * 9)
    for k, frame in enumerate(np.fft.irfft(masked, axis=0).T):
        theirs[32 * k : 32 * k + 64] += window * frame
    spectrum = torch.nn.functional.pad(torch.from_numpy(masked * (math.pi / 2 / 64)).cfloat(), (1, 1))
    inner = slice(32, -32)  # what two of their frames hold
    np.testing.assert_allclose(model.stft.inverse(spectrum, 32 * 9)[inner].numpy(), theirs[inner], atol=1e-6)


def test_the_cost_is_that_of_the_authors_code():
    """codes/drdae_discrim_joint_kl_obj.m:216-285, `cost` of softabs: a sum, where ours is a mean over all values."""
    model = built(input_gain=1.0)
    references = noise(2, 2, 1, 400)
    batch = Batch(references.sum(1), references)
    ours = model.loss(batch, Criterion("discriminative", "magnitude")).item()
    spectrogram, targets = model.stft(batch.mixture).abs().double(), model.stft(references).abs()[:, :, 0].double()
    cost = 0.0
    for mixture, (first, second) in zip(spectrogram[:, 0].numpy(), targets.numpy(), strict=True):
        y = np.concatenate(list(estimates_of(model, mixture)))
        target, other = np.concatenate([first, second]), np.concatenate([second, first])
        cost += 0.5 * (np.sum((y - target) ** 2) - 0.05 * np.sum((y - other) ** 2))
    assert ours == pytest.approx(cost / targets.numel(), rel=1e-4)


def test_the_size_of_the_authors_network():
    with torch.device("meta"):
        model = msbench.load("drnn")
    assert parameter_count(model) == 5_569_026
    chunk = torch.zeros(1, 1, round(3.168 * 16000))
    assert msbench.STFT(1024, 512)(chunk).shape == (1, 1, 513, 100)


def test_the_first_weights_are_drawn_as_in_the_authors_code():
    """codes/initialize_weights.m: evenly up to sqrt(6 / (before + after)), the recurrent ones to sqrt(6 / 3 after)."""
    torch.manual_seed(0)
    model = msbench.load("drnn", **SMALL)
    bounds = {
        "layers.0.weight": 3 * 33 + 20,
        "layers.1.weight": 60,
        "layers.1.recurrence": 60,
        "layers.2.weight": 40,
        "outputs.weight": 20 + 66,
    }
    weights = dict(model.named_parameters())
    for name, size in bounds.items():
        assert 0.95 * math.sqrt(6 / size) < weights[name].abs().max().item() <= math.sqrt(6 / size), name
    assert all((value == 0).all() for name, value in weights.items() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["vocals", "drums", "bass", "other"]}, "drnn separates two targets .*, not 4"),
        ({"targets": ["vocals"]}, "drnn separates two targets that add up to the mixture, not 1"),
        ({"context": 2}, "context must be an odd number of frames, not 2"),
        ({"recurrent": 4}, "recurrent must be from 1 to the number of layers, 3, not 4"),
    ],
)
def test_what_it_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load("drnn", **{**SMALL, **options})
