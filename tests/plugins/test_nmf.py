"""NMF against scikit-learn's, and on spectra that are known to be sums of others."""

from __future__ import annotations

import warnings

import pytest
import torch
from msbench_plugins.nmf import BETA, divergence_of, factorize, solve
from torch import Tensor

import msbench

LOSS = {"kl": "kullback-leibler", "is": "itakura-saito", "euclidean": "frobenius"}
SMALL = {"window_samples": 64, "hop_samples": 32, "components": 3, "sample_rate": 8000}


def positive(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 + torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sklearn_factors(
    divergence: str, frames: Tensor, activations: Tensor, dictionary: Tensor, learn: bool
) -> list[Tensor]:
    from sklearn.decomposition import non_negative_factorization

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 20 updates are few
        found = non_negative_factorization(
            frames.numpy(),
            activations.numpy().copy(),
            dictionary.numpy().copy(),
            init="custom",
            update_H=learn,
            solver="mu",
            beta_loss=LOSS[divergence],
            tol=0,
            max_iter=20,
        )
    return [torch.from_numpy(factor) for factor in found[:2]]


@pytest.mark.parametrize("divergence", BETA)
def test_the_factors_of_scikit_learn(divergence: str) -> None:
    frames, activations, dictionary = positive(1200, 12), positive(1200, 4, seed=1), positive(4, 12, seed=2)
    expected = sklearn_factors(divergence, frames, activations, dictionary, learn=True)
    factorize(frames, activations, dictionary, BETA[divergence], 20)
    torch.testing.assert_close([activations, dictionary], expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("divergence", BETA)
def test_the_activations_of_scikit_learn(divergence: str) -> None:
    frames, dictionary = positive(30, 12), positive(4, 12, seed=2)
    expected = sklearn_factors(divergence, frames, positive(30, 4), dictionary, learn=False)[0]
    # scikit-learn begins with one level for all frames, of which after 20 updates "is" alone has a trace.
    rtol = 1e-5 if divergence == "is" else 1e-8
    torch.testing.assert_close(solve(frames, dictionary, BETA[divergence], 20), expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("divergence", BETA)
def test_no_update_raises_the_divergence(divergence: str) -> None:
    beta = BETA[divergence]
    frames, activations, dictionary = positive(40, 12), positive(40, 3, seed=1), positive(3, 12, seed=2)
    values = [divergence_of(frames, activations @ dictionary, beta)]
    for _ in range(30):
        factorize(frames, activations, dictionary, beta, 1)
        values.append(divergence_of(frames, activations @ dictionary, beta))
    assert all(after <= before + 1e-12 for before, after in zip(values[:-1], values[1:], strict=True))
    assert values[-1] < 0.8 * values[0]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_training_is_the_online_nmf_of_scikit_learn() -> None:
    """MiniBatchNMF, whose activations start from one level for all frames: that is the same with kl alone."""
    from sklearn.decomposition import MiniBatchNMF

    torch.manual_seed(0)
    model = msbench.load("nmf", targets=["a", "b"], iterations=10, forget_factor=0.8, **SMALL)
    start = model.dictionaries.double().numpy().copy()
    options = {"beta_loss": "kullback-leibler", "init": "custom", "tol": 0, "fresh_restarts_max_iter": 10}
    peers = [MiniBatchNMF(3, fresh_restarts=True, forget_factor=0.8, **options) for _ in range(2)]
    for step in range(4):
        references = noise(2, 2, 1, 800, seed=step)
        logged = model.train_on(msbench.Batch(references.sum(1), references), None, [])
        assert set(logged) == {"a", "b"}
        for i, peer in enumerate(peers):
            frames = model.stft(references[:, i]).abs().mT.reshape(-1, 33).double().numpy()
            peer.partial_fit(frames, W=frames[:, :3] + 1, H=start[i])
            found = model.dictionaries[i].double()
            torch.testing.assert_close(found, torch.from_numpy(peer.components_), rtol=1e-3, atol=1e-6)


def tones(hertz: list[float], seconds: float = 1.0, seed: int = 0) -> Tensor:
    """(1, T): each tone on and off at random."""
    time = torch.arange(round(8000 * seconds)) / 8000
    gates = torch.rand(len(hertz), 20, generator=torch.Generator().manual_seed(seed)).repeat_interleave(
        len(time) // 20, 1
    )
    return sum(0.2 * gate * torch.sin(2 * torch.pi * f * time) for f, gate in zip(hertz, gates, strict=True))[None]


@pytest.mark.parametrize("divergence", BETA)
def test_what_it_learned_takes_a_mixture_apart(divergence: str) -> None:
    torch.manual_seed(0)
    options = {"sample_rate": 8000, "window_samples": 256, "hop_samples": 128, "components": 2}
    model = msbench.load("nmf", targets=["low", "high"], divergence=divergence, **options)
    first = None
    for step in range(25):
        references = torch.stack([tones([300, 520], seed=step), tones([1100, 1700], seed=100 + step)])[None]
        logged = model.train_on(msbench.Batch(references.sum(1), references), None, [])
        first = first or logged
    assert all(logged[name] < 0.5 * first[name] for name in ("low", "high"))
    references = torch.stack([tones([300, 520], seed=50), tones([1100, 1700], seed=150)])[None]
    estimates = model.eval()(references.sum(1))
    ratios = 10 * torch.log10(references.square().sum(3) / (estimates - references).square().sum(3))
    assert ratios.min() > 12
    torch.testing.assert_close(estimates.sum(1), references.sum(1), atol=1e-4, rtol=0)


def test_a_single_target_has_a_dictionary_of_the_rest() -> None:
    torch.manual_seed(0)
    options = {"sample_rate": 8000, "window_samples": 256, "hop_samples": 128, "components": 2}
    model = msbench.load("nmf", targets=["low"], **options)
    for step in range(25):
        low, high = tones([300, 520], seed=step), tones([1100, 1700], seed=100 + step)
        assert set(model.train_on(msbench.Batch((low + high)[None], low[None, None]), None, [])) == {"low", "rest"}
    low, high = tones([300, 520], seed=50), tones([1100, 1700], seed=150)
    estimate = model.eval()((low + high)[None])[0, 0]
    assert estimate.shape == low.shape
    assert 10 * torch.log10(low.square().sum() / (estimate - low).square().sum()) > 12


def test_each_frame_is_separated_by_itself() -> None:
    """So that chunks give what the whole gives."""
    model = msbench.load("nmf", **SMALL).eval()
    spectrogram = noise(1, 1, 33, 20).abs()
    whole = model.mask(spectrogram)
    torch.testing.assert_close(model.mask(spectrogram[..., 7:12]), whole[..., 7:12])


def test_blind_components_are_shared_out_once() -> None:
    model = msbench.load("nmf_blind", components=8, iterations=5)
    mixture = noise(1, 2, 30011)
    estimates = model(mixture)
    torch.testing.assert_close(estimates.sum(1), mixture, atol=1e-5, rtol=0)
    assert torch.equal(estimates, model(mixture))
    frames = positive(9, 2049).float()
    starts = [msbench.load("nmf_blind", seed=seed).start(frames) for seed in (0, 0, 1)]
    assert torch.equal(starts[0][1], starts[1][1])
    assert not torch.equal(starts[0][1], starts[2][1])
    assert (starts[0][0] @ starts[0][1]).sum() == pytest.approx(frames.sum().item(), rel=1e-3)
    vocals = msbench.load("nmf_blind", targets=["vocals"], components=8, iterations=5)(mixture)
    torch.testing.assert_close(vocals[:, 0], estimates[:, 0])


def test_blind_nmf_tells_a_bass_from_strokes() -> None:
    time = torch.arange(3 * 44100) / 44100
    bass = 0.3 * torch.sin(2 * torch.pi * 80 * time) * torch.exp(-8 * (time % 0.5))
    strokes = noise(3 * 44100) * torch.exp(-60 * ((time + 0.25) % 0.5))
    references = {"bass": bass, "drums": strokes}
    estimates = msbench.load("nmf_blind", components=2, targets=list(references))((bass + strokes).repeat(1, 2, 1))
    for estimate, reference in zip(estimates[0, :, 0], references.values(), strict=True):
        assert 10 * torch.log10(reference.square().sum() / (estimate - reference).square().sum()) > 5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nmf", {"divergence": "l2"}, "divergence must be one of kl, is, euclidean, not 'l2'"),
        ("nmf", {"components": 0}, "components must be at least 1, not 0"),
        ("nmf", {"forget_factor": 0.0}, "forget_factor must be above 0 and at most 1, not 0.0"),
        ("nmf_blind", {"iterations": 0}, "iterations must be at least 1, not 0"),
        ("nmf_blind", {"targets": ["piano"]}, "components are assigned to vocals, drums, bass, other, not to 'piano'"),
    ],
)
def test_what_is_refused(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.load(name, **options)
