"""Independent component analysis of two channels, and independent subspace analysis of a spectrogram.

`ICA` takes the two channels for two mixtures of two sources (Comon 1994), and unmixes them by FastICA (Hyvärinen & Oja
2000): symmetric, with tanh, on whitened channels, as scikit-learn's FastICA does (sklearn/decomposition/_fastica.py,
release 1.9.1), which nussl calls (17368d4, nussl/separation/factorization/ica.py). nussl gives the two sources as mono
signals of any order, scaled to the peak of the mixture. Here each estimate is a source's image in both channels, at the
level it has in the mixture, so that the two add up to it. Which one is the voice is a rule of ours: the one nearer to
the middle of the stereo image.

`ISA` is after Casey & Westner, "Separation of mixed audio sources by independent subspace analysis", ICMC 2000. The
magnitude spectrogram is projected on its first singular vectors, ICA makes the projections independent, and each of
these with its spectrum is one component. Of the paper the abstract was read (MERL TR2001-31), and two codes: Casey's
AudioSpectrumBasis.m of MPEG-7 (in yuta1016/Graduation_Research, 582fd1a), which this is up to the algorithm of ICA
(JADE there by default, FastICA as an option), and I. Orife's `ISA.cpp` of 2001, which gives each component the phase of
the mixture.

Differences of `ISA`:

- The paper groups components by an "ixegram", the matrix of their cross-entropies. How it partitions that, and how
  groups get names, could not be read. Here `msbench.stems_of_components` assigns each component to a stem.
- The paper tracks components over short blocks of time. Here one analysis covers the song, as in both codes.
- Components may be negative. A stem gets the mask max(0, M_j) / sum of max(0, M_i), where M_j is the sum of its
  components; Orife's code gives M_j itself the mixture's phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from msbench import MUSDB_TARGETS, STFT, Separator, require_known_stems, stems_of_components

TARGETS = ("vocals", "accompaniment")
BLOCK = 2**16  # samples at a time, so that they stay in the processor's cache
SINGULAR = 1e-10  # share of the power in the first direction below which there is no second one
TINY = 1e-30


class ICA(Separator):
    """FastICA of the two channels of a song; the source nearer to the middle is taken for the voice.

    Args:
        targets: `vocals`, `accompaniment`, or both.
        sample_rate: Rate in Hz.
        channels: 2.
        iterations: The most; 200 in scikit-learn.
        tolerance: It ends where no direction turns by more, 1 - |cos|; 1e-4 in scikit-learn.

    Raises:
        ValueError: If there are not two channels, there is another target, or a number is not above 0; in separation,
            if both channels hold the same.
    """

    trainable = False
    chunking: ClassVar[Literal["any", "song"]] = "song"
    song_memory = 2.0

    def __init__(
        self,
        targets: Sequence[str] = TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if channels != 2:
            raise ValueError(f"ICA separates two channels into two sources: channels must be 2, not {channels}")
        if not set(self.targets) <= set(TARGETS):
            raise ValueError(f"ICA separates {' and '.join(TARGETS)}, not {', '.join(self.targets)}")
        require_positive(iterations=iterations, tolerance=tolerance)
        self.iterations = iterations
        self.tolerance = tolerance

    def forward(self, mixture: Tensor) -> Tensor:
        with torch.autocast(mixture.device.type, enabled=False):
            return torch.stack([self._separated(song) for song in mixture.float()])

    def _separated(self, mixture: Tensor) -> Tensor:
        """(2, T) to (S, 2, T)."""
        refuse_mono(mixture)
        unmixing = unmixing_matrix(mixture, self.iterations, self.tolerance)
        if unmixing is None:  # silence, or too few samples to tell: left and right
            unmixing = torch.eye(2, dtype=torch.float64, device=mixture.device)
        mixing = torch.linalg.inv(unmixing)
        voice = int((mixing.sum(0).abs() / mixing.norm(dim=0)).argmax())
        chosen = [voice if target == "vocals" else 1 - voice for target in self.targets]
        images = torch.stack([torch.outer(mixing[:, i], unmixing[i]) for i in chosen]).to(mixture.dtype)
        return images @ mixture


class ISA(Separator):
    """Independent components of a magnitude spectrogram, assigned to vocals, drums, bass and other.

    Args:
        targets: Stems to estimate, of vocals, drums, bass and other.
        sample_rate: Rate in Hz.
        channels: Audio channels; they share the spectra of the components.
        window_samples, hop_samples: The STFT; the rule that assigns components was made for a hop of some 23 ms.
        components: How many, of all stems together.
        iterations, tolerance: As for `ICA`.

    Raises:
        ValueError: If there is another target, or a number is not above 0.
    """

    trainable = False
    chunking: ClassVar[Literal["any", "song"]] = "song"
    song_memory = 7.5

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 22050,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 512,
        components: int = 20,
        iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        require_known_stems(self.targets)
        require_positive(components=components, iterations=iterations, tolerance=tolerance)
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples
        self.components = components
        self.iterations = iterations
        self.tolerance = tolerance

    def forward(self, mixture: Tensor) -> Tensor:
        with torch.autocast(mixture.device.type, enabled=False):
            return torch.stack([self._separated(song) for song in mixture])

    def _separated(self, mixture: Tensor) -> Tensor:
        """(C, T) to (S, C, T)."""
        spectrum = self.stft(mixture)  # (C, F, N)
        activations, spectra = self.independent(spectrum.abs().mT.flatten(0, 1))
        heard = activations.abs().unflatten(0, (self.channels, -1)).sum(0).T
        stems = stems_of_components(spectra, heard, self.sample_rate / self.stft.window_samples)
        parts = {}
        for stem in sorted(set(stems)):
            chosen = [i for i, name in enumerate(stems) if name == stem]
            parts[stem] = (activations[:, chosen] @ spectra[chosen]).clamp_min_(0)
        whole = torch.stack(list(parts.values())).sum(0).clamp_min_(TINY)
        estimates = []
        for target in self.targets:
            masks = parts[target] / whole if target in parts else torch.zeros_like(whole)
            masked = spectrum * masks.unflatten(0, (self.channels, -1)).mT
            estimates.append(self.stft.inverse(masked, mixture.shape[-1]))
        return torch.stack(estimates)

    def independent(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Activations (n, K) and spectra (K, F) whose product is the best approximation of frames (n, F) of rank K."""
        basis = singular_vectors(frames, self.components)
        projections = (frames @ basis).T  # (K, n)
        unmixing = unmixing_matrix(projections, self.iterations, self.tolerance)
        if unmixing is None:
            return projections.T, basis.T
        mixing = torch.linalg.inv(unmixing).to(frames.dtype)
        return (unmixing.to(frames.dtype) @ projections).T, (basis @ mixing).T


def require_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if number <= 0:
            raise ValueError(f"{name} must be above 0, not {number}")


def singular_vectors(frames: Tensor, count: int) -> Tensor:
    """The right singular vectors of the largest singular values of (n, F), at most `count`: (F, K), K at least 1."""
    powers, vectors = torch.linalg.eigh(frames.T.double() @ frames.double())
    kept = int((powers > SINGULAR * powers[-1]).sum().clamp(1, count))
    return vectors[:, -kept:].to(frames.dtype)


def refuse_mono(mixture: Tensor) -> None:
    """Refuse two channels (2, T) that hold one signal; a single sample or silence says nothing of that.

    Raises:
        ValueError: If one channel is the other one times a number.
    """
    powers = torch.linalg.eigvalsh(gram(mixture))
    if mixture.shape[1] > 1 and powers[1] > 0 and powers[0] <= SINGULAR * powers[1]:
        raise ValueError(
            "ICA unmixes two channels that differ, and both of this mixture hold the same signal: it is mono, give a "
            "stereo mixture"
        )


def gram(signals: Tensor) -> Tensor:
    """The products of signals (D, n) with one another, summed in double precision: (D, D)."""
    blocks = (block.double() for block in signals.split(BLOCK, dim=1))
    return torch.stack([block @ block.T for block in blocks]).sum(0)


def unmixing_matrix(signals: Tensor, iterations: int, tolerance: float) -> Tensor | None:
    """The matrix (D, D) that makes signals (D, n) independent and of unit variance, by symmetric FastICA with tanh.

    It starts with the directions of the largest variance, and works in double precision.

    Returns:
        None where the signals do not vary in D directions.
    """
    count = signals.shape[1]
    mean = signals.mean(1, keepdim=True, dtype=torch.float64)
    powers, vectors = torch.linalg.eigh(gram(signals) / count - mean @ mean.T)
    if powers[0] <= SINGULAR * powers[-1]:
        return None
    whitening = (vectors / powers.sqrt()).T.flip(0)
    rotation = torch.eye(len(signals), dtype=torch.float64, device=signals.device)
    for _ in range(iterations):
        turned, slopes = torch.zeros_like(rotation), torch.zeros_like(mean)
        for block in signals.split(BLOCK, dim=1):
            white = whitening @ (block - mean)
            bent = torch.tanh_(rotation @ white)
            turned += bent @ white.T
            slopes += bent.shape[1] - bent.square_().sum(1, keepdim=True)
        before, rotation = rotation, decorrelated((turned - slopes * rotation) / count)
        if float(((rotation * before).sum(1).abs() - 1).abs().max()) < tolerance:
            break
    return rotation @ whitening


def decorrelated(rotation: Tensor) -> Tensor:
    """The nearest orthogonal matrix, (W W^T)^(-1/2) W."""
    left, _, right = torch.linalg.svd(rotation)
    return left @ right
