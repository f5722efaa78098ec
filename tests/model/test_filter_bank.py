"""The base of models that mask a learned filter bank: the bank itself, and lengths."""

import pytest
import torch

from msbench.model.filter_bank import FilterBankSeparator


class Halves(FilterBankSeparator):
    """The same mask of one half for two targets."""

    def __init__(self, channels: int = 1, kernel_samples: int = 8, stride_samples: int = 4) -> None:
        super().__init__(["a", "b"], 8000, channels, 8, kernel_samples, stride_samples)

    def mask(self, features):
        return torch.full((len(features), 2, *features.shape[1:]), 0.5)


@pytest.mark.parametrize("time", [8, 40, 43])
def test_a_bank_and_its_inverse_give_half_the_mixture(time):
    model = Halves()
    filters = torch.eye(8)[:, None]  # a filter for each sample of a frame
    model.encoder.weight.data, model.decoder.weight.data = filters.clone(), filters.clone()
    mixture = torch.randn(2, 1, time)
    with torch.no_grad():
        estimates = model(mixture)
    covered = time - (time - 8) % 4  # frames are whole
    expected = mixture.clone()  # one half in each of two frames
    expected[..., :4] *= 0.5  # but for the ends, which lie in one frame
    expected[..., covered - 4 :] = 0.5 * mixture[..., covered - 4 :] if time > 8 else 0.5 * mixture[..., 4:]
    expected[..., covered:] = 0
    assert torch.allclose(estimates, expected.unsqueeze(1).expand(-1, 2, -1, -1), atol=1e-6)


@pytest.mark.parametrize("time", [1, 7, 8, 9, 997])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_length_comes_back(time, channels):
    assert Halves(channels)(torch.randn(3, channels, time)).shape == (3, 2, channels, time)


@pytest.mark.parametrize("stride", [0, 9])
def test_a_stride_that_leaves_gaps_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride of {stride} do not cover the signal"):
        Halves(stride_samples=stride)


def test_a_subclass_without_masks_says_so():
    with pytest.raises(NotImplementedError, match="FilterBankSeparator must define mask"):
        FilterBankSeparator(["a"], 8000, 1, 8, 8, 4)(torch.randn(1, 1, 8))
