"""Conv-TasNet: Luo & Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude masking for speech
separation", IEEE/ACM TASLP 27(8), 2019.

As in the paper: a learned filter bank, masks on it from a temporal convolutional network of `repeats` x `blocks` blocks
with dilations 1, 2, 4, ..., global layer normalisation, skip connections, and the filter bank's learned inverse.

Differences: the filter bank reads all audio channels and writes as many (Défossez et al. 2021 train it on music so);
an input of another length is padded with zeros to whole frames, so that its last samples are estimated too.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Separator

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


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
        skip: Channels of the skip connections [Sc].
        kernel: Taps of the depthwise convolutions [P].
        blocks: Blocks in a repeat, the last with dilation 2^(blocks - 1) [X].
        repeats: How often they are repeated [R].
        mask: `sigmoid` or `relu`.
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
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        if mask not in ACTIVATIONS:
            raise ValueError(f"mask must be one of {', '.join(ACTIVATIONS)}, not '{mask}'")
        if kernel_samples < 2 or kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even and at least 2, not {kernel_samples}")
        self.kernel_samples = kernel_samples
        self.stride_samples = kernel_samples // 2
        self.encoder = nn.Conv1d(channels, filters, kernel_samples, self.stride_samples, bias=False)
        self.decoder = nn.ConvTranspose1d(filters, channels, kernel_samples, self.stride_samples, bias=False)
        self.bottleneck = nn.Sequential(_global_norm(filters), nn.Conv1d(filters, bottleneck, 1))
        self.blocks = nn.ModuleList(
            Block(bottleneck, hidden, skip, kernel, 2**i) for _ in range(repeats) for i in range(blocks)
        )
        self.mask = nn.Sequential(nn.PReLU(), nn.Conv1d(skip, len(self.targets) * filters, 1), ACTIVATIONS[mask]())

    def forward(self, mixture: Tensor) -> Tensor:
        batch, _, time = mixture.shape
        stride = self.stride_samples
        padded = max(self.kernel_samples, time + -time % stride)
        features = self.encoder(nn.functional.pad(mixture, (0, padded - time)))  # (B, N, frames)
        x = self.bottleneck(features)
        skips = x.new_zeros(())
        for block in self.blocks:
            residual, skip = block(x)
            x, skips = x + residual, skips + skip
        masks = self.mask(skips).unflatten(1, (len(self.targets), -1))  # (B, S, N, frames)
        estimates = self.decoder((masks * features.unsqueeze(1)).flatten(0, 1))[..., :time]
        return estimates.unflatten(0, (batch, -1))


class Block(nn.Module):
    """One block of the temporal convolutional network (figure 1C of the paper)."""

    def __init__(self, channels: int, hidden: int, skip: int, kernel: int, dilation: int) -> None:
        super().__init__()
        padding = (kernel - 1) * dilation // 2
        self.body = nn.Sequential(
            nn.Conv1d(channels, hidden, 1),
            nn.PReLU(),
            _global_norm(hidden),
            nn.Conv1d(hidden, hidden, kernel, padding=padding, dilation=dilation, groups=hidden),
            nn.PReLU(),
            _global_norm(hidden),
        )
        self.residual = nn.Conv1d(hidden, channels, 1)
        self.skip = nn.Conv1d(hidden, skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, channels, frames) to what is added to it, and the skip (B, skip, frames)."""
        x = self.body(x)
        return self.residual(x), self.skip(x)


def _global_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels, eps=1e-8)  # the paper's gLN, equation 13
