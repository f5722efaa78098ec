"""A learned filter bank in the place of the STFT, and the base of the models that mask it (TasNet's kind)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from msbench.model.separator import Separator


class FilterBankSeparator(Separator):
    """A model that masks a learned filter bank: a strided convolution, masks on its output, and a transposed one.

    A subclass writes `mask(features)` alone; one with another encoder writes `encode(mixture)` too. The bank reads all
    audio channels and writes as many. Frames are whole: where the last one ends before the signal does, fewer samples
    than a stride at the end of the estimates are zero. An input shorter than a frame is padded. Outputs are those of
    asteroid's `BaseEncoderMaskerDecoder` for one channel.

    Args:
        targets, sample_rate, channels: As for `Separator`.
        filters: Filters of the bank.
        kernel_samples: Length of a filter.
        stride_samples: Step from one frame to the next.

    Raises:
        ValueError: If the filters do not cover the signal.
    """

    def __init__(
        self,
        targets: Sequence[str],
        sample_rate: int,
        channels: int,
        filters: int,
        kernel_samples: int,
        stride_samples: int,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if not 1 <= stride_samples <= kernel_samples:
            raise ValueError(
                f"a filter of {kernel_samples} samples and a stride of {stride_samples} do not cover the signal: the "
                "stride must be at least 1 and at most kernel_samples"
            )
        self.kernel_samples = kernel_samples
        self.stride_samples = stride_samples
        self.encoder = nn.Conv1d(channels, filters, kernel_samples, stride_samples, bias=False)
        self.decoder = nn.ConvTranspose1d(filters, channels, kernel_samples, stride_samples, bias=False)

    def encode(self, mixture: Tensor) -> Tensor:
        """(B, C, T) of at least one frame to the features (B, filters, frames)."""
        features: Tensor = self.encoder(mixture)
        return features

    def mask(self, features: Tensor) -> Tensor:
        """The masks (B, S, filters, frames) for features (B, filters, frames)."""
        raise NotImplementedError(f"{type(self).__name__} must define mask(features)")

    def forward(self, mixture: Tensor) -> Tensor:
        time = mixture.shape[-1]
        features = self.encode(nn.functional.pad(mixture, (0, max(0, self.kernel_samples - time))))
        masked = self.mask(features) * features.unsqueeze(1)
        estimates = self.decoder(masked.flatten(0, 1)).unflatten(0, masked.shape[:2])[..., :time]
        return nn.functional.pad(estimates, (0, time - estimates.shape[-1]))
