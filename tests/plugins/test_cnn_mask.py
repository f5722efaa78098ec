"""The convolutional mask: the authors' network, labels and inference, and what the name stood for before."""

import numpy as np
import pytest
import torch
from torch import nn

import msbench
from msbench.losses.criterion import Criterion
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from tests.plugins.weights import noise

TINY = {"window_samples": 64, "hop_samples": 16, "fft_samples": 128, "filters": [3, 2, 4, 3], "units": [9, 7],
        "pooled_bins": 4, "patch_frames": 5}  # fmt: skip


def test_the_size_of_the_authors_network():
    with torch.device("meta"):
        model = msbench.load("cnn_mask")
        assert parameter_count(model) == 19_489_049  # 01_parmInit_AE.py:87
        assert parameter_count(msbench.load("cnn_mask", targets=["vocals"])) == 19_489_049


def convolved(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """tf.nn.conv2d with padding "SAME" and stride 1: of an odd count of zeros the smaller half comes before."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    height, width = weight.shape[2:]
    before = ((height - 1) // 2, (width - 1) // 2)
    padded = np.pad(x, ((0, 0), (before[0], height - 1 - before[0]), (before[1], width - 1 - before[1])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))  # (in, T, F, height, width)
    return np.maximum(np.einsum("ctfhw,ochw->otf", windows, weight) + bias[:, None, None], 0)


def pooled(x: np.ndarray, size: int) -> np.ndarray:
    missing = -x.shape[-1] % size
    padded = np.pad(x, ((0, 0), (0, 0), (missing // 2, missing - missing // 2)), constant_values=-np.inf)
    return padded.reshape(*padded.shape[:-1], -1, size).max(-1)


def of_the_authors(model: nn.Module, patch: np.ndarray) -> np.ndarray:
    """01_parmInit_AE.py:71-86 on one patch (frames, bins), in NumPy."""
    network = model.network
    x = patch[None]
    for i, layer in enumerate(network.convolutions):
        x = convolved(x, layer)
        x = pooled(x, model.network.pooled) if i % 2 else x
    values = x.transpose(1, 2, 0).ravel()  # NHWC
    for i in (1, 4, 6):
        layer = network.dense[i]
        values = layer.weight.detach().numpy() @ values + layer.bias.detach().numpy()
        values = np.maximum(values, 0) if i < 6 else 1 / (1 + np.exp(-values))
    return values.reshape(patch.shape)


@pytest.mark.parametrize("frames", [1, 4, 9, 10, 23])
def test_masks_are_those_of_the_authors_code(frames):
    """03_postPro_Eval.py:82-100: the middle of the patch around each frame; below the threshold, zero."""
    torch.manual_seed(0)
    model = msbench.load("cnn_mask", threshold=0.45, **TINY).eval()
    for parameter in model.parameters():  # so that the masks are not all one half
        nn.init.normal_(parameter, std=0.3)
    magnitudes = noise(1, 1, 65, frames).abs()
    padded = np.pad(magnitudes[0, 0].numpy(), ((0, 0), (2, 2)))
    voice = np.stack([of_the_authors(model, padded[:, i : i + 5].T)[2] for i in range(frames)], 1)
    expected = np.stack([np.where(each < 0.45, 0, each) for each in (voice, 1 - voice)])
    with torch.no_grad():
        ours = model.mask(magnitudes)[0, :, 0].numpy()
    assert 0.1 < (ours == 0).mean() < 0.9
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    model.binary = True
    with torch.no_grad():
        assert torch.equal(model.mask(magnitudes)[0, :, 0], torch.from_numpy((expected > 0).astype(np.float32)))


def test_magnitudes_are_those_of_the_authors_code():
    """SineModel.py: a Hann window over its sum, filled up with zeros to the FFT's length."""
    signal = noise(512).numpy()
    window = msbench.load("cnn_mask", **TINY).stft.window.numpy()
    ours = msbench.load("cnn_mask", **TINY).stft(torch.from_numpy(signal)[None])[0].abs().numpy()
    padded = np.pad(signal, 32)
    theirs = [np.abs(np.fft.rfft(padded[16 * i : 16 * i + 64] * window / window.sum(), 128)) for i in range(33)]
    np.testing.assert_allclose(ours, np.stack(theirs, 1), atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 5, 8, 9, 10, 21])
def test_masks_of_the_training_come_from_patches_with_one_frame_in_common(frames):
    torch.manual_seed(0)
    model = msbench.load("cnn_mask", dropout=0.0, **TINY).train()
    magnitudes = noise(1, 1, 65, frames).abs()
    padded = np.pad(magnitudes[0, 0].numpy(), ((0, 0), (0, 5 + 4 - (frames - 1) % 4)))
    total, count = np.zeros((65, padded.shape[1])), np.zeros(padded.shape[1])
    for start in range(0, frames, 4):
        if start == frames - 1 and start > 0:  # the last frame of the patch before
            continue
        total[:, start : start + 5] += of_the_authors(model, padded[:, start : start + 5].T).T
        count[start : start + 5] += 1
    with torch.no_grad():
        ours = model.mask(magnitudes)[0, 0, 0].numpy()
    np.testing.assert_allclose(ours, (total / np.maximum(count, 1))[:, :frames], atol=1e-5)


def test_logarithms_of_the_magnitudes_are_an_option():
    torch.manual_seed(0)
    plain, other = (msbench.load("cnn_mask", logarithmic=each, **TINY).eval() for each in (False, True))
    other.load_state_dict(plain.state_dict())
    magnitudes = noise(1, 1, 65, 7).abs()
    assert torch.allclose(other.mask(magnitudes), plain.mask((1 + 1000 * magnitudes).log()))


def test_weights_begin_as_in_the_authors_code():
    """TFWrapper.py: xavier_initializer, which is uniform, and biases of 0.1."""
    torch.manual_seed(0)
    layer = msbench.load("cnn_mask", **{**TINY, "units": [200, 300]}).network.dense[4]
    limit = (6 / 500) ** 0.5
    assert layer.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
    assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert torch.all(layer.bias == 0.1)


class Seen:
    domain = "mask"

    def __call__(self, estimates, references):
        self.estimates, self.references = estimates, references
        return estimates.mean()


def test_labels_and_first_stage_are_the_authors():
    """00_prePro_HDF5.py:230-236 (IBM and VoicemX = mX * IBM), and 01_parmInit_AE.py: trainAE in and out."""
    voice, music = noise(1, 1, 800, seed=1), 0.8 * noise(1, 1, 800, seed=2)
    batch = Batch(voice + music, torch.stack([voice, music], 1))
    torch.manual_seed(0)
    model, seen = msbench.load("cnn_mask", dropout=0.0, **TINY), Seen()
    ideal = (model.stft(voice).abs() > model.stft(music).abs()).float()
    model.loss(batch, seen)
    torch.testing.assert_close(seen.references, torch.stack([0.02 + 0.96 * ideal, 0.98 - 0.96 * ideal], 1))
    model.stage = "autoencoder"
    model.loss(batch, seen)
    heard = model.stft(voice + music).abs() * ideal
    torch.testing.assert_close(seen.references, heard.unsqueeze(1))
    assert torch.allclose(seen.estimates, model.mask(heard)[:, :1])


def test_trains_against_the_ideal_binary_mask_after_the_autoencoder():
    torch.manual_seed(0)
    model = msbench.load("cnn_mask", targets=["low", "high"], dropout=0.0, **TINY)
    time = torch.arange(2000) / 22050
    references = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (1500.0, 6000.0)])[None, :, None]
    batch, criterion = Batch(references.sum(1), references), Criterion("bce", "mask")
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    for stage in ("autoencoder", "masks"):
        model.stage = stage
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            losses.append(model.loss(batch, criterion))
            losses[-1].backward()
            optimizer.step()
        assert losses[-1] < 0.9 * losses[0], stage
    masks, _ = model.eval().masks_of(batch.mixture)
    low, high = round(1500 / 22050 * 128), round(6000 / 22050 * 128)
    levels = torch.stack([masks[0, :, 0, low].mean(-1), masks[0, :, 0, high].mean(-1)])
    assert (levels.diagonal() > 0.8).all()
    assert (levels.flip(0).diagonal() < 0.2).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_frames": 4}, "patch_frames must be an odd number"),
        ({"filters": [1, 2]}, "filters must be four numbers"),
        ({"threshold": 1.0}, "threshold must be from 0 to below 1"),
        ({"stage": "decoder"}, "stage must be 'masks' or 'autoencoder', not 'decoder'"),
        ({"fft_samples": 32}, "fft_samples must be from 64, the window"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        msbench.load("cnn_mask", **{**TINY, **options})


def test_the_model_that_had_the_name_before_is_found_by_its_options():
    with pytest.warns(UserWarning, match="the model that was called 'cnn_mask' is now called 'deep_karaoke'"):
        model = msbench.load("cnn_mask", frames=4, hidden=8, window_samples=64, hop_samples=32)
    assert model.registered["name"] == "deep_karaoke"
