"""Models that read a mixture's complex STFT as real channels, and estimate those of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from msbench.model.separator import Separator
from msbench.model.stft import STFT


class ComplexSpectrogramSeparator(Separator):
    """A model that estimates complex spectrograms; it owns the STFT and the way back.

    A subclass writes `estimate(spectrogram)` alone. Real and imaginary parts are channels of their own (Choi et al.
    2020, "complex as channels"): left real, left imaginary, right real, right imaginary.

    A mixture is filled up with zeros at its end until the frames are a multiple of what the network needs.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        stft: The transform.
        frame_multiple: The network is given multiples of as many frames.
        chunk_seconds: Length of all chunks of a separation; None for any.

    Raises:
        ValueError: As `Separator`, or if a chunk is shorter than a hop.
    """

    ends_silent: ClassVar[bool] = False  # True: at least one zero is put at a mixture's end, as some authors do
    checkpointing: bool = False  # True: training holds no inner values of what goes through `lean`

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        stft: STFT,
        frame_multiple: int = 1,
        chunk_seconds: float | None = None,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        self.stft = stft
        self.stride_samples = stft.hop_samples
        self.frame_multiple = frame_multiple
        if chunk_seconds is not None:
            if not chunk_seconds * sample_rate >= stft.hop_samples:
                raise ValueError(
                    f"chunk_seconds must be a hop of {stft.hop_samples} samples or more, not {chunk_seconds}"
                )
            self.chunk_samples = round(chunk_seconds * sample_rate)

    def estimate(self, spectrogram: Tensor) -> Tensor:
        """The spectrograms (B, S, 2 C, F', N) for a mixture's (B, 2 C, F, N); bins from F' to F are silent."""
        raise NotImplementedError(f"{type(self).__name__} must define estimate(spectrogram)")

    def forward(self, mixture: Tensor) -> Tensor:
        time = mixture.shape[-1]
        padded = self._padded(time)
        spectrum = self.stft(nn.functional.pad(mixture, (0, padded - time)))
        estimates = self.estimate(torch.view_as_real(spectrum).permute(0, 1, 4, 2, 3).flatten(1, 2)).float()
        estimates = nn.functional.pad(estimates, (0, 0, 0, self.stft.bins - estimates.shape[-2]))
        parts = estimates.unflatten(2, (self.channels, 2)).permute(0, 1, 2, 4, 5, 3).contiguous()
        return self.stft.inverse(torch.view_as_complex(parts), padded)[..., :time]

    def lean(self, block: nn.Module, x: Tensor) -> Any:
        """block(x); with `checkpointing`, training computes it again on the way back, to hold less memory."""
        if self.checkpointing and self.training:
            return checkpoint(block, x, use_reentrant=False)
        return block(x)

    def _padded(self, time: int) -> int:
        """The least number of samples, from `time` on, whose frames are a multiple of the network's."""
        hops = -(-(time + self.ends_silent) // self.stft.hop_samples)
        return self.stft.hop_samples * (hops + -(hops + 1) % self.frame_multiple)
