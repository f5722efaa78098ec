"""Conv-TasNet: Luo & Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude masking for speech
separation", IEEE/ACM TASLP 27(8), 2019.

As in the paper: a learned filter bank, masks on it from a temporal convolutional network of `repeats` x `blocks` blocks
with dilations 1, 2, 4, ..., global layer normalization, skip connections, and the filter bank's learned inverse. In
place of the learned bank, those of an STFT or of parametrized sinc filters (Pariente et al. 2020,
asteroid-filterbanks). Outputs are asteroid's: frames are whole, so up to a stride of samples at the end is zero.

Défossez et al. 2021 (arXiv:1911.13254) train another variant on music, facebookresearch/demucs, branch v2,
demucs/tasnet.py. `conv_tasnet.yaml` is that one: a ReLU after the bank, the first normalization per frame, no skip
connections, biases or PReLU before the masks, and weights drawn as Glorot & Bengio 2010 (normal).

Differences: a learned bank reads all audio channels and writes as many, as in the variant for music; the fixed ones
read each channel by itself. An input shorter than a frame is padded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from asteroid_filterbanks import STFTFB, Decoder, Encoder, ParamSincFB
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Separator, initialize

ACTIVATIONS = {"none": nn.Identity, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}
BANKS = {"stft": STFTFB, "sinc": ParamSincFB}


class ConvTasNet(Separator):
    """Masks on a learned filter bank (Luo & Mesgarani 2019); letters in brackets are the paper's.

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        filters: Filters of the bank [N].
        kernel_samples: Their length [L]; the stride is half of it.
        bottleneck: Channels between blocks [B].
        hidden: Channels within a block [H].
        skip: Channels of the skip connections [Sc]; 0 for none: masks come from the last block alone.
        kernel: Taps of the depthwise convolutions [P].
        blocks: Blocks in a repeat, the last with dilation 2^(blocks - 1) [X].
        repeats: How often they are repeated [R].
        mask: `sigmoid` or `relu`.
        bank: `free` (learned), `stft` or `sinc`.
        bias: Of the convolutions.
        encoder_activation: What follows the bank, `none` or `relu`.
        first_norm: Normalization of the bank's output over channels and frames, `global` (gLN), or over the channels of
            each frame, `channel` (cLN).
        mask_prelu: Whether a PReLU comes before the convolution of the masks.
        initialization: Of the weights, as `msbench.initialize` takes it; `xavier_normal` is that of tasnet.py, which
            draws the scales and shifts of normalizations too.
        normalize: `song`: a separation brings each song to zero mean and unit deviation, and estimates back, as the
            authors of the variant for music do; training does so for each chunk.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        filters: int = 512,
        kernel_samples: int = 16,
        bottleneck: int = 128,
        hidden: int = 512,
        skip: int = 128,
        kernel: int = 3,
        blocks: int = 8,
        repeats: int = 3,
        mask: str = "sigmoid",
        bank: str = "free",
        bias: bool = True,
        encoder_activation: str = "none",
        first_norm: str = "global",
        mask_prelu: bool = True,
        initialization: str = "torch",
        normalize: Literal["song"] | None = None,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        for option, value, known in (
            ("mask", mask, ("sigmoid", "relu")),
            ("bank", bank, ("free", *BANKS)),
            ("encoder_activation", encoder_activation, ("none", "relu")),
            ("first_norm", first_norm, ("global", "channel")),
        ):
            if value not in known:
                raise ValueError(f"{option} must be one of {', '.join(known)}, not '{value}'")
        if normalize not in (None, "song"):
            raise ValueError(f"normalize must be null or 'song', not {normalize!r}")
        self.normalizes_songs = normalize == "song"
        if kernel_samples < 2 or kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even and at least 2, not {kernel_samples}")
        self.kernel_samples = kernel_samples + int(bank == "sinc")  # those are symmetric: odd
        self.stride_samples = kernel_samples // 2
        self.encoder: nn.Module
        self.decoder: nn.Module
        if bank == "free":
            self.encoder = nn.Conv1d(channels, filters, kernel_samples, self.stride_samples, bias=False)
            self.decoder = nn.ConvTranspose1d(filters, channels, kernel_samples, self.stride_samples, bias=False)
            self.layout: tuple[int, ...] = (filters,)
        else:
            size = (filters, self.kernel_samples, self.stride_samples)
            analysis, synthesis = (BANKS[bank](*size, sample_rate=sample_rate) for _ in range(2))
            self.encoder = Encoder(analysis, as_conv1d=False)
            self.decoder = Decoder(synthesis)
            self.layout = (channels, analysis.n_feats_out)
        features = math.prod(self.layout)
        self.activation = ACTIVATIONS[encoder_activation]()
        norm = _global_norm(features) if first_norm == "global" else ChannelNorm(features, eps=1e-8)
        self.bottleneck = nn.Sequential(norm, nn.Conv1d(features, bottleneck, 1, bias=bias))
        self.blocks = nn.ModuleList(
            Block(bottleneck, hidden, skip, kernel, 2**i, bias) for _ in range(repeats) for i in range(blocks)
        )
        if skip:  # nothing reads what the last block passes on: it has its weights in the published models alone
            self.blocks[-1].residual.requires_grad_(False)
        self.mask = nn.Sequential(
            nn.PReLU() if mask_prelu else nn.Identity(),
            nn.Conv1d(skip or bottleneck, len(self.targets) * features, 1, bias=bias),
            ACTIVATIONS[mask](),
        )
        initialize(self, initialization)
        if initialization == "xavier_normal":
            self._draw_as_tasnet()

    def _draw_as_tasnet(self) -> None:
        """Scales and shifts, which are 1 x n x 1 in tasnet.py, and the decoder, which is a linear layer there."""
        for norm in self.modules():
            if isinstance(norm, nn.GroupNorm | ChannelNorm):
                for parameter in norm.parameters():
                    nn.init.xavier_normal_(parameter.data[None, :, None])
        if isinstance(self.decoder, nn.ConvTranspose1d):
            nn.init.xavier_normal_(self.decoder.weight.data.flatten(1))

    def forward(self, mixture: Tensor) -> Tensor:
        batch, channels, time = mixture.shape
        features = self.activation(self.encoder(nn.functional.pad(mixture, (0, max(0, self.kernel_samples - time)))))
        x = self.bottleneck(features.flatten(1, -2))  # (B, features, frames)
        skips: Tensor | None = None
        for block in self.blocks:
            x, skip = block(x)
            if skip is not None:
                skips = skip if skips is None else skips.add_(skip)  # in place: a fifth less time on long inputs
        masks = self.mask(x if skips is None else skips).unflatten(1, (-1, *self.layout))  # (B, S, ..., frames)
        estimates = self.decoder((masks * features.unsqueeze(1)).flatten(0, 1))
        estimates = estimates.reshape(batch, -1, channels, estimates.shape[-1])[..., :time]
        return nn.functional.pad(estimates, (0, time - estimates.shape[-1]))


class Block(nn.Module):
    """One block of the temporal convolutional network (figure 1C of the paper)."""

    def __init__(self, channels: int, hidden: int, skip: int, kernel: int, dilation: int, bias: bool) -> None:
        super().__init__()
        padding = (kernel - 1) * dilation // 2
        self.body = nn.Sequential(
            nn.Conv1d(channels, hidden, 1, bias=bias),
            nn.PReLU(),
            _global_norm(hidden),
            nn.Conv1d(hidden, hidden, kernel, padding=padding, dilation=dilation, groups=hidden, bias=bias),
            nn.PReLU(),
            _global_norm(hidden),
        )
        self.residual = nn.Conv1d(hidden, channels, 1, bias=bias)
        self.skip = nn.Conv1d(hidden, skip, 1, bias=bias) if skip else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, channels, frames) to the input of the next block, and the skip (B, skip, frames)."""
        y = self.body(x)
        return self.residual(y).add_(x), self.skip(y) if self.skip else None


class ChannelNorm(nn.LayerNorm):
    """Layer normalization of each frame over its channels, as the cLN of demucs' tasnet.py."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, frames) to the same."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def _global_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels, eps=1e-8)  # the paper's gLN, equation 13
