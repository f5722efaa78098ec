"""Open-Unmix: Stöter, Uhlich, Liutkus, Mitsufuji, "Open-Unmix - A reference implementation for music source
separation", Journal of Open Source Software 4(41), 2019.

As in the authors' code (sigsep/open-unmix-pytorch fb672c9, openunmix 1.3): one network per target. It reads magnitudes
up to 16 kHz, shifted and scaled by learned means and deviations, and masks the whole band: linear, batch normalization,
tanh; three BLSTMs, whose output is joined to their input; linear, batch normalization, ReLU; linear, batch
normalization, a learned scale and shift, ReLU. The estimates of all targets together are refined by one iteration of
the multichannel Wiener filter, over 300 frames at a time (`msbench.model.wiener`). A network is trained on the squared
error of magnitudes. Before its first step, the means and deviations become those of the training songs, as by the
authors' scripts/train.py.

The transform is torch's own, as in the published weights. Those of one target (umxhq: `hidden: 512`, umxl: 1024) are a
state dict whose keys, with `target_models.vocals.` before each, are ours:

    weights = {f"target_models.vocals.{key}": value for key, value in torch.load("vocals-b62c91ce.pth").items()}
    model.load_state_dict(weights, strict=False)

`strict=False` is as in the authors' code (openunmix/__init__.py). The state dict of their whole `Separator` needs no
prefix. That the published files load is unverified: none was at hand.

Differences:

- One optimizer and one schedule may train all targets at once. The authors train one at a time; so does
  `open_unmix.yaml`, and `msbench join` makes one model of all.
- The means and deviations are taken from whole songs in chunks. Frames that two chunks share are left out, and the last
  chunk of each song is filled up with zeros.
- The Wiener filter works in double precision, and on each chunk of `msbench separate` from its first frame on.
- A model of one target is refined against what it leaves of the mixture, which the authors call `residual`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from msbench import MUSDB_TARGETS, STFT, Batch, SpectrogramSeparator


class OpenUnmix(SpectrogramSeparator):
    """BLSTM masks, one network per target, and a Wiener filter over all (Stöter et al. 2019).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT; the hop is at most half the window.
        hidden: Units of each layer; 512 of umxhq, 1024 of umxl.
        layers: BLSTMs.
        bandwidth: Highest frequency in Hz that the networks read.
        unidirectional: LSTMs of as many units, which look back alone.
        phase: `wiener` as published; this and more are the options of `msbench.SpectrogramSeparator`.
    """

    whole_loss: ClassVar[bool] = False

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 4096,
        hop_samples: int = 1024,
        hidden: int = 512,
        layers: int = 3,
        bandwidth: float = 16000.0,
        unidirectional: bool = False,
        phase: str = "wiener",
        **phase_options: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, phase=phase, **phase_options)
        if hidden < 2 or hidden % 2 or layers < 1:
            raise ValueError(f"hidden must be an even number and layers at least 1, not {hidden} and {layers}")
        if bandwidth <= 0:
            raise ValueError(f"bandwidth must be above 0 Hz, not {bandwidth}")
        self.stft = STFT(window_samples, hop_samples, plain=True)
        self.read = read = min(self.stft.bins, int(bandwidth * window_samples / sample_rate) + 1)
        self.target_models = nn.ModuleDict(
            {target: Network(channels, self.stft.bins, read, hidden, layers, unidirectional) for target in self.targets}
        )

    def mask(self, spectrogram: Tensor) -> Tensor:
        return torch.stack([network(spectrogram) for network in self.target_models.values()], 1)

    def networks(self) -> Mapping[str, nn.Module]:
        return dict(self.target_models.items())

    def loss(self, batch: Batch, criterion: Callable[[Tensor, Tensor], Tensor]) -> Mapping[str, Tensor]:
        """Of each target; on magnitudes, of the frames that lie within the chunk, as in the authors' training."""
        references = {target: batch.references[:, i : i + 1] for i, target in enumerate(self.targets)}
        if getattr(criterion, "domain", "waveform") == "magnitude":
            mixture = self._inner(batch.mixture)
            masked = {target: network(mixture) * mixture for target, network in self.networks().items()}
            return {t: criterion(masked[t].unsqueeze(1), self._inner(true)) for t, true in references.items()}
        masks, spectrum = self.masks_of(batch.mixture)
        return {
            target: self.masked_loss(masks[:, i : i + 1], spectrum, references[target], criterion)
            for i, target in enumerate(self.targets)
        }

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Take the mean and the deviation of each bin that is read from the mixtures of the training songs."""
        count, total, squares = 0, torch.zeros(self.read).double(), torch.zeros(self.read).double()
        for batch in batches:
            magnitudes = self._inner(batch.mixture).mean(1)[:, : self.read].double()
            count += magnitudes.shape[0] * magnitudes.shape[2]
            total += magnitudes.sum((0, 2)).cpu()
            squares += magnitudes.square().sum((0, 2)).cpu()
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        deviation = torch.where(deviation == 0, 1.0, deviation)  # as scikit-learn's StandardScaler in scripts/train.py
        deviation = deviation.clamp_min(1e-4 * float(deviation.max()))
        for network in self.modules():
            if isinstance(network, Network):
                network.input_mean.data.copy_(-mean)
                network.input_scale.data.copy_(1 / deviation)

    def _inner(self, waveform: Tensor) -> Tensor:
        """Magnitudes (..., F, N) of the frames that lie within the waveform; of all, where none does."""
        magnitudes = self.stft(waveform).abs()
        half, hop = self.stft.window_samples // 2, self.stft.hop_samples
        first, last = -(-half // hop), (waveform.shape[-1] - half) // hop
        return magnitudes[..., first : last + 1] if first <= last else magnitudes


class Network(nn.Module):
    """Masks for one target; the names of its weights are the authors'."""

    def __init__(self, channels: int, bins: int, read: int, hidden: int, layers: int, unidirectional: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels * read, hidden, bias=False)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(
            hidden,
            hidden if unidirectional else hidden // 2,
            layers,
            bidirectional=not unidirectional,
            dropout=0.4 if layers > 1 else 0.0,
        )
        self.fc2 = nn.Linear(2 * hidden, hidden, bias=False)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.fc3 = nn.Linear(hidden, channels * bins, bias=False)
        self.bn3 = nn.BatchNorm1d(channels * bins)
        self.input_mean = nn.Parameter(torch.zeros(read))  # what is added: less the mean
        self.input_scale = nn.Parameter(torch.ones(read))
        self.output_scale = nn.Parameter(torch.ones(bins))
        self.output_mean = nn.Parameter(torch.ones(bins))

    def forward(self, magnitudes: Tensor) -> Tensor:
        """(B, C, F, N) to masks of the same shape."""
        batch, channels, bins, frames = magnitudes.shape
        x = magnitudes[:, :, : len(self.input_mean)].permute(3, 0, 1, 2)  # (N, B, C, bins that are read)
        x = (x + self.input_mean) * self.input_scale
        x = self.bn1(self.fc1(x.reshape(frames * batch, -1))).tanh().view(frames, batch, -1)
        x = torch.cat([x, self.lstm(x)[0]], -1).view(frames * batch, -1)
        x = self.bn3(self.fc3(self.bn2(self.fc2(x)).relu())).view(frames, batch, channels, bins)
        return (x * self.output_scale + self.output_mean).relu().permute(1, 2, 3, 0)
