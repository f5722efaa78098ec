"""The plugin contract: a model is one subclass of `Separator`, or of `SpectrogramSeparator` if it masks a STFT.

Shapes use the letters B (batch), S (targets), C (channels), T (samples), F (frequency bins) and N (STFT frames).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from msbench.model.phase import Phase
from msbench.model.stft import STFT, are_whole
from msbench.system.bounded import shown

HIGHEST_RATE, MOST_CHANNELS = 1_000_000, 256  # that audio is resampled and adapted to
MUSDB_TARGETS = ("vocals", "drums", "bass", "other")


class Batch(NamedTuple):
    """What a training step sees, at the model's own rate and channel count."""

    mixture: Tensor  # (B, C, T)
    references: Tensor  # (B, S, C, T), in the order of the model's targets


class Separator(nn.Module):
    """A model that maps a mixture to one estimate per target.

    A subclass calls `super().__init__(targets, sample_rate, channels)` and writes `forward`. Its constructor's
    signature is its configuration: every argument becomes a field of the recipe and a flag of `msbench fit`.

    Args:
        targets: Names of the stems that the model estimates, in the order of its output.
        sample_rate: The rate in Hz that the model works at; other audio is resampled around it.
        channels: The channel count that the model works at; other audio is adapted around it.

    Raises:
        ValueError: If there is no target, a target is named twice, or the rate or channel count is below one, no whole
            number, or above the limits.
    """

    trainable: ClassVar[bool] = True  # False: no weights to fit (oracles, floors); `msbench fit` refuses it
    needs_references: ClassVar[bool] = False  # True: forward(mixture, references); for oracles alone
    loss_domains: ClassVar[tuple[str, ...]] = ("waveform",)
    own_training: ClassVar[bool] = False  # True: `train_on` is its training step, and `optimizers` what it needs
    training_parts: ClassVar[tuple[str, ...]] = ()  # attributes that training alone needs: no board counts them
    whole_loss: ClassVar[bool] = True  # False: `loss` compares some targets alone, so that their sum is not known
    role: ClassVar[Literal["system", "floor", "ceiling"]] = "system"  # on a board: "system", "floor" or "ceiling"

    chunking: ClassVar[Literal["any", "song"]] = "any"  # "song": it is given each song whole, whatever the chunks
    song_memory: float = 4.0  # with "song": bytes it needs for each byte of audio in and out (32-bit floats)
    # It is given chunks of this length, whatever the inference options say; of an ensemble, its models without one are.
    chunk_samples: int | None = None
    normalizes_songs: bool = False  # True: a separation brings a song to zero mean and unit deviation before, and back

    stereo_only: ClassVar[bool] = False  # True: it compares two channels, so mono audio is refused, not copied to two
    renamed: ClassVar[Mapping[str, str]] = {}  # option -> name of the model that had it, and this name, before
    revision: ClassVar[int] = 1  # raised where the same options and weights come to give other estimates
    stride_samples: int = 1  # chunks start at multiples of this, so that a strided model sees the same grid in each
    registered: dict[str, Any] | None = None  # {"name", "options"} as `msbench.load` built it; kept in checkpoints

    origin: dict[str, Any] | None = None  # {"name", "sha256", "licence", "training"}, by `msbench.trained`

    def __init__(self, targets: Sequence[str], sample_rate: int, channels: int) -> None:
        super().__init__()
        if not _are_names(targets) or len(set(targets)) != len(targets):
            raise ValueError(f"targets must be one or more different names, not {shown(targets)}")
        if not are_whole(sample_rate, channels):
            raise ValueError(f"sample_rate and channels must be whole numbers, not {shown([sample_rate, channels])}")
        if sample_rate < 1 or channels < 1:
            raise ValueError(f"sample_rate and channels must be at least 1, not {sample_rate} and {channels}")
        if sample_rate > HIGHEST_RATE or channels > MOST_CHANNELS:
            raise ValueError(
                f"sample_rate and channels must be at most {HIGHEST_RATE} and {MOST_CHANNELS}, not "
                f"{shown(sample_rate)} and {shown(channels)}"
            )
        self.targets = list(targets)
        self.sample_rate = sample_rate
        self.channels = channels

    def forward(self, mixture: Tensor) -> Tensor:
        """Separate: (B, C, T) to (B, S, C, T) for every T of at least one sample."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(mixture)")

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """The training loss of one batch, a scalar. Override it for a loss that needs more than the estimates.

        Where a model `normalizes_songs`, each chunk is normalized as a song of its own.

        Returns:
            A scalar, or named scalars: their mean is minimized, and each is logged as `train_loss_<name>` and
            `val_loss_<name>`.
        """
        if not self.normalizes_songs:
            return criterion(self(batch.mixture), batch.references)
        mono = batch.mixture.mean(1, keepdim=True)
        mean, deviation = mono.mean(-1, keepdim=True), mono.std(-1, keepdim=True)
        estimates = self((batch.mixture - mean) / (1e-5 + deviation))
        return criterion(estimates * deviation[:, None] + mean[:, None], batch.references)

    def padded_length(self, time: int) -> int:
        """The samples that it makes of `time` before its first layer, if it pads its input; `time` for any other.

        With `window` "triangle", a separation gives it real audio there in the place of its padding.
        """
        return self.chunk_samples or time

    def networks(self) -> Mapping[str, nn.Module]:
        """The network of each target, of a model that has one for each; empty for any other.

        Such a model can be trained target by target (`separator.targets: [vocals]`), and `msbench join` makes one
        checkpoint of several.
        """
        return {}

    def combines(self) -> Sequence[Separator]:
        """The models that it combines, of an ensemble: a record counts their costs, and names where they are from."""
        return ()

    def combined(self, estimates: Sequence[Tensor]) -> Tensor:
        """Of an ensemble: what its models estimate, each (its targets, C, T), as one (S, C, T).

        A separation runs each model as it runs it alone, with its own rate, chunks and normalization, and calls this on
        chunks at the ensemble's rate, which start at multiples of `stride_samples`.
        """
        raise NotImplementedError(f"{type(self).__name__} combines models: it must define combined(estimates)")

    def optimizers(self, build: Callable[[Iterable[nn.Parameter]], Optimizer]) -> list[Optimizer]:
        """With `own_training`: the optimizers that `train_on` is given. None are needed for a closed form.

        Args:
            build: Makes the optimizer of the recipe (`model.optimizer`) for some parameters.
        """
        return [build(self.parameters())]

    def train_on(
        self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor], optimizers: Sequence[Optimizer]
    ) -> Tensor | Mapping[str, Tensor]:
        """With `own_training`: learn from one batch, all of it: gradients, steps, or whatever changes the weights.

        All that is learned must be in parameters and buffers. Several processes average gradients before each step of
        an optimizer; a model without one is trained by a single process.

        Returns:
            What is logged, as `loss` returns it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define train_on(batch, criterion, optimizers)")

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Look at the training songs before the first step, as for the mean of what the model reads.

        A run calls it once: not where it is resumed, nor where it begins with the weights of a checkpoint.

        Args:
            batches: Every song from its start to its end in chunks, without augmentation; nothing is read before it is
                asked for. On several devices each is given all of them.
        """


def _are_names(targets: Any) -> bool:
    return isinstance(targets, Sequence) and bool(targets) and all(isinstance(each, str) for each in targets)


class SpectrogramSeparator(Separator):
    """A model that masks the mixture's STFT; it owns the STFT, the phase and the way back.

    A subclass writes `mask(spectrogram)` alone, and passes `**phase` on, so that the phase is one of its options. It is
    given magnitudes (B, C, F, N), or the complex STFT where `complex_input` is set, and returns one mask per target,
    (B, S, C, F, N), real or complex. A full-scale sine has a magnitude of about one half, whatever the window.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        window_samples: Length of the Hann window and of the FFT.
        hop_samples: Step from one frame to the next.
        phase: Of the estimates in evaluation mode: `mixture`, `griffin_lim` or `wiener` (see `msbench.model.phase`).
            Training goes by the mixture's.
        phase_iterations: 32 of `griffin_lim` and 1 of `wiener` when None.
        phase_momentum: Of `griffin_lim`; 0 is the algorithm of 1984.
        phase_frames: Of the excerpts that `wiener` filters one by one.
        phase_residual: Whether `wiener` has a source for what the estimates leave; when None, with one target alone.

    Raises:
        ValueError: As `Separator`, or if an option of the STFT or of the phase is out of its range.
    """

    complex_input: ClassVar[bool] = False
    loss_domains: ClassVar[tuple[str, ...]] = ("waveform", "magnitude")

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        window_samples: int,
        hop_samples: int,
        *,
        phase: str = "mixture",
        phase_iterations: int | None = None,
        phase_momentum: float = 0.99,
        phase_frames: int = 300,
        phase_residual: bool | None = None,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        self.estimate_phase = Phase(phase, phase_iterations, phase_momentum, phase_frames, phase_residual)
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples

    def mask(self, spectrogram: Tensor) -> Tensor:
        """The masks (B, S, C, F, N) for a spectrogram (B, C, F, N)."""
        raise NotImplementedError(f"{type(self).__name__} must define mask(spectrogram)")

    def masks_of(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """The masks (B, S, C, F, N) of a mixture (B, C, T), and its STFT (B, C, F, N)."""
        spectrum = self.stft(mixture)
        return self.mask(spectrum if self.complex_input else spectrum.abs()), spectrum

    def forward(self, mixture: Tensor) -> Tensor:
        return self.waveforms(*self.masks_of(mixture), mixture.shape[-1])

    def waveforms(self, masks: Tensor, spectrum: Tensor, time: int) -> Tensor:
        """The estimates (B, S, C, time) by masks (B, S, C, F, N) on a mixture's STFT (B, C, F, N).

        In evaluation mode they get the phase that the options ask for. Training keeps the mixture's: Griffin-Lim would
        make each step as long as a hundred transforms, and the Wiener filter leaves little of what a mask is taught.
        """
        masked = masks * spectrum.unsqueeze(1)
        if not self.training:
            masked = self.estimate_phase.applied(masked, spectrum, self.stft, time)
        return self.stft.inverse(masked, time)

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        return self.masked_loss(*self.masks_of(batch.mixture), batch.references, criterion)

    def masked_loss(
        self, masks: Tensor, spectrum: Tensor, references: Tensor, criterion: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """The loss of masks (B, S, C, F, N) on a mixture's STFT (B, C, F, N), in the criterion's domain.

        That is `waveform`; `magnitude`, |mask x mixture| against |references|; or `mask`, the mask against the ideal
        binary one, which is 1 where a reference is louder than all the rest (Wang 2005).
        """
        domain = getattr(criterion, "domain", "waveform")
        masked = masks * spectrum.unsqueeze(1)
        if domain == "waveform":
            return criterion(self.stft.inverse(masked, references.shape[-1]), references)
        true = self.stft(references)
        if domain == "mask":
            return criterion(masks, (true.abs() > (spectrum.unsqueeze(1) - true).abs()).to(masks.dtype))
        return criterion(masked.abs(), true.abs())


def separate_batch(separator: Separator, mixture: Tensor, references: Tensor | None = None) -> Tensor:
    """Call a separator, with the references where it asks for them.

    Raises:
        ValueError: If it needs references and none are given, or its output has not the shape (B, S, C, T).
    """
    if separator.needs_references:
        if references is None:
            raise ValueError(
                f"{type(separator).__name__} is an oracle: it needs the true stems, which only `msbench evaluate` has"
            )
        estimates = separator(mixture, references)
    else:
        estimates = separator(mixture)
    batch, channels, time = mixture.shape
    expected = (batch, len(separator.targets), channels, time)
    if not isinstance(estimates, torch.Tensor) or tuple(estimates.shape) != expected:
        shape = tuple(estimates.shape) if isinstance(estimates, torch.Tensor) else type(estimates).__name__
        raise ValueError(f"{type(separator).__name__}.forward returned {shape}; the contract is {expected}")
    return estimates
