"""Non-negative matrix factorization of spectrograms, with dictionaries from training data and without.

A spectrogram V (frames x bins) is modeled as H W: each row of the dictionary W is a spectrum, and each column of the
activations H says when and how loudly it sounds. Multiplicative updates (Lee & Seung 2001) lower the divergence of V
from H W: Kullback-Leibler or Euclidean on magnitudes, Itakura-Saito on powers. With beta = 1, 2 or 0 they are

    H <- H * ((V * M^(beta - 2)) W^T / (M^(beta - 1) W^T))^gamma, where M = H W,

and the same for W, with gamma = 1, or 1/2 for Itakura-Saito, so that no update raises the divergence (Févotte & Idier
2011, "Algorithms for nonnegative matrix factorization with the beta-divergence"). scikit-learn's solver "mu" has the
same updates: sklearn/decomposition/_nmf.py, release 1.9.1. Our floor below which M does not fall is 1e-12, and
scikit-learn's 1.2e-7; the quiet bins of a power spectrogram lie between the two.

`NMF` learns one dictionary per target from the training split, and separates a mixture with all of them side by side:
mask = H_j W_j / H W. So do Grais & Erdogan 2011, "Single channel speech music separation using nonnegative matrix
factorization and spectral masks" (of its text the beginning alone could be read, so its sizes are unverified).

`BlindNMF` factorizes each song by itself, and has to guess which component belongs to which target; the rule is that
of `msbench.stems_of_components`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from msbench import (
    MUSDB_TARGETS,
    STFT,
    Batch,
    Separator,
    SpectrogramSeparator,
    require_known_stems,
    stems_of_components,
)

BETA = {"kl": 1, "is": 0, "euclidean": 2}
EPS = 1e-12  # the model of a bin is at least this
TINY = 1e-30  # of denominators
BLOCK = 512  # frames at a time, so that they stay in the processor's cache from update to update


class NMF(SpectrogramSeparator):
    """NMF with one dictionary per target, learned from the training split without an optimizer.

    Each batch of the training is a step of online NMF (Lefèvre, Bach & Févotte 2011; MiniBatchNMF of scikit-learn): the
    activations of the batch are solved for, and the dictionary follows from sums over all batches, of which earlier
    ones count less and less.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels; each is separated by itself, with the same dictionaries.
        window_samples, hop_samples: The STFT.
        components: Of each target.
        divergence: `kl`, `is` (Itakura-Saito) or `euclidean`.
        iterations: Updates of the activations, in training and in separation.
        forget_factor: What the sums of earlier batches are multiplied by at each batch.
        rest: Whether what the targets leave of the mixture has a dictionary too, which is needed where they do not add
            up to it. None: if there is one target.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.

    Raises:
        ValueError: If there is no such divergence, or a number is out of its range.
    """

    own_training: ClassVar[bool] = True
    training_parts: ClassVar[tuple[str, ...]] = ("numerators", "denominators")

    dictionaries: Tensor  # (S, K, F), S counting the rest
    numerators: Tensor  # (S, K, F)
    denominators: Tensor  # (S, K, F)

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 1,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        components: int = 40,
        divergence: str = "kl",
        iterations: int = 50,
        forget_factor: float = 0.95,
        rest: bool | None = None,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        self.beta = beta_of(divergence)
        require_positive(components=components, iterations=iterations)
        if not 0 < forget_factor <= 1:
            raise ValueError(f"forget_factor must be above 0 and at most 1, not {forget_factor}")
        self.iterations = iterations
        self.forget_factor = forget_factor
        self.rest = len(self.targets) == 1 if rest is None else rest
        start = 0.1 + torch.rand(len(self.targets) + self.rest, components, self.stft.bins)
        start = start / start.sum(2, keepdim=True)
        self.register_buffer("dictionaries", start)
        self.register_buffer("numerators", start.clone())
        self.register_buffer("denominators", torch.ones_like(start))

    def mask(self, spectrogram: Tensor) -> Tensor:
        batch, channels, _, count = spectrogram.shape
        with torch.autocast(spectrogram.device.type, enabled=False):
            frames = spectra_of(spectrogram, self.beta)
            masks = torch.cat([self._masks(block) for block in frames.split(BLOCK)], 1)  # (S, B C N, F)
        return masks[: len(self.targets)].unflatten(1, (batch, channels, count)).permute(1, 0, 2, 4, 3)

    def _masks(self, frames: Tensor) -> Tensor:
        """(n, F) to (S, n, F)."""
        activations = solve(frames, self.dictionaries.flatten(0, 1), self.beta, self.iterations)
        parts = activations.unflatten(1, self.dictionaries.shape[:2]).transpose(0, 1) @ self.dictionaries
        return parts / parts.sum(0).clamp_min(TINY)

    def optimizers(self, build: Any) -> list[torch.optim.Optimizer]:
        return []

    @torch.no_grad()
    def train_on(self, batch: Batch, criterion: Any, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
        """A step of online NMF; gives each target's divergence, relative to its magnitudes (bins, with `is`)."""
        signals = batch.references
        if self.rest:
            signals = torch.cat([signals, (batch.mixture - signals.sum(1)).unsqueeze(1)], 1)
        logged = {}
        with torch.autocast(signals.device.type, enabled=False):
            for i, name in enumerate([*self.targets, "rest"][: signals.shape[1]]):
                frames = spectra_of(self.stft(signals[:, i]).abs(), self.beta)
                logged[name] = self._learn(i, frames)
        return logged

    def _learn(self, i: int, frames: Tensor) -> Tensor:
        """Update dictionary i by frames (n, F)."""
        dictionary = self.dictionaries[i]
        activations = torch.cat([solve(block, dictionary, self.beta, self.iterations) for block in frames.split(BLOCK)])
        loss = divergence_of(frames, (activations @ dictionary).clamp_min(EPS), self.beta)
        above, below = statistics(frames, activations, dictionary, self.beta)
        self.numerators[i].mul_(self.forget_factor).add_(
            above * (dictionary.square() if self.beta == 0 else dictionary)
        )
        self.denominators[i].mul_(self.forget_factor).add_(below)
        dictionary.copy_(damped(self.numerators[i] / self.denominators[i].clamp_min(TINY), self.beta))
        return loss


class BlindNMF(Separator):
    """NMF of each song by itself, its components clustered into vocals, drums, bass and other.

    The channels share one dictionary. A component goes to one stem as a whole, by its pitch range and by how its
    activation moves (`msbench.stems_of_components`): a guess, whose constants are from synthesized songs.

    Args:
        targets: Stems to estimate, of vocals, drums, bass and other.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT; the rule was made for a hop of some 23 ms.
        components: Of all stems together.
        divergence: `kl`, `is` (Itakura-Saito) or `euclidean`.
        iterations: Updates of activations and dictionary.
        seed: Of the random values that both begin with.

    Raises:
        ValueError: If there is another target or divergence, or a number is out of its range.
    """

    trainable = False
    chunking: ClassVar[Literal["any", "song"]] = "song"
    song_memory = 7.0

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        components: int = 60,
        divergence: str = "kl",
        iterations: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        require_known_stems(self.targets)
        require_positive(components=components, iterations=iterations)
        self.beta = beta_of(divergence)
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples
        self.components = components
        self.iterations = iterations
        self.seed = seed

    def forward(self, mixture: Tensor) -> Tensor:
        with torch.autocast(mixture.device.type, enabled=False):
            return torch.stack([self._separated(song) for song in mixture])

    def _separated(self, mixture: Tensor) -> Tensor:
        """(C, T) to (S, C, T)."""
        spectrum = self.stft(mixture)  # (C, F, N)
        frames = spectra_of(spectrum.abs(), self.beta)  # (C N, F)
        activations, dictionary = self.start(frames)
        factorize(frames, activations, dictionary, self.beta, self.iterations)
        heard = activations.unflatten(0, (self.channels, -1)).sum(0).T
        stems = stems_of_components(dictionary, heard, self.sample_rate / self.stft.window_samples)
        whole = torch.mm(activations, dictionary, out=frames).clamp_min_(TINY)
        estimates = []
        for target in self.targets:
            chosen = [i for i, stem in enumerate(stems) if stem == target]
            masks = (activations[:, chosen] @ dictionary[chosen]).div_(whole)
            masked = spectrum * masks.unflatten(0, (self.channels, -1)).mT
            estimates.append(self.stft.inverse(masked, mixture.shape[-1]))
        return torch.stack(estimates)

    def start(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Random activations (n, K) and dictionary (K, F) whose product has the mean of the frames (n, F)."""
        generator = torch.Generator().manual_seed(self.seed)
        shapes = (len(frames), self.components), (self.components, frames.shape[1])
        activations, dictionary = (0.1 + torch.rand(*shape, generator=generator).to(frames.device) for shape in shapes)
        dictionary /= dictionary.sum(1, keepdim=True)
        return activations * (frames.sum() / activations.sum().clamp_min(TINY)), dictionary


def beta_of(divergence: str) -> int:
    if divergence not in BETA:
        raise ValueError(f"divergence must be one of {', '.join(BETA)}, not {divergence!r}")
    return BETA[divergence]


def require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}")


def damped(factor: Tensor, beta: int) -> Tensor:
    """To the power of gamma."""
    return factor.sqrt() if beta == 0 else factor


def spectra_of(magnitudes: Tensor, beta: int) -> Tensor:
    """(..., F, N) to what is factorized, (n, F)."""
    frames = magnitudes.mT.reshape(-1, magnitudes.shape[-2])
    return frames.square() if beta == 0 else frames.contiguous()


def solve(frames: Tensor, dictionary: Tensor, beta: int, iterations: int) -> Tensor:
    """The activations (n, K) of frames (n, F) by a dictionary (K, F); each frame's depend on that frame alone."""
    level = frames.sum(1, keepdim=True) / dictionary.sum().clamp_min(TINY)
    activations = level.repeat(1, len(dictionary))
    for _ in range(iterations):
        update_activations(frames, activations, dictionary, beta)
    return activations


def factorize(frames: Tensor, activations: Tensor, dictionary: Tensor, beta: int, iterations: int) -> None:
    """Update activations (n, K) and dictionary (K, F) of frames (n, F) in place, in turns."""
    for _ in range(iterations):
        above, below = torch.zeros_like(dictionary), torch.zeros_like(dictionary)
        for block, active in zip(frames.split(BLOCK), activations.split(BLOCK), strict=True):
            update_activations(block, active, dictionary, beta)
            parts = statistics(block, active, dictionary, beta)
            above += parts[0]
            below += parts[1]
        dictionary *= damped(above / below.clamp_min_(TINY), beta)


def update_activations(frames: Tensor, activations: Tensor, dictionary: Tensor, beta: int) -> None:
    """In place."""
    above, below = _ratios(frames, activations, dictionary, beta)
    scale = dictionary.sum(1) if below is None else below @ dictionary.T
    activations *= damped((above @ dictionary.T) / scale.clamp_min(TINY), beta)


def statistics(frames: Tensor, activations: Tensor, dictionary: Tensor, beta: int) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of a dictionary's update, (K, F) and (K, F) or (K, 1)."""
    above, below = _ratios(frames, activations, dictionary, beta)
    return activations.T @ above, activations.sum(0).unsqueeze(1) if below is None else activations.T @ below


def _ratios(frames: Tensor, activations: Tensor, dictionary: Tensor, beta: int) -> tuple[Tensor, Tensor | None]:
    """V M^(beta - 2) and M^(beta - 1), which is one with beta = 1 and then None."""
    model = (activations @ dictionary).clamp_min_(EPS)
    if beta == 1:
        return torch.div(frames, model, out=model), None
    if beta == 2:
        return frames, model
    inverse = model.reciprocal_()
    return frames * inverse * inverse, inverse


def divergence_of(frames: Tensor, model: Tensor, beta: int) -> Tensor:
    """Relative to the sum of the frames (of their squares with beta = 2), or the mean over all bins with beta = 0."""
    if beta == 0:
        ratio = frames.clamp_min(EPS) / model
        return (ratio - ratio.log() - 1).mean()
    if beta == 1:
        return (torch.xlogy(frames, frames / model) - frames + model).sum() / frames.sum().clamp_min(TINY)
    return (frames - model).square().sum() / (2 * frames.square().sum().clamp_min(TINY))
