"""Bands in and out: each has its own layers, and sequences go along one axis at a time."""

import torch

from msbench.model.band_split import BandSplit, MaskEstimator, dual_path


def test_a_band_is_made_of_its_own_values() -> None:
    torch.manual_seed(0)
    split = BandSplit(5, [2, 3, 1])
    x = torch.randn(2, 4, 6)
    changed = x.clone()
    changed[:, :, 2:5] += torch.randn(3)
    differences = (split(x) - split(changed)).abs().amax((0, 1, 3))
    assert split(x).shape == (2, 4, 3, 5)
    assert differences[1] > 0.01
    assert differences[[0, 2]].eq(0).all()


def test_a_mask_is_made_of_the_features_of_its_band() -> None:
    torch.manual_seed(0)
    for hidden_layers in (0, 1, 2):
        estimator = MaskEstimator(5, [2, 3, 1], hidden=7, hidden_layers=hidden_layers)
        x = torch.randn(2, 4, 3, 5)
        changed = x.clone()
        changed[:, :, 1] += 1
        differences = (estimator(x) - estimator(changed)).abs().amax((0, 1))
        assert estimator(x).shape == (2, 4, 6)
        assert differences[2:5].min() > 1e-3
        assert differences[[0, 1, 5]].eq(0).all()
        assert sum(isinstance(part, torch.nn.Tanh) for part in estimator.modules()) == 3 * hidden_layers


def test_sequences_run_over_time_and_then_over_bands() -> None:
    x = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    seen = []

    def summed(sequence: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(sequence.shape))
        return sequence.cumsum(1)

    torch.testing.assert_close(dual_path(x, summed, summed), x.cumsum(1).cumsum(2))
    assert seen == [(6, 4, 5), (8, 3, 5)]
