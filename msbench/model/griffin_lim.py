"""Phases that fit given magnitudes: Griffin & Lim 1984, with the momentum of Perraudin, Balazs & Søndergaard 2013.

"Signal estimation from modified short-time Fourier transform", IEEE Transactions on Acoustics, Speech and Signal
Processing 32(2); "A fast Griffin-Lim algorithm", WASPAA. The arithmetic is that of `torchaudio.functional.griffinlim`
(and of librosa, which it names as its source): the momentum m acts as m / (1 + m).
"""

from __future__ import annotations

from torch import Tensor

from msbench.model.stft import STFT


def griffin_lim(spectrum: Tensor, stft: STFT, time: int, iterations: int = 32, momentum: float = 0.99) -> Tensor:
    """Change the phases of a spectrum so that it comes closer to the STFT of a signal.

    Args:
        spectrum: Complex (..., F, N), whose magnitudes are kept, and with whose phases it begins.
        stft: The transform that made it.
        time: Length of the signal in samples.
        iterations: Of a projection on the STFTs of signals; 0 keeps the phases.
        momentum: From 0, the algorithm of 1984, to below 1.

    Returns:
        A spectrum with the same magnitudes, as `stft.inverse` takes it.

    Raises:
        ValueError: If the momentum is out of its range.
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be from 0 to below 1, not {momentum}")
    magnitudes = spectrum.abs()
    previous = None
    for _ in range(iterations):
        rebuilt = stft(stft.inverse(spectrum, time))
        moved = rebuilt if previous is None else rebuilt - momentum / (1 + momentum) * previous
        spectrum = magnitudes * moved / (moved.abs() + 1e-16)
        previous = rebuilt
    return spectrum
