"""Conv-TasNet: Luo & Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude masking for speech
separation", IEEE/ACM TASLP 27(8), 2019.

As in the paper: a learned filter bank, masks on it from a temporal convolutional network of `repeats` x `blocks` blocks
with dilations 1, 2, 4, ..., global layer normalization, skip connections, and the filter bank's learned inverse. In
place of the learned bank, those of an STFT or of parametrized sinc filters (Pariente et al. 2020,
asteroid-filterbanks). Outputs are asteroid's: frames are whole, so up to a stride of samples at the end is zero.

Differences: a learned bank reads all audio channels and writes as many (as Défossez et al. 2021 train it on music);
the fixed ones read each channel by itself. An input shorter than a frame is padded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from asteroid_filterbanks import STFTFB, Decoder, Encoder, ParamSincFB
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Separator

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
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
        bias: Of the convolutions; Défossez et al. 2021 have none.
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
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if mask not in ACTIVATIONS:
            raise ValueError(f"mask must be one of {', '.join(ACTIVATIONS)}, not '{mask}'")
        if kernel_samples < 2 or kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even and at least 2, not {kernel_samples}")
        if bank not in ("free", *BANKS):
            raise ValueError(f"bank must be one of free, {', '.join(BANKS)}, not '{bank}'")
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
        self.bottleneck = nn.Sequential(_global_norm(features), nn.Conv1d(features, bottleneck, 1, bias=bias))
        self.blocks = nn.ModuleList(
            Block(bottleneck, hidden, skip, kernel, 2**i, bias) for _ in range(repeats) for i in range(blocks)
        )
        if skip:  # nothing reads what the last block passes on: it has its weights in the published models alone
            self.blocks[-1].residual.requires_grad_(False)
        self.mask = nn.Sequential(
            nn.PReLU(),
            nn.Conv1d(skip or bottleneck, len(self.targets) * features, 1, bias=bias),
            ACTIVATIONS[mask](),
        )

    def forward(self, mixture: Tensor) -> Tensor:
        batch, channels, time = mixture.shape
        features = self.encoder(nn.functional.pad(mixture, (0, max(0, self.kernel_samples - time))))
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


def _global_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels, eps=1e-8)  # the paper's gLN, equation 13
