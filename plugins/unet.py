"""U-Net on magnitudes: Jansson, Humphrey, Montecchio, Bittner, Kumar, Weyde, "Singing voice separation with deep U-Net
convolutional networks", ISMIR 2017.

As in the paper: six strided 5x5 convolutions down and as many up with skips (`msbench.ConvUNet`); a sigmoid mask on
the mixture's magnitude (equation 1), whose phase is kept; L1 on magnitudes of patches of 128 frames.

Differences: the magnitudes are scaled by the window, not by each song's maximum (which a stream does not know);
several targets come out of one network as channels (the paper trains one network per target: `targets: [vocals]`);
depth below 6, no skips and direct magnitudes are the ablations that others studied.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from msbench import ConvUNet, SpectrogramSeparator


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
        output: `mask`, or `direct` for magnitudes that are not bound by the mixture's.
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
    ) -> None:
        super().__init__(targets, sample_rate, channels, window_samples, hop_samples)
        if output not in ("mask", "direct"):
            raise ValueError(f"output must be 'mask' or 'direct', not '{output}'")
        self.direct = output == "direct"
        self.unet = ConvUNet(channels, channels * len(self.targets), depth, filters, dropout, skip)
        self.stride_samples = hop_samples * self.unet.stride

    def mask(self, spectrogram: Tensor) -> Tensor:
        x = self.unet(spectrogram[:, :, :-1])  # without the Nyquist bin, as in the paper: 512 of 513 halve evenly
        x = nn.functional.pad(x, (0, 0, 0, 1), mode="replicate").unflatten(1, (len(self.targets), -1))
        if self.direct:
            return x.relu() / spectrogram.unsqueeze(1).clamp_min(1e-8)
        return x.sigmoid()
