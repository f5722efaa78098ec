"""Soft masks by an LSTM: a student report on DSD100.

The report itself could not be found again; what is taken from it is what the notes of this project say of it: a window
of 258 samples with a hop of 129, of whose 130 bins 129 are used, chunks of 100 frames, two LSTM layers, each followed
by a leaky ReLU, and a dense layer of sigmoids for a soft mask; cross-entropy (`bce` on the `mask`), or L1 after masking
(`loss_domain: magnitude`). The report found that a stem may be louder than the mixture, so that its mask would have to
be above one, and asked for two outputs with m1 = y1 / (y1 + y2): `output: ratio`, here for any number of targets.

Unverified, and chosen here: the sample rate, the width of the layers, the slope of the leaky ReLU, the optimizer and
its rate.

Differences: the cross-entropy is taken against the ideal binary mask, as a ratio of magnitudes may be above one; the
130th bin (Nyquist) gets the mask of the 129th; the network reads log(1 + 1000 x), x being the magnitude, each frequency
brought to zero mean and unit variance by batch normalization, without which a small one hardly learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator

OUTPUTS = ("mask", "ratio")


class LSTMMask(SpectrogramSeparator):
    """Soft masks by two LSTM layers (a student report on DSD100).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT; 258 and 129 in the report.
        hidden: Units of each LSTM layer.
        layers: Number of LSTM layers; 2 in the report.
        bidirectional: Whether each layer reads the frames backwards too.
        negative_slope: Of the leaky ReLU after each LSTM layer.
        output: `mask` for a sigmoid per target, or `ratio` for outputs that share out the mixture,
            m_i = y_i / (y_1 + ... + y_S).
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    loss_domains: ClassVar[tuple[str, ...]] = ("mask", "magnitude", "waveform")

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 8000,
        channels: int = 1,
        window_samples: int = 258,
        hop_samples: int = 129,
        hidden: int = 256,
        layers: int = 2,
        bidirectional: bool = False,
        negative_slope: float = 0.3,
        output: str = "mask",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, not '{output}'")
        if output == "ratio" and len(self.targets) < 2:
            raise ValueError("output 'ratio' shares the mixture among two or more targets: give one more, or 'mask'")
        if layers < 1 or hidden < 1:
            raise ValueError(f"layers and hidden must be at least 1, not {layers} and {hidden}")
        self.shares = output == "ratio"
        self.negative_slope = negative_slope
        bins = channels * (self.stft.bins - 1)
        wide = hidden * (2 if bidirectional else 1)
        self.norm = nn.BatchNorm1d(bins)
        self.layers = nn.ModuleList(
            nn.LSTM(width, hidden, batch_first=True, bidirectional=bidirectional)
            for width in [bins, *[wide] * (layers - 1)]
        )
        self.dense = nn.Linear(wide, len(self.targets) * bins)

    def mask(self, spectrogram: Tensor) -> Tensor:
        x = self.norm((1 + 1000 * spectrogram[:, :, :-1]).log().flatten(1, 2)).transpose(1, 2)  # (B, N, CF)
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x)[0], self.negative_slope)
        channels, bins = spectrogram.shape[1:3]
        masks = self.dense(x).sigmoid().transpose(1, 2).unflatten(1, (-1, channels, bins - 1))
        if self.shares:
            masks = masks / masks.sum(1, keepdim=True).clamp_min(1e-8)
        return nn.functional.pad(masks, (0, 0, 0, 1, 0, 0), mode="replicate")
