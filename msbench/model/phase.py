"""Which phase the estimates of a model get that finds magnitudes alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from msbench.model.griffin_lim import griffin_lim
from msbench.model.stft import STFT, are_whole
from msbench.model.wiener import wiener
from msbench.system.wording import did_you_mean

ITERATIONS = {"mixture": 0, "griffin_lim": 32, "wiener": 1}  # where none are given
MOST_ITERATIONS = 10_000  # that an option of a checkpoint may ask for


@dataclass(frozen=True)
class Phase:
    """How masked spectra become the spectra that are inverted.

    Attributes:
        method: `mixture` keeps the mixture's phase; `griffin_lim` looks for phases that fit the magnitudes, beginning
            with the mixture's; `wiener` filters the mixture with what the magnitudes say of all sources together.
        iterations: Of the method; 32 of `griffin_lim` and 1 of `wiener` when None.
        momentum: Of `griffin_lim`.
        frames: Of the excerpts that `wiener` filters one by one, each with spatial covariances of its own.
        residual: Whether `wiener` has one more source, what the estimates leave of the mixture; when None, only where
            there is one target.

    Raises:
        ValueError: If there is no such method, or a number is out of its range.
    """

    method: str = "mixture"
    iterations: int | None = None
    momentum: float = 0.99
    frames: int = 300
    residual: bool | None = None

    def __post_init__(self) -> None:
        if self.method not in ITERATIONS:
            hint = did_you_mean(str(self.method), ITERATIONS)
            raise ValueError(f"phase must be one of {', '.join(ITERATIONS)}, not '{self.method}'. {hint}".rstrip(". "))
        asked = 0 if self.iterations is None else self.iterations
        if not are_whole(asked, self.frames) or not 0 <= asked <= MOST_ITERATIONS or self.frames < 1:
            raise ValueError(
                f"phase_iterations must be a whole number from 0 to {MOST_ITERATIONS} and phase_frames one of at least "
                f"1, not {asked} and {self.frames}"
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"phase_momentum must be from 0 to below 1, not {self.momentum}")

    def applied(self, masked: Tensor, mixture: Tensor, stft: STFT, time: int) -> Tensor:
        """Masked spectra (B, S, C, F, N) of a mixture (B, C, F, N) of so many samples, with their new phases."""
        iterations = ITERATIONS[self.method] if self.iterations is None else self.iterations
        if iterations == 0:
            return masked
        if self.method == "griffin_lim":
            return griffin_lim(masked, stft, time, iterations, self.momentum)
        targets = masked.shape[1]
        residual = targets == 1 if self.residual is None else self.residual
        songs = []
        for estimates, song in zip(masked / stft.scale, mixture / stft.scale, strict=True):
            excerpts = zip(estimates.split(self.frames, -1), song.split(self.frames, -1), strict=True)
            refined = [wiener(*excerpt, iterations, residual=residual)[:targets] for excerpt in excerpts]
            songs.append(torch.cat(refined, -1))
        return torch.stack(songs) * stft.scale
