"""What `msbench new` writes: string.Template texts with $name and $class_name."""

_USE = '''    msbench check $name --plugin $name.py
    msbench fit -c $name.yaml --plugin $name.py

To have it found without --plugin, put this pyproject.toml into its folder and run `pip install -e .`:

    [project]
    name = "$name"
    version = "0.1.0"
    [project.entry-points."msbench.models"]
    $name = "$name:$class_name"
    [tool.setuptools]
    py-modules = ["$name"]
"""

'''

_MASK = (
    '''"""$name: a small network that masks a spectrogram, to be changed.

`__init__` builds the layers and `mask` applies them: edit these two. Every argument of `__init__` is a field of the
recipe next to this file, and a flag of `msbench fit`. The STFT and the way back are SpectrogramSeparator's.

'''
    + _USE
    + '''from collections.abc import Sequence

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, SpectrogramSeparator


class $class_name(SpectrogramSeparator):
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
        """Magnitudes (B, C, F, N) to one mask per target (B, S, C, F, N)."""
        levels = (spectrogram + 1e-4).log10() + 3  # from -1, silence, to 3, full scale
        masks = self.net(levels.flatten(1, 2))  # (B, S * C * F, N)
        return masks.unflatten(1, (len(self.targets), *spectrogram.shape[1:3]))
'''
)

_WAVEFORM = (
    '''"""$name: a small network from waveform to waveforms, to be changed.

`__init__` builds the layers and `forward` applies them: edit these two. Every argument of `__init__` is a field of the
recipe next to this file, and a flag of `msbench fit`.

'''
    + _USE
    + '''from collections.abc import Sequence

from torch import Tensor, nn

from msbench import MUSDB_TARGETS, Separator

WINDOW, STRIDE = 512, 128  # samples of a learned filter, and between two of its positions


class $class_name(Separator):
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
'''
)

MODELS = {"mask": _MASK, "waveform": _WAVEFORM}

RECIPE = """\
# Trains $name on the demo songs in about a minute on two cores.
# Every field is a flag of `msbench fit` too (--trainer.max_epochs 50), and --help lists them all.
name: $name
separator: {} # the arguments of $class_name's constructor; its defaults stand
model:
  loss: l1 # `msbench list losses`
  optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.001}}
data:
  dataset: demo # `msbench list datasets`
  chunk_seconds: 1.5
  chunks_per_epoch: 160
  batch_size: 8
trainer:
  max_epochs: 16
"""

TEST = '''"""$name keeps the plugin contract. Run it with pytest (pip install pytest)."""

from pathlib import Path

import pytest

from msbench.conformance import check


def test_$name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Once the model is installed as an entry point, this line goes: its name would be registered twice.
    monkeypatch.setenv("MSBENCH_PLUGINS", str(Path(__file__).with_name("$name.py")))
    assert [result for result in check("$name") if not result.passed] == []
'''
