"""The plugin contract: what a model declares, and what is said when it does not keep its word."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from msbench.model.separator import Batch, Separator, SpectrogramSeparator, separate_batch


class Half(Separator):
    """Half of the mixture for each target."""

    def __init__(self) -> None:
        super().__init__(["a", "b"], 8000, 1)
        self.gain = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, mixture: Tensor) -> Tensor:
        return (self.gain * mixture)[:, None].expand(-1, 2, -1, -1)


class Halves(SpectrogramSeparator):
    """The same by masks."""

    def __init__(self) -> None:
        super().__init__(["a", "b"], 8000, 1, 64, 16)

    def mask(self, spectrogram: Tensor) -> Tensor:
        return torch.full_like(spectrogram, 0.5)[:, None].expand(-1, 2, -1, -1, -1)


class Odd(Half):
    """Forgets its targets."""

    def forward(self, mixture: Tensor) -> Tensor:
        return mixture


class Oracle(Half):
    """Gives the references back."""

    needs_references = True

    def forward(self, mixture: Tensor, references: Tensor) -> Tensor:  # type: ignore[override]
        return references


def test_masks_are_applied_to_the_mixture() -> None:
    mixture = torch.rand(2, 1, 500)
    torch.testing.assert_close(Halves()(mixture), Half()(mixture))


@pytest.mark.parametrize("domain", ["waveform", "magnitude", "mask"])
def test_the_loss_is_taken_in_the_domain_of_the_criterion(domain: str) -> None:
    seen = []

    class Criterion:
        def __init__(self) -> None:
            self.domain = domain

        def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
            seen.append((estimates, references))
            return (estimates - references).abs().mean()

    model = Halves()
    mixture = torch.rand(1, 1, 400)
    model.loss(Batch(mixture, torch.stack([mixture, torch.zeros_like(mixture)], 1)), Criterion())
    estimates, references = seen[0]
    assert estimates.shape == references.shape
    if domain == "waveform":
        torch.testing.assert_close(estimates, 0.5 * mixture[:, None].expand_as(estimates))
    elif domain == "magnitude":
        torch.testing.assert_close(estimates[:, 0], 0.5 * model.stft(mixture).abs())
        torch.testing.assert_close(references[:, 0], model.stft(mixture).abs())
    else:
        assert set(references.unique().tolist()) <= {0.0, 1.0}
        assert references[:, 0].mean() > 0.99  # all there is belongs to the first target


def test_what_forward_returns_is_checked() -> None:
    mixture = torch.zeros(3, 1, 10)
    with pytest.raises(ValueError, match=r"Odd.forward returned \(3, 1, 10\); the contract is \(3, 2, 1, 10\)"):
        separate_batch(Odd(), mixture)
    with pytest.raises(ValueError, match="Oracle is an oracle: it needs the true stems"):
        separate_batch(Oracle(), mixture)
    assert separate_batch(Oracle(), mixture, torch.ones(3, 2, 1, 10)).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1], 8000, 1), r"targets must be one or more different names, not \[1\]"),
        ((7, 8000, 1), "targets must be one or more different names, not 7"),
        ((["a"], 1.5, 1), r"sample_rate and channels must be whole numbers, not \[1.5, 1\]"),
        ((["a"], 10**12, 1), "sample_rate and channels must be at most 1000000 and 256, not 1000000000000 and 1"),
        ((["a"], 8000, 257), "sample_rate and channels must be at most 1000000 and 256, not 8000 and 257"),
        (([], 8000, 1), r"targets must be one or more different names, not \[\]"),
        ((["a", "a"], 8000, 1), "targets must be one or more different names"),
        ((["a"], 0, 1), "sample_rate and channels must be at least 1, not 0 and 1"),
    ],
)
def test_a_configuration_that_cannot_be(arguments: tuple[Any, Any, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Separator(*arguments)
