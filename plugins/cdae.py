"""Convolutional denoising autoencoders: Grais & Plumbley, "Single channel audio source separation using convolutional
denoising autoencoders", 2017 (arXiv:1703.08019).

One autoencoder per target maps magnitudes of the mixture to those of the target; the other sources are its noise.
Convolutions of 3 x 3 with ReLU, max-pooling on the way down, nearest-neighbor upsampling on the way up, no skips, no
mask, and the mixture's phase. There is one network per target: `networks()`.

The authors published no code. Of the paper, the abstract and figure 1 could be read, the figure in sevagh/MiXiN fcf165e
(.github/cdae_arch.png). The sizes are those of two public re-implementations, which agree on them:
SahilJindal1/Sound-Separation 00f98d8 (DSP_term_paper.ipynb) and sevagh/MiXiN fcf165e (mixin/mixin_model.py); the last
kernel is 3 x 3 in the first and 1 x 1 in the second. With 3 x 3, an autoencoder has 37,101 parameters. Whether the
paper's table has the same sizes is unverified.

Differences:

- The networks see the whole chunk. In the paper each segment of 15 frames is an image of its own, with zeros around it.
- Bins and frames that pooling does not divide are padded with zeros, which are cut off again.
- The hop of 512 samples is that of an overlap of three quarters; the paper's is unverified. The rate is 44.1 kHz.
- Stereo is separated channel by channel.
- Where the mixture's magnitude is zero, the estimate is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator, initialize

POOLS = (5, 3), (5, 1)  # bins and frames


class CDAE(SpectrogramSeparator):
    """One convolutional denoising autoencoder per target (Grais & Plumbley 2017).

    Args:
        targets: Stems to estimate, each with a network of its own.
        sample_rate: Rate in Hz.
        channels: Audio channels, separated one by one with the same weights; 1 in the paper.
        window_samples, hop_samples: The STFT; a window of 2048 in the paper.
        filters: Maps of the four convolutions down; the three up mirror them.
        initialization: `xavier_uniform` as Keras draws, which both re-implementations use, or another of
            `msbench.initialize`. With `torch`, the last ReLU of about each second network hides all from the start.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 1,
        window_samples: int = 2048,
        hop_samples: int = 512,
        filters: Sequence[int] = (12, 20, 30, 40),
        initialization: str = "xavier_uniform",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if len(filters) != 4 or min(filters) < 1:
            raise ValueError(f"filters must be four numbers of at least 1, not {list(filters)}")
        self.autoencoders = nn.ModuleList(_autoencoder(filters) for _ in self.targets)
        initialize(self.autoencoders, initialization)
        self.stride_samples = 3 * hop_samples  # the frames that are pooled together

    def networks(self) -> Mapping[str, nn.Module]:
        """The autoencoder of each target."""
        return dict(zip(self.targets, self.autoencoders, strict=True))

    def mask(self, spectrogram: Tensor) -> Tensor:
        bins, frames = spectrogram.shape[-2:]
        scaled = spectrogram / self.stft.scale  # as the STFT is without msbench's scale
        images = nn.functional.pad(scaled.flatten(0, 1).unsqueeze(1), (0, -frames % 3, 0, -bins % 25))  # (B C, 1, F, N)
        estimates = torch.cat([autoencoder(images) for autoencoder in self.autoencoders], 1)[..., :bins, :frames]
        estimates = estimates.unflatten(0, spectrogram.shape[:2]).transpose(1, 2)  # (B, S, C, F, N)
        return estimates / scaled.unsqueeze(1).clamp_min(1e-8)


def _autoencoder(filters: Sequence[int]) -> nn.Sequential:
    """(B, 1, F, N) to the same, where F is a multiple of 25 and N one of 3."""
    a, b, c, d = filters
    first, second = POOLS
    return nn.Sequential(
        *_convolution(1, a),
        nn.MaxPool2d(first),
        *_convolution(a, b),
        nn.MaxPool2d(second),
        *_convolution(b, c),
        *_convolution(c, d),
        *_convolution(d, c),
        *_convolution(c, b),
        nn.Upsample(scale_factor=second),
        *_convolution(b, a),
        nn.Upsample(scale_factor=first),
        *_convolution(a, 1),
    )


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU()
