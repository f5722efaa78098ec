"""U-Net on magnitudes: Jansson, Humphrey, Montecchio, Bittner, Kumar, Weyde, "Singing voice separation with deep U-Net
convolutional networks", ISMIR 2017.

As in the paper: six strided 5x5 convolutions down and as many up with skips (`msbench.ConvUNet`), with a dropout of
one half in the first three layers up; a sigmoid mask on the mixture's magnitude, whose phase is kept; L1 on magnitudes
of patches of 128 frames. The authors published no code. Two public versions are gabolsgabs/cunet
(cunet/train/models/unet_model.py) and f90/Wave-U-Net (Models/UnetSpectrogramSeparator.py).

Differences:

- The paper brings each song's magnitudes to the range from 0 to 1. A stream does not know a song's maximum, so here a
  full-scale sine has a magnitude of one half. A song is thus some five times quieter than in the paper, and the network
  hears its level: of a quiet song the variance after the first convolution is as small as the epsilon of its batch
  normalization.
- Several targets come out of one network as channels. The paper trains one network per target: `targets: [vocals]` for
  each by itself, or `per_target: true` for all at once, which `msbench join` also makes of the former.
- The 513th bin (Nyquist) gets the mask of the 512th, as in cunet; f90 gives it 0.5.
- Dropout comes after the ReLU and before the skip is joined. cunet drops before the ReLU, in layers 2 to 4; f90 drops
  after the skip is joined, and so the skip too.
- Weights, padding and the epsilon of batch normalization are torch's. `initialization: normal` and `layers: tensorflow`
  are as in cunet. What the authors did is unverified.
- Depth below 6, no skips and direct magnitudes are ablations that others studied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from msbench import ConvUNet, SpectrogramSeparator, initialize

QUIET = (
    -5.0
)  # first bias of the last layer, for magnitudes by a sigmoid: from 0.5 they take long to come down to a song's


class UNet(SpectrogramSeparator):
    """U-Net that masks magnitudes (Jansson et al. 2017).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz; 8192 in the paper.
        channels: Audio channels; 1 in the paper.
        window_samples, hop_samples: The STFT; 1024 and 768 in the paper.
        depth: Number of layers down, 3 to 6; 6 in the paper.
        filters: Channels of the first layer, doubled by each further one; 16 in the paper.
        dropout: In the first three layers up; 0.5 in the paper.
        skip: Whether layers down are concatenated to the layers up.
        output: `mask`; `direct` for magnitudes that are not bound by the mixture's, by a ReLU; or `sigmoid` for such
            magnitudes up to 1, which a full-scale sine has half of. A ReLU that is zero everywhere learns no more.
        per_target: Whether each target has a network of its own; else one network has channels for all.
        layers: `torch`, or `tensorflow` for its padding and epsilon (see `msbench.ConvUNet`).
        initialization: `torch`, or `normal` for weights from N(0, 0.02) (see `msbench.initialize`).
        phase: How the estimates get their phase; the `phase` options of `msbench.SpectrogramSeparator`.
    """

    def __init__(
        self,
        targets: Sequence[str] = ("vocals",),
        sample_rate: int = 8192,
        channels: int = 1,
        window_samples: int = 1024,
        hop_samples: int = 768,
        depth: int = 6,
        filters: int = 16,
        dropout: float = 0.5,
        skip: bool = True,
        output: str = "mask",
        per_target: bool = False,
        layers: str = "torch",
        initialization: str = "torch",
        **phase: Any,
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples, **phase)
        if output not in ("mask", "direct", "sigmoid"):
            raise ValueError(f"output must be 'mask', 'direct' or 'sigmoid', not '{output}'")
        self.output = output
        self.per_target = per_target
        if per_target:
            self.target_models = nn.ModuleDict(
                {target: ConvUNet(channels, channels, depth, filters, dropout, skip, layers) for target in self.targets}
            )
        else:
            self.unet = ConvUNet(channels, channels * len(self.targets), depth, filters, dropout, skip, layers)
        initialize(self, initialization)
        if output == "sigmoid":
            for network in self.networks().values() or [self.unet]:
                nn.init.constant_(network.get_parameter("last.bias"), QUIET)
        self.stride_samples = hop_samples * 2**depth

    def networks(self) -> Mapping[str, nn.Module]:
        """The U-Net of each target, with `per_target`."""
        return dict(self.target_models.items()) if self.per_target else {}

    def mask(self, spectrogram: Tensor) -> Tensor:
        x = spectrogram[:, :, :-1]  # without the Nyquist bin, as in the paper: 512 of 513 halve evenly
        networks = self.networks().values() if self.per_target else [self.unet]
        x = torch.cat([network(x) for network in networks], 1)
        x = nn.functional.pad(x, (0, 0, 0, 1), mode="replicate").unflatten(1, (len(self.targets), -1))
        x = x.relu() if self.output == "direct" else x.sigmoid()
        return x if self.output == "mask" else x / spectrogram.unsqueeze(1).clamp_min(1e-8)
