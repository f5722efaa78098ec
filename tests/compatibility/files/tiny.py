"""A tiny model."""

from torch import nn

from msbench import Separator


class Tiny(Separator):
    """One convolution and dropout."""

    def __init__(
        self, targets: list[str] = ("voice", "band"), sample_rate: int = 8000, channels: int = 1, width: int = 9
    ):
        super().__init__(targets, sample_rate, channels)
        self.conv = nn.Conv1d(channels, channels * len(self.targets), width, padding=width // 2)
        self.dropout = nn.Dropout(0.1)

    def forward(self, mixture):
        return self.conv(self.dropout(mixture)).unflatten(1, (len(self.targets), -1))
