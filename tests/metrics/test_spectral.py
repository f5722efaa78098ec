"""The L1 difference of spectrograms, against scipy's STFT."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from msbench.metrics.spectral import l1_spectrogram
from tests.metrics.examples import signals


@pytest.mark.parametrize("samples", [100, 2048, 3072, 200_000])
def test_l1_spectrogram_is_that_of_scipys_stft(samples: int) -> None:
    estimates, references = signals((2, 2, samples))
    padded = [np.pad(part, ((0, 0), (0, 0), (0, max(0, 2048 - samples)))) for part in (estimates, references)]
    options = {"nperseg": 2048, "noverlap": 1024, "window": "hann", "boundary": None, "padded": False}
    spectra = [np.abs(scipy.signal.stft(part, **options)[2]) for part in padded]
    expected = np.abs(spectra[0] - spectra[1]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(l1_spectrogram(estimates, references), expected, rtol=1e-12)
