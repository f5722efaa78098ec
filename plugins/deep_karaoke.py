"""Binary masks from a fully connected network on a sliding window: Simpson, Roma, Plumbley, "Deep karaoke: extracting
vocals from musical mixtures using a convolutional deep neural network", LVA/ICA 2015 (arXiv:1504.04658).

It was registered as `cnn_mask` until version 0.1.

The text of the paper was not read beyond its abstract. The authors' code was: Matlab by Roma and Simpson, stored in
jaidevd/deep_kareoke_source_separation, which trains by rasmusbergpalm/DeepLearnToolbox. As there: a network reads a
window of 20 frames of 1025 magnitudes and estimates the probability that each bin of the ideal binary mask is one; it
has one hidden layer of sigmoids, as wide as its input (0.84 G parameters, "around a billion" in the abstract); at
inference, the window slides by one frame, which makes the network a convolution, the estimates that overlap are
averaged, and the mask is one where the average is above a threshold. `levels: linear`, `hidden_shift: 6` and the loss
`mse` on the `mask` are the network and the loss of that code; the recipe sets them, at the full size. By default, the
magnitudes come as logarithms, each frequency brought to zero mean and unit variance over the batch, with 256 hidden
units, to be trained with the cross-entropy (`bce`) or with L1 after soft masking (`loss_domain: magnitude`).

Differences:

- The code trains each window by itself, at every 60th frame; here the loss compares the average of the windows.
- The code divides magnitudes by the largest of the training set, and at a test by the largest of the song; here a
  full-scale sine has a magnitude of one half.
- The code brings the mask of a song to the range from 0 to 1, and scores thresholds from 0.01 to 0.91.
- The code begins with uniform weights of four times the range of Glorot & Bengio, biases too; here they are torch's.
- In the code, the test reads the magnitudes of the true vocals in place of the mixture's (sweep_alpha.m, `test_input`).
  Whether the published figures came of that is unverified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator


class DeepKaraoke(SpectrogramSeparator):
    """Binary masks by a network on a sliding window (Simpson et al. 2015).

    Args:
        targets: Stems to estimate, each with a mask of its own; vocals in the paper.
        sample_rate: Rate in Hz.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT.
        frames: Length of the sliding window; 20 in the paper.
        hidden: Units of the hidden layer; 20500 at the paper's size.
        threshold: Of the probability, in inference.
        levels: `log` for normalized logarithms of the magnitudes, or `linear` for the magnitudes.
        hidden_shift: What is subtracted before the sigmoid of the hidden layer; 6 in the authors' code.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
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
        levels: str = "log",
        hidden_shift: float = 0.0,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if frames < 1 or not 0 < threshold < 1:
            raise ValueError(f"frames must be at least 1 and threshold in 0 to 1, not {frames} and {threshold}")
        if levels not in ("log", "linear"):
            raise ValueError(f"levels must be 'log' or 'linear', not '{levels}'")
        self.frames = frames
        self.threshold = threshold
        self.logarithmic = levels == "log"
        inputs = channels * self.stft.bins
        self.network = nn.Sequential(
            nn.BatchNorm1d(inputs) if self.logarithmic else nn.Identity(),
            nn.Conv1d(inputs, hidden, frames, padding=frames - 1),
            ShiftedSigmoid(hidden_shift),
            nn.Conv1d(hidden, frames * len(self.targets) * inputs, 1),
            nn.Sigmoid(),
        )

    def mask(self, spectrogram: Tensor) -> Tensor:
        x = (1 + 1000 * spectrogram).log() if self.logarithmic else spectrogram
        windows = self.network(x.flatten(1, 2)).unflatten(1, (self.frames, -1))  # (B, frames, SCF, windows)
        count = spectrogram.shape[-1]
        # Window w begins at frame w - frames + 1: its k-th estimate is of frame w - frames + 1 + k.
        estimates = [windows[:, k, :, self.frames - 1 - k :][..., :count] for k in range(self.frames)]
        mask = sum(estimates[1:], estimates[0]) / self.frames
        return mask.unflatten(1, (len(self.targets), *spectrogram.shape[1:3]))

    def forward(self, mixture: Tensor) -> Tensor:
        masks, spectrum = self.masks_of(mixture)
        if not self.training:
            masks = (masks > self.threshold).to(spectrum.real.dtype)
        return self.waveforms(masks, spectrum, mixture.shape[-1])


class ShiftedSigmoid(nn.Module):
    """The sigmoid of x - shift."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift).sigmoid()
