"""Robust PCA of the spectrogram: Huang, Chen, Smaragdis & Hasegawa-Johnson, "Singing-voice separation from monaural
recordings using robust principal component analysis", ICASSP 2012.

The magnitudes D (bins x frames) are split into a matrix A of low rank, the accompaniment, which repeats itself, and a
sparse one E, the voice: minimize |A|_* + lambda |E|_1 subject to A + E = D, by the inexact augmented Lagrangian method
(Lin, Chen & Ma 2010, arXiv:1009.5055). A bin of the mixture goes to the voice where |E| > gain |A|.

Read: the authors' code, posenhuang/singingvoiceseparationrpca (aa43373): `inexact_alm_rpca/inexact_alm_rpca.m` with
mu = 1.25 / sigma_1, rho = 1.5, a tolerance of 1e-7; `rpca_mask_execute.m` with lambda = 1 / sqrt(max(F, N)) and a
hop of a quarter window; `rpca_mask_demo.m` with a window of 1024 samples and a gain of one. Of the paper the abstract
alone. nussl (17368d4, nussl/separation/factorization/rpca.py) differs in three points: it updates A before E, stops
after 100 iterations, and gives all below 100 Hz to the accompaniment. The last is `high_pass_hz`, which is on here: on
the demo songs it brings 1.6 dB of SDR to both targets.

Differences:

- The singular values come from the eigenvalues of D D^T (or D^T D, if that is smaller), in double precision: the same
  decomposition to some 1e-8 of the largest one, at a cost that grows with the smaller side of D alone squared.
- Estimates are as loud as in the mixture; the authors' code scales both to a peak of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from msbench import STFT, Separator

TARGETS = ("vocals", "accompaniment")


class RPCA(Separator):
    """Robust PCA: the voice is what is sparse, the accompaniment what is of low rank (Huang et al. 2012).

    Each channel is separated by itself, each song as a whole.

    Args:
        targets: `vocals`, `accompaniment`, or both.
        sample_rate: Rate in Hz; 16000 in the authors' experiments (unverified: their examples are of MIR-1K).
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT; 1024 and 256 in the authors' code.
        sparsity: Times 1 / sqrt(max(F, N)) it is lambda, the weight of the sparse part; 1 in the authors' code.
        gain: How much louder the sparse part has to be than the other where the voice is; 1 in the authors' code.
        high_pass_hz: Frequency in Hz below which nothing is the voice's; 100 in nussl, 0 in the authors' code.
        tolerance: It ends where |D - A - E| is this share of |D|.
        iterations: The most.

    Raises:
        ValueError: If there is another target, or a number is out of its range.
    """

    trainable = False
    chunking: ClassVar[Literal["any", "song"]] = "song"
    song_memory = 16.0

    def __init__(
        self,
        targets: Sequence[str] = TARGETS,
        sample_rate: int = 16000,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 256,
        sparsity: float = 1.0,
        gain: float = 1.0,
        high_pass_hz: float = 100.0,
        tolerance: float = 1e-7,
        iterations: int = 1000,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if not set(self.targets) <= set(TARGETS):
            raise ValueError(f"RPCA separates vocals and accompaniment, not {', '.join(self.targets)}")
        for name, value in {
            "sparsity": sparsity,
            "gain": gain,
            "tolerance": tolerance,
            "iterations": iterations,
        }.items():
            if value <= 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        if high_pass_hz < 0:
            raise ValueError(f"high_pass_hz must not be below 0 Hz, not {high_pass_hz}")
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples
        self.sparsity = sparsity
        self.gain = gain
        self.lowest_bin = min(self.stft.bins, round(high_pass_hz * window_samples / sample_rate))
        self.tolerance = tolerance
        self.iterations = iterations

    def forward(self, mixture: Tensor) -> Tensor:
        with torch.autocast(mixture.device.type, enabled=False):
            return torch.stack([torch.stack([self._separated(channel) for channel in song], 1) for song in mixture])

    def _separated(self, mixture: Tensor) -> Tensor:
        """(T,) to (S, T)."""
        spectrum = self.stft(mixture)
        voice = self.voice(spectrum.abs())
        masks = {"vocals": voice, "accompaniment": ~voice}
        time = len(mixture)
        return torch.stack([self.stft.inverse(spectrum * masks[target], time) for target in self.targets])

    def voice(self, magnitudes: Tensor) -> Tensor:
        """Where the voice is, of magnitudes (F, N)."""
        low_rank, sparse = decompose(magnitudes.double(), self.sparsity, self.tolerance, self.iterations)
        voice = sparse.abs_() > low_rank.abs_().mul_(self.gain)
        voice[: self.lowest_bin] = False
        return voice


def decompose(matrix: Tensor, sparsity: float, tolerance: float, iterations: int) -> tuple[Tensor, Tensor]:
    """A matrix of low rank and a sparse one whose sum is the matrix (m, n), in double precision.

    Args:
        matrix: D.
        sparsity: Lambda, times sqrt(max(m, n)).
        tolerance: Of the Frobenius norm of D - A - E, as a share of that of D.
        iterations: The most.
    """
    if matrix.shape[0] > matrix.shape[1]:
        low_rank, sparse = decompose(matrix.T.contiguous(), sparsity, tolerance, iterations)
        return low_rank.T, sparse.T
    weight = sparsity / max(matrix.shape) ** 0.5
    norm, largest = float(matrix.norm()), float(matrix.abs().max())
    low_rank = torch.zeros_like(matrix)
    if norm == 0:
        return low_rank, torch.zeros_like(matrix)
    sigma = float(torch.linalg.eigvalsh(matrix @ matrix.T)[-1]) ** 0.5
    multiplier = matrix / max(sigma, largest / weight)  # Y
    mu = 1.25 / sigma
    highest = mu * 1e7
    for _ in range(iterations):
        rest = matrix - low_rank + multiplier / mu
        sparse = torch.nn.functional.softshrink(rest, weight / mu)
        low_rank = _shrunk(matrix - sparse + multiplier / mu, 1 / mu)
        error = matrix - low_rank - sparse
        multiplier += mu * error
        mu = min(1.5 * mu, highest)
        if float(error.norm()) < tolerance * norm:
            break
    return low_rank, sparse


def _shrunk(matrix: Tensor, threshold: float) -> Tensor:
    """The matrix (m, n), m <= n, with its singular values lowered by a threshold, as far as zero."""
    powers, vectors = torch.linalg.eigh(matrix @ matrix.T)
    values = powers.clamp_min(0).sqrt()
    kept = values > threshold
    basis = vectors[:, kept]
    return (basis * (1 - threshold / values[kept])) @ (basis.T @ matrix)
