"""The middle of a stereo mixture as the voice: the "center cut" of karaoke. Nothing is trained.

Lee's center cut of VirtualDub (described in center.htm of abwillis/voix 7907bbb; the same formula is `get_centere` in
libavfilter/af_dialoguenhance.c of FFmpeg/FFmpeg 19af142). In each bin of the two channels' STFTs L and R, the middle is
the multiple C of L + R that leaves two sides at right angles, as vectors of the complex plane:

    C = a (L + R),  (L - C) . (R - C) = 0,  a = (1 - |L - R| / |L + R|) / 2

What is the same in both channels is all middle, and what is in one channel alone has none. Where the channels are more
opposite than alike, a is below 0. As described, bins at 0 Hz and half of the rate have no middle.
"""

from __future__ import annotations

import torch
from torch import Tensor

from msbench import STFT, Separator


class Centre(Separator):
    """The middle of two channels is the voice, in both channels; the sides are the accompaniment.

    Args:
        sample_rate: As for `Separator`.
        channels: 2: a mono signal has nothing but a middle.
        window_samples, hop_samples: Of the STFT, as in VirtualDub.

    Raises:
        ValueError: If the channels are not two.
    """

    trainable = False
    stereo_only = True

    def __init__(
        self, sample_rate: int = 44100, channels: int = 2, window_samples: int = 4096, hop_samples: int = 1024
    ) -> None:
        if channels != 2:
            raise ValueError(f"centre takes the middle of 2 channels, and cannot work on {channels}")
        super().__init__(["vocals", "accompaniment"], sample_rate, channels)
        self.stft = STFT(window_samples, hop_samples)
        self.stride_samples = hop_samples

    def forward(self, mixture: Tensor) -> Tensor:
        left, right = self.stft(mixture).unbind(1)
        total = left + right
        middle = 0.5 * (total - torch.sgn(total) * (left - right).abs())  # a (L + R), without a quotient of zeros
        middle[:, [0, -1]] = 0
        vocals = self.stft.inverse(middle, mixture.shape[-1])[:, None].expand_as(mixture)
        return torch.stack([vocals, mixture - vocals], 1)
