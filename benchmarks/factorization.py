"""Factorizations of a spectrogram compared with scikit-learn's and with the singular value decomposition of nussl.

    python benchmarks/factorization.py [--seconds 60] [--repeats 3] [--only nmf]

Each pair works on the same seeded matrix and ends at the same result, which the last column says how far apart; times
are medians of runs in turns. A ratio is theirs divided by ours: above 1, ours is faster.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from msbench_plugins.ica import unmixing_matrix
from msbench_plugins.nmf import factorize, solve
from msbench_plugins.rpca import decompose
from torch import Tensor

Pair = tuple[Callable[[], Tensor], Callable[[], Tensor]]
LOSSES = {1: "kullback-leibler", 0: "itakura-saito"}


def spectrogram(seconds: float, rate: int, window: int, hop: int) -> Tensor:
    """Magnitudes (n, F) of notes that begin and die away over a little noise."""
    generator = torch.Generator().manual_seed(0)
    frames, bins = round(seconds * rate / hop), window // 2 + 1
    notes = torch.rand(12, bins, generator=generator) ** 8
    gates = torch.rand(frames, 12, generator=generator) ** 4
    return gates @ notes + 0.01 * torch.rand(frames, bins, generator=generator)


def nmf(seconds: float, beta: int, learn: bool) -> Pair:
    """50 updates of 40 components, of the activations alone or of the dictionary too."""
    from sklearn.decomposition import non_negative_factorization

    frames = spectrogram(seconds, 44100, 4096, 1024)
    generator = torch.Generator().manual_seed(1)
    dictionary = 0.1 + torch.rand(40, frames.shape[1], generator=generator)
    activations = 0.1 + torch.rand(len(frames), 40, generator=generator)

    def ours() -> Tensor:
        if not learn:
            return solve(frames, dictionary, beta, 50) @ dictionary
        active, learned = activations.clone(), dictionary.clone()
        factorize(frames, active, learned, beta, 50)
        return active @ learned

    def theirs() -> Tensor:
        options = {"init": "custom", "solver": "mu", "beta_loss": LOSSES[beta], "tol": 0, "max_iter": 50}
        start = (activations.numpy().copy(), dictionary.numpy().copy())
        active, learned, _ = non_negative_factorization(frames.numpy(), *start, update_H=learn, **options)
        return torch.from_numpy(active @ learned)

    return ours, theirs


def rpca(seconds: float) -> Pair:
    """Ten steps, and the same with numpy's singular value decomposition."""
    matrix = spectrogram(seconds, 16000, 1024, 256).T.double().contiguous()

    def theirs() -> Tensor:
        array, weight = matrix.numpy(), 1 / max(matrix.shape) ** 0.5
        sigma = np.linalg.svd(array, compute_uv=False)[0]
        dual, low_rank, mu = array / max(sigma, array.max() / weight), np.zeros_like(array), 1.25 / sigma
        for _ in range(10):
            shifted = array - low_rank + dual / mu
            sparse = np.sign(shifted) * np.maximum(np.abs(shifted) - weight / mu, 0)
            left, values, right = np.linalg.svd(array - sparse + dual / mu, full_matrices=False)
            low_rank = left @ np.diag(np.maximum(values - 1 / mu, 0)) @ right
            dual += mu * (array - low_rank - sparse)
            mu *= 1.5
        return torch.from_numpy(low_rank)

    return lambda: decompose(matrix, 1.0, 1e-7, 10)[0], theirs


def ica(seconds: float) -> Pair:
    """Two channels to two sources, until both stop turning."""
    from sklearn.decomposition import FastICA

    sources = torch.rand(2, round(seconds * 44100), generator=torch.Generator().manual_seed(0)) ** 3
    mixture = torch.tensor([[0.7, 0.9], [0.75, 0.2]]) @ sources

    def theirs() -> Tensor:
        model = FastICA(2, w_init=np.eye(2), whiten="unit-variance", whiten_solver="eigh", tol=1e-4)
        return torch.from_numpy(model.fit(mixture.numpy().T).components_).abs().sort(0)[0].double()

    def ours() -> Tensor:
        unmixing = unmixing_matrix(mixture, 200, 1e-4)
        assert unmixing is not None
        return unmixing.abs().sort(0)[0]

    return ours, theirs


CASES: dict[str, Callable[[float], Pair]] = {
    "nmf, kl, activations": lambda seconds: nmf(seconds, 1, False),
    "nmf, kl, both factors": lambda seconds: nmf(seconds, 1, True),
    "nmf, is, both factors": lambda seconds: nmf(seconds, 0, True),
    "rpca": rpca,
    "ica": ica,
}


def measured(pair: Pair, repeats: int) -> tuple[list[float], float]:
    """Median seconds of ours and theirs, and how far apart they end, as a share of the norm."""
    times: tuple[list[float], list[float]] = ([], [])
    results: list[Tensor] = []
    for repeat in range(repeats + 1):
        results = []
        for kept, run in zip(times, pair, strict=True):
            started = time.perf_counter()
            results.append(run())
            if repeat:  # the first warms up
                kept.append(time.perf_counter() - started)
    return [median(kept) for kept in times], float((results[0] - results[1]).norm() / results[1].norm())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of cases")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # that 50 updates are few
    print(f"torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} threads\n")
    print("| case | ours s | theirs s | ratio | apart |\n|---|---|---|---|---|")
    for name, case in CASES.items():
        if name.startswith(tuple(options.only)):
            (ours, theirs), apart = measured(case(options.seconds), options.repeats)
            print(f"| {name} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} | {apart:.1e} |", flush=True)


if __name__ == "__main__":
    main()
