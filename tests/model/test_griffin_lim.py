"""Griffin-Lim: that of torchaudio, and phases that fit the magnitudes better from step to step."""

from __future__ import annotations

import pytest
import torch

from msbench.model.griffin_lim import griffin_lim
from msbench.model.stft import STFT
from tests.requirements import peer

SIGNAL = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize("time", [4000, 3999])
def test_it_is_that_of_torchaudio(momentum: float, time: int) -> None:
    griffinlim = peer("torchaudio.functional").griffinlim
    stft = STFT(256, 64, plain=True)
    magnitudes = stft(SIGNAL[:, :time]).abs()
    ours = stft.inverse(griffin_lim(magnitudes.to(torch.complex64), stft, time, 8, momentum), time)
    theirs = griffinlim(magnitudes, stft.window, 256, 64, 256, 1.0, 8, momentum, time, rand_init=False)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_the_spectrum_comes_closer_to_that_of_a_signal(momentum: float) -> None:
    stft = STFT(256, 64)
    magnitudes = stft(SIGNAL).abs()
    phase = torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(1)) * 2 * torch.pi

    def inconsistency(iterations: int) -> float:
        spectrum = griffin_lim(torch.polar(magnitudes, phase), stft, 4000, iterations, momentum)
        torch.testing.assert_close(spectrum.abs(), magnitudes, atol=1e-5, rtol=0)
        return float((stft(stft.inverse(spectrum, 4000)).abs() - magnitudes).norm() / magnitudes.norm())

    steps = [inconsistency(iterations) for iterations in (0, 2, 8, 32)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 0.5 * steps[0]


def test_a_momentum_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum must be from 0 to below 1, not 1"):
        griffin_lim(torch.ones(1, 33, 5, dtype=torch.complex64), STFT(64, 16), 64, 1, 1.0)
