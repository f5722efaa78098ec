from __future__ import annotations

import pytest
import torch

from msbench import registry
from msbench.conformance.subject import Broken, Subject, difference, require_finite


def test_the_difference_is_relative_to_the_peak() -> None:
    expected = torch.tensor([0.0, 2.0, -4.0])
    assert difference(expected + 1, expected) == 0.25
    assert difference(expected, expected) == 0
    assert difference(torch.ones(3), torch.zeros(3)) > 1e30  # silence is expected: anything is too much
    assert difference(expected * float("nan"), expected) != 0


def test_what_is_not_finite_is_counted() -> None:
    require_finite(torch.ones(4), "estimates")
    with pytest.raises(Broken, match="2 of 3 values are NaN or infinite in the estimates"):
        require_finite(torch.tensor([1.0, float("nan"), float("inf")]), "estimates")


def test_a_batch_holds_one_source_more_than_the_targets() -> None:
    subject = Subject(registry.find("models", "mixture"))
    subject.load()
    subject.model = subject.build(targets=["vocals", "drums"])
    batch = subject.batch(3, 0.01)
    samples = round(0.01 * subject.model.sample_rate)
    assert batch.references.shape == (3, 2, subject.model.channels, samples)
    assert batch.mixture.shape == (3, subject.model.channels, samples)
    assert not torch.allclose(batch.references.sum(1), batch.mixture)
    assert subject.separate(batch).shape == batch.references.shape


def test_tensors_that_are_neither_saved_nor_moved_are_named() -> None:
    subject = Subject(registry.find("models", "mixture"))
    subject.load()
    subject.model = subject.build()
    assert list(subject.plain_tensors()) == []
    subject.model.scale = torch.ones(1)
    assert [name for name, _ in subject.plain_tensors()] == ["scale"]
