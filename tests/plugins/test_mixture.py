"""The floors against their arithmetic."""

import pytest
import torch

import msbench


@pytest.mark.parametrize(
    ("targets", "shares"),
    [
        (["vocals", "drums", "bass", "other"], [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        (["vocals", "accompaniment"], [1 / 4, 3 / 4]),  # of four stems, the accompaniment is the sum of three
        (["accompaniment", "vocals"], [3 / 4, 1 / 4]),
        (["vocals", "drums"], [1 / 2, 1 / 2]),
        (["vocals"], [1]),
    ],
)
def test_shares_of_the_mixture(targets, shares):
    mixture = torch.randn(2, 2, 100, generator=torch.Generator().manual_seed(0))
    estimates = msbench.load("mixture_share", targets=targets)(mixture)
    for estimate, share in zip(estimates.unbind(1), shares, strict=True):
        torch.testing.assert_close(estimate, share * mixture)


def test_shares_of_the_stems_add_up_to_that_of_the_accompaniment():
    """As SiSEC 2018 has it: MIX.py gives each stem a quarter, and adds up three for the accompaniment."""
    mixture = torch.randn(1, 2, 100, generator=torch.Generator().manual_seed(0))
    stems = msbench.load("mixture_share")(mixture)
    pair = msbench.load("mixture_share", targets=["vocals", "accompaniment"])(mixture)
    torch.testing.assert_close(pair, torch.stack([stems[:, 0], stems[:, 1:].sum(1)], 1))


def test_the_mixture_is_each_estimate():
    mixture = torch.randn(2, 2, 100, generator=torch.Generator().manual_seed(0))
    estimates = msbench.load("mixture", targets=["vocals", "accompaniment"])(mixture)
    assert torch.equal(estimates, torch.stack([mixture, mixture], 1))
