"""ICA against scikit-learn's FastICA, on mixtures that can be unmixed, and ISA on a spectrogram of known parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msbench_plugins.ica import unmixing_matrix
from torch import Tensor

import msbench


def two_sources(samples: int = 20000) -> Tensor:
    """A sawtooth and bursts of noise: (2, T), neither of them Gaussian."""
    time = torch.arange(samples) / 8000
    bursts = torch.randn(samples, generator=torch.Generator().manual_seed(0)) * (torch.sin(7 * time) > 0.6)
    return torch.stack([0.2 * ((110 * time) % 1 - 0.5), 0.1 * bursts])


MIXING = torch.tensor([[0.7, 0.9], [0.75, 0.2]])  # the first source is nearer to the middle


def test_the_images_of_two_sources_come_apart() -> None:
    sources = two_sources()
    images = torch.stack([torch.outer(MIXING[:, i], sources[i]) for i in range(2)])
    estimates = msbench.load("ica")(images.sum(0)[None])
    ratios = 10 * torch.log10(images.square().sum((1, 2)) / (estimates[0] - images).square().sum((1, 2)))
    assert ratios.min() > 25
    torch.testing.assert_close(estimates.sum(1)[0], images.sum(0))
    other = msbench.load("ica", targets=["accompaniment"])(images.sum(0)[None])
    torch.testing.assert_close(other[:, 0], estimates[:, 1])


@pytest.mark.parametrize("samples", [20000, 150001])  # one block, and several
def test_the_unmixing_of_scikit_learn(samples: int) -> None:
    from sklearn.decomposition import FastICA

    mixture = MIXING @ two_sources(samples)
    peer = FastICA(2, w_init=np.eye(2), whiten="unit-variance", whiten_solver="eigh", tol=1e-12, max_iter=1000)
    expected = torch.from_numpy(peer.fit(mixture.double().numpy().T).components_)
    ours = unmixing_matrix(mixture, 1000, 1e-12)
    assert ours is not None
    agreement = (ours @ torch.linalg.inv(expected)).abs()  # the order and the signs are free
    best = agreement if agreement[0, 0] > agreement[0, 1] else agreement.flip(1)
    torch.testing.assert_close(best, torch.eye(2, dtype=torch.float64), atol=1e-4, rtol=0)


def test_mono_is_refused() -> None:
    with pytest.raises(ValueError, match="ICA separates two channels into two sources: channels must be 2, not 1"):
        msbench.load("ica", channels=1)
    model = msbench.load("ica")
    signal = two_sources()[:1]
    for mono in (signal.repeat(2, 1), torch.cat([signal, 0.5 * signal]), torch.cat([signal, 0 * signal])):
        with pytest.raises(ValueError, match="both of this mixture hold the same signal: it is mono"):
            model(mono[None])
    with pytest.raises(ValueError, match="it is mono"):
        msbench.separate(model, signal.numpy(), 44100)


@pytest.mark.parametrize("name", ["ica", "isa"])
def test_silence_gives_silence(name: str) -> None:
    model = msbench.load(name)
    for samples in (1, 30000):
        silence = torch.zeros(1, 2, samples)
        assert torch.equal(model(silence), silence.unsqueeze(1).repeat(1, len(model.targets), 1, 1))


def test_the_components_are_the_best_approximation_of_their_number() -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(200, 6, generator=generator) ** 4 @ torch.rand(6, 33, generator=generator)
    model = msbench.load("isa", components=4)
    activations, spectra = model.independent(frames)
    left, values, right = torch.linalg.svd(frames, full_matrices=False)
    best = (left[:, :4] * values[:4]) @ right[:4]
    torch.testing.assert_close(activations @ spectra, best, atol=1e-4, rtol=1e-4)
    covariance = torch.cov(activations.T)
    torch.testing.assert_close(covariance / 199 * 200, torch.eye(4), atol=2e-2, rtol=0)


def test_isa_shares_the_mixture_out() -> None:
    mixture = two_sources(30011)[None]
    model = msbench.load("isa", components=6)
    estimates = model(mixture)
    left = mixture - estimates.sum(1)  # of bins in which no component is above zero
    assert 10 * torch.log10(mixture.square().sum() / left.square().sum()) > 15
    vocals = msbench.load("isa", components=6, targets=["vocals"])(mixture)
    torch.testing.assert_close(vocals[:, 0], estimates[:, 0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ica", {"targets": ["vocals", "drums"]}, "ICA separates vocals and accompaniment, not vocals, drums"),
        ("ica", {"tolerance": 0.0}, "tolerance must be above 0, not 0.0"),
        ("isa", {"components": 0}, "components must be above 0, not 0"),
        ("isa", {"targets": ["accompaniment"]}, "assigned to vocals, drums, bass, other, not to 'accompaniment'"),
    ],
)
def test_what_is_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.load(name, **options)
