"""Binary masks from a convolutional network: Simpson, Roma, Plumbley, "Deep karaoke: extracting vocals from musical
mixtures using a convolutional deep neural network", LVA/ICA 2015 (arXiv:1504.04658).

As in the paper: a network reads windows of the mixture's magnitudes and estimates the probability that each bin of the
ideal binary mask is one; the window slides by one frame, which makes it a convolution, and the estimates that overlap
are averaged; the mask is binary at inference, where the probability is above a threshold. Trained with the
cross-entropy against the ideal binary mask (`loss_domain: mask`), or with L1 after soft masking (`magnitude`).

The paper has "around a billion parameters": one hidden layer of sigmoids as wide as its input of 20 frames of 1025 bins
has 0.84 G, and is how we read it; the recipe is of that size, the default has 256 hidden units. Differences: magnitudes
come as logarithms, each frequency brought to zero mean and unit variance over the batch, where the paper scales each
song (which a stream cannot); Adam in place of gradient descent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator


class CnnMask(SpectrogramSeparator):
    """Binary masks by a network on a sliding window (Simpson et al. 2015).

    Args:
        targets: Stems to estimate, each with a mask of its own; vocals in the paper.
        sample_rate: Rate in Hz.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT.
        frames: Length of the sliding window; 20 in the paper.
        hidden: Units of the hidden layer; 20500 at the paper's size.
        threshold: Of the probability, in inference.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("mask", "magnitude", "waveform")

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 1,
        window_samples: int = 2048,
        hop_samples: int = 512,
        frames: int = 20,
        hidden: int = 256,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if frames < 1 or not 0 < threshold < 1:
            raise ValueError(f"frames must be at least 1 and threshold in 0 to 1, not {frames} and {threshold}")
        self.frames = frames
        self.threshold = threshold
        inputs = channels * self.stft.bins
        self.network = nn.Sequential(
            nn.BatchNorm1d(inputs),
            nn.Conv1d(inputs, hidden, frames, padding=frames - 1),
            nn.Sigmoid(),
            nn.Conv1d(hidden, frames * len(self.targets) * inputs, 1),
            nn.Sigmoid(),
        )

    def mask(self, spectrogram: Tensor) -> Tensor:
        levels = (1 + 1000 * spectrogram).log().flatten(1, 2)
        windows = self.network(levels).unflatten(1, (self.frames, -1))  # (B, frames, SCF, windows)
        count = spectrogram.shape[-1]
        # Window w begins at frame w - frames + 1: its k-th estimate is of frame w - frames + 1 + k.
        estimates = [windows[:, k, :, self.frames - 1 - k :][..., :count] for k in range(self.frames)]
        mask = sum(estimates[1:], estimates[0]) / self.frames
        return mask.unflatten(1, (len(self.targets), *spectrogram.shape[1:3]))

    def forward(self, mixture: Tensor) -> Tensor:
        masks, spectrum = self.masks_of(mixture)
        if not self.training:
            masks = (masks > self.threshold).to(spectrum.real.dtype)
        return self.stft.inverse(masks * spectrum.unsqueeze(1), mixture.shape[-1])
