"""The base of models that estimate complex spectrograms: order of channels, lengths, bins above."""

import pytest
import torch
from torch import Tensor

from msbench.model.complex_spectrogram import ComplexSpectrogramSeparator
from msbench.model.stft import STFT


class Shares(ComplexSpectrogramSeparator):
    """A half of the mixture, and its right channel in both, without what is above a bin."""

    def __init__(self, frame_multiple: int = 1, bins: int = 33, chunk_seconds: float | None = None) -> None:
        super().__init__(["half", "right"], 8000, 2, STFT(64, 16), frame_multiple, chunk_seconds)
        self.bins = bins
        self.seen: list[tuple[int, ...]] = []

    def estimate(self, spectrogram: Tensor) -> Tensor:
        self.seen.append(tuple(spectrogram.shape))
        right = spectrogram[:, 2:].repeat(1, 2, 1, 1)  # real and imaginary parts, twice
        return torch.stack([spectrogram / 2, right], 1)[:, :, :, : self.bins]


@pytest.mark.parametrize("time", [1, 47, 112, 113, 1000])
def test_estimates_come_back_in_the_channels_they_were_given(time: int) -> None:
    mixture = torch.randn(3, 2, time, generator=torch.Generator().manual_seed(0))
    estimates = Shares(frame_multiple=4)(mixture)
    expected = torch.stack([mixture / 2, mixture[:, 1:].expand(-1, 2, -1)], 1)
    torch.testing.assert_close(estimates, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("time", "ends_silent", "frames"), [(1, False, 4), (48, False, 4), (48, True, 8), (49, False, 8), (112, True, 12)]
)
def test_the_network_is_given_a_multiple_of_frames(time: int, ends_silent: bool, frames: int) -> None:
    model = Shares(frame_multiple=4)
    model.ends_silent = ends_silent  # type: ignore[misc]
    assert model(torch.rand(1, 2, time)).shape == (1, 2, 2, time)
    assert model.seen == [(1, 4, 33, frames)]


def test_bins_that_are_not_estimated_are_silent() -> None:
    high = torch.cos(torch.pi * 3 / 4 * torch.arange(800)).expand(1, 2, -1)  # bin 24 of 32
    inside = slice(100, 700)
    assert Shares(bins=20)(high)[..., inside].abs().max() < 1e-3
    assert Shares(bins=28)(high)[..., inside].abs().max() > 0.4


def test_half_precision_in_the_network_is_enough() -> None:
    mixture = torch.rand(1, 2, 500)
    with torch.autocast("cpu", torch.bfloat16):
        model = Shares()
        whole = model.estimate
        model.estimate = lambda x: whole(x).bfloat16()  # type: ignore[method-assign]
        torch.testing.assert_close(model(mixture)[:, 0], mixture / 2, atol=1e-2, rtol=0)


def test_a_chunk_is_at_least_a_hop() -> None:
    assert Shares().chunk_samples is None
    assert Shares(chunk_seconds=2).chunk_samples == 16000
    for seconds in (0.001, float("nan")):
        with pytest.raises(ValueError, match="chunk_seconds must be a hop of 16 samples or more, not"):
            Shares(chunk_seconds=seconds)


def test_a_subclass_without_estimates_says_so() -> None:
    with pytest.raises(NotImplementedError, match="must define estimate"):
        ComplexSpectrogramSeparator(["a"], 8000, 1, STFT(64, 16))(torch.rand(1, 1, 8))
