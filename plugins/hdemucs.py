"""Hybrid Demucs: Défossez, "Hybrid spectrogram and waveform source separation", 2021, arXiv:2111.03600.

As in the authors' package 4.x (facebookresearch/demucs, demucs/hdemucs.py) with its default options: one branch over
the complex STFT, one over the waveform, which meet after five layers; residual branches in each layer down, with BLSTMs
and local attention from the fifth on; a learned embedding of frequencies. State dicts of that package load as they are:
`msbench.load("hdemucs").load_state_dict(...)`. With the same weights, torchaudio's `HDemucs` gives the same outputs.

Some networks of the MDX challenge 2021 read magnitudes and give their estimates the mixture's phase (`cac=False` in the
package), have a spectrogram's branch that is late, by an error that was there in training (`hybrid_old`), lack group
normalization, or have weights of their own for bands of frequencies (`multi_freqs`): these are options here.

Differences: Wiener filtering with iterations (`wiener_iters`) is not here, as no published network was trained with it
(`outputs.tar.gz` of their repository). The authors normalize a song by the mean
and the deviation of its whole mixture, and their loss compares normalized signals. Here the network normalizes each
chunk, and the loss compares signals as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from msbench import Batch, HybridDemucs, HybridShape

LARGE = 2**18  # values of a weight whose singular values are penalized
RANK, ITERATIONS = 100, 4  # of their estimation


class HDemucs(HybridDemucs):
    """U-Net of a spectrogram and a waveform branch with residual BLSTMs (Défossez 2021).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        filters: Channels of the first layer, doubled by each further one.
        depth: Number of layers down; those after the branches have met convolve over time.
        window_samples: Of the STFT, a power of 4.
        compress: Residual branches have as many channels as their layer, divided by this.
        plain_layers: Layers before those with group normalization, BLSTMs and local attention.
        rescale: Standard deviation that initial weights are brought half way to; 0 leaves them.
        normalize: Whether the mean of the mixture's channels is brought to zero mean and unit deviation, and estimates
            back. `song`: by a separation, for the whole song, as by demucs's command line, and not in training.
        svd_penalty: Weight of the squared largest singular values of large weights in the loss of training.
        spectrum: Whether the spectrogram's branch reads and estimates a `complex` STFT or `magnitudes`.
        late_spectrum: Whether that branch comes 1.5 hops late, as in some models of the MDX challenge.
        deep_norm: Whether the layers after the plain ones have group normalization.
        splits: Where the frequencies of the two outermost layers are split into bands of their own weights, as shares;
            None for one band.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("drums", "bass", "other", "vocals"),
        sample_rate: int = 44100,
        channels: int = 2,
        filters: int = 48,
        depth: int = 6,
        window_samples: int = 4096,
        compress: int = 4,
        plain_layers: int = 4,
        rescale: float = 0.1,
        normalize: bool | Literal["song"] = True,
        svd_penalty: float = 0.0,
        spectrum: Literal["complex", "magnitudes"] = "complex",
        late_spectrum: bool = False,
        deep_norm: bool = True,
        splits: Sequence[float] | None = None,
    ) -> None:
        if spectrum not in ("complex", "magnitudes"):
            raise ValueError(f"spectrum must be 'complex' or 'magnitudes', not {spectrum!r}")
        sizes = (filters, depth, window_samples, compress, plain_layers)
        shape = HybridShape(*sizes, False, spectrum == "complex", deep_norm, tuple(splits or ()))
        super().__init__(targets, sample_rate, channels, shape, rescale, normalize)
        self.late_spectrum = late_spectrum
        if svd_penalty < 0:
            raise ValueError(f"svd_penalty must be at least 0, not {svd_penalty}")
        self.svd_penalty = svd_penalty
        if not any(layer.meets for layer, _ in self.layers):
            raise ValueError(
                f"a window_samples of {window_samples} needs a depth above {depth}, or the branches never meet"
            )

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        loss = criterion(self(batch.mixture), batch.references)
        if self.training and self.svd_penalty:
            with torch.autocast(loss.device.type, enabled=False):  # half precision has no such decomposition
                loss = loss + self.svd_penalty * squared_singular_values(self)
        return loss


def squared_singular_values(module: nn.Module) -> Tensor:
    """The sum, over large weights, of the square of the largest singular value, as a random projection estimates it.

    As `svd_penalty` of the package with conf/svd/base2.yaml. A weight is a matrix of output channels and the rest.
    """
    total = torch.zeros(())
    for layer in module.modules():
        for weight in layer.parameters(recurse=False):
            if weight.numel() >= LARGE and weight.dim() > 1:
                outputs_first = not isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
                matrix = (weight if outputs_first else weight.transpose(0, 1)).flatten(1)
                total = total.to(weight) + torch.svd_lowrank(matrix, min(RANK, *matrix.shape), ITERATIONS)[1][0] ** 2
    return total
