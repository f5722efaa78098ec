"""my_mask: a small network that masks a spectrogram, to be changed.

`__init__` builds the layers and `mask` applies them: edit these two. Every argument of `__init__` is a field of the
recipe beside this file, and a flag of `msbench fit`. The STFT and the way back are SpectrogramSeparator's.

    msbench check my_mask --plugin my_mask.py
    msbench fit -c my_mask.yaml --plugin my_mask.py

To have it found without --plugin, put this pyproject.toml beside it and run `pip install -e .`:

    [project]
    name = "my_mask"
    version = "0.1.0"
    [project.entry-points."msbench.models"]
    my_mask = "my_mask:MyMask"
    [tool.setuptools]
    py-modules = ["my_mask"]
"""

from collections.abc import Sequence

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator


class MyMask(SpectrogramSeparator):
    """Convolutions over time that mask each bin (say here which paper it follows: `msbench list` shows this line)."""

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 22050,
        channels: int = 1,
        hidden: int = 128,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples=1024, hop_samples=256)
        bins = channels * self.stft.bins
        self.net = nn.Sequential(
            nn.Conv1d(bins, hidden, 1),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(hidden, hidden, 5, padding=4, dilation=2),
            nn.ReLU(),
            nn.Conv1d(hidden, len(self.targets) * bins, 1),
            nn.Sigmoid(),
        )

    def mask(self, spectrogram: Tensor) -> Tensor:
        """Magnitudes (B, C, F, N) to one mask a target (B, S, C, F, N)."""
        levels = (spectrogram + 1e-4).log10() + 3  # from -1, silence, to 3, full scale
        masks = self.net(levels.flatten(1, 2))  # (B, S * C * F, N)
        return masks.unflatten(1, (len(self.targets), *spectrogram.shape[1:3]))
