"""my_wave: a small network from waveform to waveforms, to be changed.

`__init__` builds the layers and `forward` applies them: edit these two. Every argument of `__init__` is a field of the
recipe beside this file, and a flag of `msbench fit`.

    msbench check my_wave --plugin my_wave.py
    msbench fit -c my_wave.yaml --plugin my_wave.py

To have it found without --plugin, put this pyproject.toml beside it and run `pip install -e .`:

    [project]
    name = "my_wave"
    version = "0.1.0"
    [project.entry-points."msbench.models"]
    my_wave = "my_wave:MyWave"
    [tool.setuptools]
    py-modules = ["my_wave"]
"""

from collections.abc import Sequence

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Separator

WINDOW, STRIDE = 512, 128  # samples of a learned filter, and between two of its positions


class MyWave(Separator):
    """Masks on a learned filter bank (say here which paper it follows: `msbench list` shows this line)."""

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 22050,
        channels: int = 1,
        hidden: int = 256,
    ) -> None:
        super().__init__(targets, sample_rate, channels)
        self.stride_samples = STRIDE  # chunks of a long song start on the grid of the filters
        self.encoder = nn.Conv1d(channels, hidden, WINDOW, STRIDE, bias=False)
        self.masks = nn.Sequential(
            nn.GroupNorm(1, hidden),
            nn.Conv1d(hidden, hidden, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, 5, padding=4, dilation=2),
            nn.ReLU(),
            nn.Conv1d(hidden, len(self.targets) * hidden, 1),
            nn.Sigmoid(),
        )
        self.decoder = nn.ConvTranspose1d(hidden, channels, WINDOW, STRIDE, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, C, T) to estimates (B, S, C, T), for every T."""
        batch, _, time = mixture.shape
        padded = nn.functional.pad(mixture, (WINDOW, WINDOW + -time % STRIDE))
        features = self.encoder(padded)  # (B, hidden, frames)
        masks = self.masks(features).unflatten(1, (len(self.targets), -1))  # (B, S, hidden, frames)
        estimates = self.decoder((masks * features.unsqueeze(1)).flatten(0, 1))  # (B * S, C, padded T)
        return estimates[..., WINDOW : WINDOW + time].unflatten(0, (batch, -1))
