"""BS-RoFormer: Lu, Wang, Kong, Hung, "Music source separation with band-split RoPE transformer", 2023,
arXiv:2309.02612.

The complex STFT is cut into 62 bands without overlap. A linear layer per band makes features of its real and imaginary
values; transformers attend over time within a band and over the bands of a frame in turn, with rotary positions; and a
small network per band and target gives a complex mask. The authors published no code, and their paper's text could not
be read whole. The reference is ZFTurbo/Music-Source-Separation-Training, as the package msst 0.1.0 has it
(msst/models/bs_roformer/bs_roformer.py): the same outputs with the same weights. Its state dicts load as they are,

    msbench.load("bs_roformer", **sizes).load_state_dict(torch.load("model.ckpt"), strict=True)

where the sizes are those of the checkpoint's own file, in our names:

    dim: features               time_transformer_depth: time_layers        stft_n_fft: window_samples
    depth: depth                freq_transformer_depth: band_layers        stft_hop_length: hop_samples
    heads: heads                mask_estimator_depth: mask_layers + 1      freqs_per_bands: bands
    dim_head: head_features     mlp_expansion_factor: mask_expansion       skip_connection: skips

and the targets in the order of its masks. That the published files load is unverified: none was at hand.

Its forks disagree. lucidrains/BS-RoFormer (bs-roformer 1.2.4), which msst was taken from, has since a residual of the
first layer's values and four streams of hyper-connections, and keeps the lowest bin by default. With one stream, a
`depth` of 1 and `zero_dc: false` it is still this network; weights of deeper ones do not fit. msst silences the lowest
bin by default.

Differences: msst's linear attention and PoPE are not here, as none of its published configurations turns them on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from msbench import MUSDB_TARGETS, STFT, BandRoformer, RoformerShape

BANDS = [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]  # bins of a window of 2048


class BSRoformer(BandRoformer):
    """Complex masks by rotary transformers over time and over 62 bands (Lu et al. 2023).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT; the hop is at most half the window.
        bands: Bins of each band, from the lowest.
        features: Of each band and frame.
        depth: Pairs of transformers, one over time and one over bands.
        time_layers, band_layers: Of each transformer.
        heads, head_features: Of each attention.
        mask_layers: Hidden layers of each mask network.
        mask_expansion: Units of a hidden layer, divided by `features`.
        dropout: Probability in the transformers.
        skips: Whether each pair of transformers also reads the outputs of all before it.
        zero_dc: Whether the lowest bin of the estimates is silent.
        checkpointing: Whether training computes each part again for its gradients: less memory, more time.
        chunk_seconds: Length of all chunks of a separation: attention sees a chunk whole, and the network was trained
            on these alone. None for any.
    """

    def __init__(
        self,
        targets: Sequence[str] = MUSDB_TARGETS,
        sample_rate: int = 44100,
        channels: int = 2,
        window_samples: int = 2048,
        hop_samples: int = 441,
        bands: Sequence[int] = tuple(BANDS),
        features: int = 384,
        depth: int = 6,
        time_layers: int = 1,
        band_layers: int = 1,
        heads: int = 8,
        head_features: int = 64,
        mask_layers: int = 1,
        mask_expansion: int = 4,
        dropout: float = 0.0,
        skips: bool = False,
        zero_dc: bool = True,
        checkpointing: bool = False,
        chunk_seconds: float | None = 8.0,
    ) -> None:
        stft = STFT(window_samples, hop_samples, plain=True)
        if sum(bands) != stft.bins or min(bands) < 1:
            raise ValueError(
                f"bands must be at least 1 bin each, and the {stft.bins} bins of the STFT together, not {sum(bands)}"
            )
        shape = RoformerShape(
            features=features,
            depth=depth,
            time_layers=time_layers,
            band_layers=band_layers,
            heads=heads,
            head_features=head_features,
            mask_layers=mask_layers,
            mask_expansion=mask_expansion,
            dropout=dropout,
            norm_each=False,
            skips=skips,
            zero_dc=zero_dc,
            checkpointing=checkpointing,
        )
        ranges = [range(first, last) for first, last in pairwise(accumulate(bands, initial=0))]
        super().__init__(targets, sample_rate, channels, stft, ranges, shape, chunk_seconds)
