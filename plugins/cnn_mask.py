"""A mask from a convolutional network: Lin, Balamurali, Koh, Lui, Herremans, "Singing voice separation using a deep
convolutional neural network trained by ideal binary mask and cross entropy", Neural Computing and Applications 2018
(arXiv:1812.01278).

As in the authors' code, EdwardLin2014/CNN-with-IBM-for-Singing-Voice-Separation (2aa6c93, 02_DSD100Project): the
network reads 9 frames of 2049 magnitudes and says of each of these bins how probable it is that the voice is louder
than all the rest. Two pairs of 3 x 12 convolutions (time x frequency), each followed by a maximum over 12 bins, then
three dense layers; ReLU, dropout of one half before the first two dense layers; the padding is TensorFlow's; weights
begin as in Glorot & Bengio 2010, biases at 0.1. Training takes patches that begin 8 frames apart, and the cross-entropy
to the ideal binary mask, whose values are 0.02 and 0.98 for DSD100 (0 and 1 for iKala). Inference slides the patch
frame by frame and keeps the middle frame. What is below a threshold becomes zero: 0.15 on DSD100, 0.35 on iKala.

Before, the network is trained as an autoencoder, on what the ideal mask leaves of the mixture (`stage: autoencoder`,
the recipe cnn_mask_autoencoder); `--init_from` then begins the training of masks with its weights.

Until version 0.1, `cnn_mask` was the name of what is now `deep_karaoke`; checkpoints and recipes of that are recognized
by their options.

Differences:

- Where two patches of the training share a frame, the loss compares the mean of their estimates.
- Beyond both ends there are zeros; the code has the smallest magnitude of the excerpt.
- The estimates are probabilities that lose their last digits near one; the code computes the loss from what is before
  the sigmoid.
- The last target is what the others leave, as the accompaniment in the code. With more than two targets, which the
  paper has not, each other has a mask of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from msbench import STFT, Batch, SpectrogramSeparator, initialize

KERNEL = (3, 12)  # frames x bins of each convolution
MASKS, AUTOENCODER = "masks", "autoencoder"


class CnnMask(SpectrogramSeparator):
    """Convolutional network that finds the ideal binary mask (Lin et al. 2018).

    Args:
        targets: Stems to estimate; vocals and accompaniment in the paper.
        sample_rate: Rate in Hz; 22050 in the paper.
        channels: Audio channels; 1 in the paper, which takes each channel by itself.
        window_samples, hop_samples: The STFT; 1024 and 256 in the paper.
        fft_samples: The window is filled up with zeros to this length; 4096 in the paper.
        patch_frames: Frames that the network reads at a time, an odd number; 9 in the paper.
        filters: Of the four convolutions; 32, 16, 64 and 32 in the paper.
        pooled_bins: Over which a maximum is taken after each pair of convolutions; 12 in the paper.
        units: Of the two hidden dense layers; 2048 and 512 in the paper.
        dropout: Before each of them; 0.5 in the paper.
        logarithmic: Whether the network reads log(1 + 1000 x) of the magnitudes x; not in the paper.
        threshold: Masks below it become zero in inference; 0.15 in the paper for DSD100, 0.35 for iKala.
        binary: Whether the others become one.
        remainder: Whether the mask of the last of several targets is one minus the sum of the others.
        stage: `masks`, or `autoencoder` for the training before it.
        label_margin: By how much the ideal mask stays from zero and one in training; 0.02 in the code for DSD100.
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("mask", "magnitude", "waveform")
    renamed: ClassVar[Mapping[str, str]] = dict.fromkeys(("frames", "hidden", "levels", "hidden_shift"), "deep_karaoke")

    def __init__(
        self,
        targets: Sequence[str] = ("vocals", "accompaniment"),
        sample_rate: int = 22050,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 256,
        fft_samples: int = 4096,
        patch_frames: int = 9,
        filters: Sequence[int] = (32, 16, 64, 32),
        pooled_bins: int = 12,
        units: Sequence[int] = (2048, 512),
        dropout: float = 0.5,
        logarithmic: bool = False,
        threshold: float = 0.15,
        binary: bool = False,
        remainder: bool = True,
        stage: str = MASKS,
        label_margin: float = 0.02,
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if patch_frames < 3 or patch_frames % 2 == 0:
            raise ValueError(f"patch_frames must be an odd number of at least 3, not {patch_frames}")
        if len(filters) != 4 or len(units) != 2 or min(*filters, *units, pooled_bins) < 1:
            raise ValueError(
                f"filters must be four numbers and units two, and these and pooled_bins at least 1, not {filters}, "
                f"{units} and {pooled_bins}"
            )
        if not 0 <= threshold < 1 or not 0 <= label_margin < 0.5:
            raise ValueError(
                f"threshold must be from 0 to below 1 and label_margin below 0.5, not {threshold} and {label_margin}"
            )
        if stage not in (MASKS, AUTOENCODER):
            raise ValueError(f"stage must be '{MASKS}' or '{AUTOENCODER}', not '{stage}'")
        self.stft = STFT(window_samples, hop_samples, fft_samples=fft_samples)
        self.patch_frames, self.threshold, self.binary = patch_frames, threshold, binary
        self.logarithmic = logarithmic
        self.remainder = remainder and len(self.targets) > 1
        self.stage, self.label_margin = stage, label_margin
        self.network = _Network(channels, self.stft.bins, patch_frames, filters, pooled_bins, units, dropout, self._own)
        self.stride_samples = hop_samples * (patch_frames - 1)

    @property
    def _own(self) -> int:
        """How many targets have a mask that the network finds."""
        return len(self.targets) - self.remainder

    def mask(self, spectrogram: Tensor) -> Tensor:
        masks = self._averaged(spectrogram) if self.training else self._middles(spectrogram)
        if self.remainder:
            masks = torch.cat([masks, (1 - masks.sum(1, keepdim=True)).clamp_min(0)], 1)
        if self.training:
            return masks
        kept = masks >= self.threshold
        return kept.to(masks.dtype) if self.binary else masks * kept

    def _averaged(self, spectrogram: Tensor) -> Tensor:
        """Magnitudes (B, C, F, N) to masks (B, S, C, F, N), from patches that have one frame in common."""
        count, step = spectrogram.shape[-1], self.patch_frames - 1
        padded = nn.functional.pad(spectrogram, (0, (1 - count) % step + step * (count == 1)))
        patches = padded.unfold(-1, self.patch_frames, step)  # (B, C, F, patches, frames)
        masks = self._on_patches(patches)
        # The last frame of a patch is the next one's first.
        first = torch.cat([masks[..., :1, :1], (masks[..., 1:, :1] + masks[..., :-1, -1:]) / 2], -2)
        joined = torch.cat([first, masks[..., 1:-1]], -1).flatten(-2)
        return torch.cat([joined, masks[..., -1, -1:]], -1)[..., :count]

    def _middles(self, spectrogram: Tensor) -> Tensor:
        half = self.patch_frames // 2
        patches = nn.functional.pad(spectrogram, (half, half)).unfold(-1, self.patch_frames, 1)
        excerpts = patches.split(32, -2)  # each patch has 30 times more values inside the network than here
        return torch.cat([self._on_patches(each)[..., half] for each in excerpts], -1)

    def _on_patches(self, patches: Tensor) -> Tensor:
        """(B, C, F, patches, frames) to (B, S, C, F, patches, frames)."""
        batch, _, _, count, _ = patches.shape
        patches = (1 + 1000 * patches).log() if self.logarithmic else patches
        masks = self.network(patches.permute(0, 3, 1, 4, 2).flatten(0, 1))  # (B patches, S, C, frames, F)
        return masks.unflatten(0, (batch, count)).permute(0, 2, 3, 5, 1, 4)

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor | Mapping[str, Tensor]:
        """As the criterion's domain asks; with the domain `mask`, to the softened ideal mask or to the magnitudes."""
        if getattr(criterion, "domain", "waveform") != "mask":
            return super().loss(batch, criterion)
        spectrum = self.stft(batch.mixture).unsqueeze(1)
        true = self.stft(batch.references)
        ideal = (true.abs() > (spectrum - true).abs()).to(true.real.dtype)
        if self.stage == MASKS:
            masks = self.mask(spectrum.squeeze(1).abs())
            return criterion(masks, ideal.clamp(self.label_margin, 1 - self.label_margin))
        heard = (ideal * spectrum.abs()).clamp(max=1)[:, : self._own]
        estimates = [self.mask(heard[:, i])[:, i] for i in range(self._own)]  # of each target from that target
        return criterion(torch.stack(estimates, 1), heard)


class _Network(nn.Module):
    """Patches (B, C, frames, F) to probabilities (B, S, C, frames, F)."""

    def __init__(
        self,
        channels: int,
        bins: int,
        frames: int,
        filters: Sequence[int],
        pooled: int,
        units: Sequence[int],
        dropout: float,
        targets: int,
    ) -> None:
        super().__init__()
        widths = [channels, *filters]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, KERNEL, padding="same") for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.pooled = pooled
        left = ceil(ceil(bins / pooled) / pooled)
        self.dense = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(filters[-1] * frames * left, units[0]),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(units[0], units[1]),
            nn.ReLU(),
            nn.Linear(units[1], targets * channels * frames * bins),
        )
        self.shape = (targets, channels, frames, bins)
        initialize(self, "xavier_uniform")
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                nn.init.constant_(layer.bias, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x).relu()
            if i % 2:
                missing = -x.shape[-1] % self.pooled  # zeros are no maximum after a ReLU
                x = nn.functional.pad(x, (missing // 2, missing - missing // 2))
                x = nn.functional.max_pool2d(x, (1, self.pooled))
        x = self.dense(x.permute(0, 2, 3, 1).flatten(1))  # as TensorFlow orders them: frames, bins, filters
        return x.sigmoid().unflatten(1, self.shape)
