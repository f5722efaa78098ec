"""Robust PCA against a transcription of the authors' Matlab code and on matrices whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msbench_plugins.rpca import decompose

import msbench


def low_rank_and_sparse(bins: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix of rank two, and one of which a twentieth is not zero."""
    generator = torch.Generator().manual_seed(0)
    low_rank = torch.rand(bins, 2, generator=generator).double() @ torch.rand(2, frames, generator=generator).double()
    sparse = torch.rand(bins, frames, generator=generator).double()
    return low_rank, torch.where(torch.rand(bins, frames, generator=generator) < 0.05, 3 * sparse, 0.0)


def authors(matrix: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """inexact_alm_rpca.m of posenhuang/singingvoiceseparationrpca (aa43373), in numpy."""
    sigma = np.linalg.svd(matrix, compute_uv=False)[0]
    dual = matrix / max(sigma, np.abs(matrix).max() / weight)
    low_rank, mu = np.zeros_like(matrix), 1.25 / sigma
    bound = mu * 1e7
    for _ in range(1000):
        shifted = matrix - low_rank + dual / mu
        sparse = np.maximum(shifted - weight / mu, 0) + np.minimum(shifted + weight / mu, 0)
        left, values, right = np.linalg.svd(matrix - sparse + dual / mu, full_matrices=False)
        low_rank = (left * np.maximum(values - 1 / mu, 0)) @ right
        rest = matrix - low_rank - sparse
        dual = dual + mu * rest
        mu = min(1.5 * mu, bound)
        if np.linalg.norm(rest) < 1e-7 * np.linalg.norm(matrix):
            break
    return low_rank, sparse


@pytest.mark.parametrize("shape", [(40, 70), (70, 40), (33, 1)])
def test_the_parts_of_the_authors_code(shape: tuple[int, int]) -> None:
    matrix = sum(low_rank_and_sparse(*shape))
    expected = authors(matrix.numpy(), 1 / np.sqrt(max(shape)))
    for ours, theirs in zip(decompose(matrix, 1.0, 1e-7, 1000), expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6 * float(matrix.max()))


def test_what_was_added_comes_apart() -> None:
    low_rank, sparse = low_rank_and_sparse(60, 90)
    for found, true in zip(decompose(low_rank + sparse, 1.0, 1e-7, 1000), (low_rank, sparse), strict=True):
        assert (found - true).norm() < 1e-3 * true.norm()


def mixture() -> torch.Tensor:
    """Two seconds: chords that come again, and a gliding voice; (1, T)."""
    time = torch.arange(32000) / 16000
    chords = sum(torch.sin(2 * torch.pi * f * time) for f in (220.0, 277.0, 330.0)) * (1 - (2 * time) % 1)
    return (0.2 * chords + 0.2 * torch.sin(2 * torch.pi * (600 * time + 40 * torch.sin(9 * time)))).unsqueeze(0)


def test_both_estimates_add_up_and_the_voice_has_nothing_low() -> None:
    model = msbench.load("rpca", high_pass_hz=500.0)
    estimates = model(mixture()[None])
    torch.testing.assert_close(estimates.sum(1), mixture()[None], atol=1e-5, rtol=0)
    low = model.stft(estimates[0, 0, 0])[: round(450 * 1024 / 16000)]
    assert low.abs().max() < 1e-2 * model.stft(mixture()[0]).abs().max()
    alone = msbench.load("rpca", high_pass_hz=500.0, targets=["accompaniment"])(mixture()[None])
    assert torch.equal(alone[:, 0], estimates[:, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["drums"]}, "RPCA separates vocals and accompaniment, not drums"),
        ({"gain": 0.0}, "gain must be above 0, not 0.0"),
        ({"iterations": 0}, "iterations must be above 0, not 0"),
        ({"high_pass_hz": -1.0}, "high_pass_hz must not be below 0 Hz, not -1.0"),
    ],
)
def test_what_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.load("rpca", **options)
