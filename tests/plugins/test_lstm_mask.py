"""The LSTM's masks: layer by layer, and both kinds of output."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import noise, randomise_statistics

SMALL = {"targets": ["a", "b", "c"], "window_samples": 34, "hop_samples": 17, "hidden": 5}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(frames, weights):
    """One direction over (frames, inputs); gates are input, forget, cell and output, as torch stacks them."""
    state = cell = np.zeros(weights["weight_hh_l0"].shape[1])
    out = []
    for frame in frames:
        gates = weights["weight_ih_l0"] @ frame + weights["bias_ih_l0"]
        gates = gates + weights["weight_hh_l0"] @ state + weights["bias_hh_l0"]
        i, f, g, o = np.split(gates, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        state = sigmoid(o) * np.tanh(cell)
        out.append(state)
    return np.array(out)


@pytest.mark.parametrize("output", ["mask", "ratio"])
def test_the_masks_layer_by_layer(output):
    torch.manual_seed(0)
    model = msbench.load("lstm_mask", output=output, **SMALL).eval()
    spectrogram = noise(1, 1, 18, 6).abs()
    randomise_statistics(model)
    x = np.log(1 + 1000 * spectrogram[0, 0, :-1].double().numpy()).T  # 17 of 18 bins
    norm = {name: value.double().numpy() for name, value in model.norm.state_dict().items()}
    x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
    for layer in model.layers:
        x = lstm(x, {name: value.detach().double().numpy() for name, value in layer.named_parameters()})
        x = np.where(x > 0, x, 0.3 * x)
    y = sigmoid(x @ model.dense.weight.detach().double().numpy().T + model.dense.bias.detach().double().numpy())
    y = y.reshape(6, 3, 17).transpose(1, 2, 0)
    expected = y / y.sum(0) if output == "ratio" else y
    masks = model.mask(spectrogram).detach()[0, :, 0].double().numpy()
    np.testing.assert_allclose(masks[:, :-1], expected, atol=1e-6)
    np.testing.assert_array_equal(masks[:, -1], masks[:, -2])  # the bin that the network does not read


def test_ratios_share_out_the_mixture():
    model = msbench.load("lstm_mask", output="ratio", **SMALL).eval()
    mixture = noise(2, 1, 999)
    with torch.no_grad():
        torch.testing.assert_close(model(mixture).sum(1), mixture, atol=1e-6, rtol=0)


def test_backwards_too():
    torch.manual_seed(0)
    model = msbench.load("lstm_mask", bidirectional=True, **SMALL).eval()
    spectrogram = noise(1, 1, 18, 6).abs()
    changed = spectrogram.clone()
    changed[..., -1] += 1
    with torch.no_grad():
        assert not torch.equal(model.mask(spectrogram)[..., 0], model.mask(changed)[..., 0])


def test_sizes():
    with torch.device("meta"):
        model = msbench.load("lstm_mask")
    # 129 bins, normalized; 4 gates of 256, twice biased, in two layers; 4 targets
    assert parameter_count(model) == 2 * 129 + 4 * 256 * (129 + 256 + 2) + 4 * 256 * (256 + 256 + 2) + 4 * 129 * 257
    assert model.stft.bins == 130
    assert msbench.STFT(258, 129)(torch.zeros(1, 1, 99 * 129)).shape[-1] == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "softmax"}, "output must be one of mask, ratio, not 'softmax'"),
        ({"output": "ratio", "targets": ["a"]}, "output 'ratio' shares the mixture among two or more targets"),
        ({"layers": 0}, "layers and hidden must be at least 1, not 0 and 5"),
    ],
)
def test_what_it_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load("lstm_mask", **{**SMALL, **options})
