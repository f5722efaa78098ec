"""Mel-Band RoFormer: Wang, Lu, Won, "Mel-band RoFormer for music source separation", 2023, arXiv:2310.01809.

BS-RoFormer with other bands: 60, evenly spaced on the mel scale, each of which overlaps its neighbors. A bin's mask is
the mean of those that its bands give it. The authors published no code, and their paper's text could not be read whole.
The reference is ZFTurbo/Music-Source-Separation-Training, as the package msst 0.1.0 has it
(msst/models/bs_roformer/mel_band_roformer.py): the same outputs with the same weights, whose state dicts load as they
are. `plugins/bs_roformer.py` says which of a checkpoint's sizes is which option; here, `mask_estimator_depth` is
`mask_layers` itself, and `num_bands` is `bands`. That the published files load is unverified: none was at hand.

The bands are those where a filter of librosa's mel filter bank is above zero, computed in double precision as librosa
does, with the two outermost bins forced in, as in msst. A test pins their widths, which the weights depend on.

Its forks disagree, as BS-RoFormer's do. bs-roformer 1.2.4 has value residuals, hyper-connections and linear attention,
and forces in the outermost bins only where their neighbors are. msst normalizes the output of each transformer here,
and of the last pair alone in BS-RoFormer.

Differences: as in `bs_roformer`. msst's own network cuts its output to whole hops unless `match_input_audio_length` is
set; here the length is always that of the mixture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msbench import MUSDB_TARGETS, STFT, BandRoformer, RoformerShape


class MelBandRoformer(BandRoformer):
    """Complex masks by rotary transformers over time and over 60 overlapping mel bands (Wang et al. 2023).

    Args:
        targets: Stems to estimate.
        sample_rate: Rate in Hz.
        channels: Audio channels.
        window_samples, hop_samples: The STFT; the hop is at most half the window.
        bands: Number of mel bands.
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
        bands: int = 60,
        features: int = 384,
        depth: int = 6,
        time_layers: int = 1,
        band_layers: int = 1,
        heads: int = 8,
        head_features: int = 64,
        mask_layers: int = 2,
        mask_expansion: int = 4,
        dropout: float = 0.0,
        skips: bool = False,
        zero_dc: bool = True,
        checkpointing: bool = False,
        chunk_seconds: float | None = 8.0,
    ) -> None:
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
            norm_each=True,
            skips=skips,
            zero_dc=zero_dc,
            checkpointing=checkpointing,
        )
        super().__init__(
            targets,
            sample_rate,
            channels,
            STFT(window_samples, hop_samples, plain=True),
            mel_bands(sample_rate, window_samples, bands),
            shape,
            chunk_seconds,
        )


def mel_bands(sample_rate: int, window_samples: int, count: int) -> list[list[int]]:
    """Bins of overlapping bands, evenly spaced on Slaney's mel scale: those where librosa's filters are above zero.

    As in msst, the lowest bin is in the first band, and the highest in the last.

    Raises:
        ValueError: If some band would be empty, or some bin in no band.
    """
    edges = hertz(np.linspace(0, mels(sample_rate / 2), count + 2))
    frequencies = np.fft.rfftfreq(window_samples, 1 / sample_rate)
    inside = (frequencies > edges[:-2, None]) & (frequencies < edges[2:, None])
    inside[0, 0] = inside[-1, -1] = True
    if not inside.any(0).all() or not inside.any(1).all():
        raise ValueError(
            f"{count} mel bands of {len(frequencies)} bins leave a band empty, or a bin in none: change bands or "
            "window_samples"
        )
    return [np.flatnonzero(band).tolist() for band in inside]


FIRST_MELS, FIRST_HERTZ = 15.0, 1000.0  # linear up to here, 200/3 Hz per mel
LOG_STEP = np.log(6.4) / 27  # of the logarithm of the frequency per mel, above


def mels(frequency: float) -> float:
    """Slaney's mel scale, of a frequency in Hz."""
    if frequency < FIRST_HERTZ:
        return frequency * FIRST_MELS / FIRST_HERTZ
    return FIRST_MELS + np.log(frequency / FIRST_HERTZ) / LOG_STEP


def hertz(values: np.ndarray) -> np.ndarray:
    """Frequencies of values on Slaney's mel scale."""
    linear = values * FIRST_HERTZ / FIRST_MELS
    return np.where(values < FIRST_MELS, linear, FIRST_HERTZ * np.exp(LOG_STEP * (values - FIRST_MELS)))
