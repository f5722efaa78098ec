"""A loss as a training step uses it: by domain, permutation invariant, and for items that know one target alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from msbench.losses.criterion import Criterion, NoMixtureError, RemixedCriterion, mean_loss
from msbench.losses.functions import l1, masked_mse, mse, wsdr
from tests.requirements import peer


@pytest.mark.parametrize("name", ["l1", "mse", "si_snr", "wsdr"])
def test_pit_undoes_a_permutation(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    criterion = Criterion(name).of(references.sum(1))
    straight = criterion(estimates, references)
    shuffled = estimates[:, [2, 0, 3, 1]]
    torch.testing.assert_close(Criterion(name, pit=True).of(references.sum(1))(shuffled, references), straight)
    assert criterion(shuffled, references) > straight


def test_a_loss_that_reads_the_mixture_is_given_that_of_its_batch(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    mixture = 2 * references.sum(1)
    criterion = Criterion("wsdr")
    torch.testing.assert_close(criterion.of(mixture)(*pair), wsdr(estimates, references, mixture).mean())
    for unknown in (criterion, criterion.of(mixture[..., 1:])):
        with pytest.raises(NoMixtureError, match=r"loss 'wsdr' reads the mixture .*: train it with another loss"):
            unknown(estimates, references)


@pytest.mark.parametrize("name", ["l1", "si_snr"])
def test_estimates_of_autocast_are_compared_in_float32(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = (0.001 * signals for signals in pair)
    rounded = estimates.bfloat16()
    torch.testing.assert_close(Criterion(name)(rounded, references), Criterion(name)(rounded.float(), references))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", ["l1", "si_snr"])
def test_pit_is_asteroids_wrapper(name: str, count: int) -> None:
    wrapper = peer("asteroid.losses").PITLossWrapper
    loss = Criterion(name).parts[0].function

    def pairs(estimates: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        each = [[loss(a, b) for b in references.split(1, 1)] for a in estimates.split(1, 1)]
        return torch.stack([torch.stack(row, 1) for row in each], 1)

    generator = torch.Generator().manual_seed(count)
    references = torch.randn(5, count, 1, 300, generator=generator)
    estimates = torch.randn(5, count, 1, 300, generator=generator)
    values, gradients = [], []
    for criterion in (Criterion(name, pit=True), wrapper(pairs, pit_from="pw_mtx")):
        given = estimates.clone().requires_grad_()
        value = criterion(given, references)
        value.backward()
        values.append(value.detach())
        gradients.append(given.grad)
    # Up to three targets, asteroid sums each permutation by a product of matrices, which rounds in another order.
    tolerance = 0.0 if count > 3 else 2e-7
    torch.testing.assert_close(*values, rtol=tolerance, atol=0)
    torch.testing.assert_close(*gradients, rtol=tolerance, atol=1e-9 if tolerance else 0)


def test_pit_si_snr_is_asteroids(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    theirs = peer("asteroid.losses")
    estimates, references = pair
    expected = theirs.PITLossWrapper(theirs.pairwise_neg_sisdr, pit_from="pw_mtx")(
        estimates[:, :, 0], references[:, :, 0]
    )
    torch.testing.assert_close(Criterion("si_snr", pit=True)(estimates, references), expected, rtol=1e-5, atol=1e-4)


def test_pit_takes_half_precision_and_keeps_what_is_not_finite(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = (signals.bfloat16() for signals in pair)
    shuffled = estimates[:, [2, 0, 3, 1]]
    torch.testing.assert_close(Criterion("l1", pit=True)(shuffled, references), Criterion("l1")(estimates, references))
    broken = pair[0].clone()
    broken[0, 1, 0, 0] = float("nan")
    assert Criterion("l1", pit=True)(broken, pair[1]).isnan()
    broken[0, 1, 0, 0] = float("inf")
    assert Criterion("l1", pit=True)(broken, pair[1]).isinf()


def test_a_domain_of_a_models_own_takes_the_losses_that_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def inner(embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (embeddings.shape[-1] - labels.shape[-1]) * embeddings.flatten(1).mean(1)

    inner.domains = ("embedding",)  # type: ignore[attr-defined]
    monkeypatch.setattr("msbench.registry.load", lambda kind, name: inner)
    assert Criterion("inner", "embedding")(torch.ones(2, 7, 5), torch.ones(2, 7, 3)) == 2  # of different shapes
    with pytest.raises(ValueError, match="loss 'inner' does not take the waveform: it takes embedding"):
        Criterion("inner")


def test_of_named_losses_the_mean_is_minimized() -> None:
    assert mean_loss(torch.tensor(2.0)) == 2
    assert mean_loss({"vocals": torch.tensor(1.0), "drums": torch.tensor(4.0)}) == 2.5


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="loss 'l1' does not take the time: it takes waveform, magnitude"):
        Criterion("l1", "time")
    with pytest.raises(ValueError, match=r"model\.pit permutes targets, and the embedding has none: train without it"):
        Criterion("affinity", "embedding", pit=True)
    with pytest.raises(ValueError, match="differ"):
        Criterion("l1")(torch.zeros(1, 2, 1, 5), torch.zeros(1, 2, 1, 6))


@pytest.mark.parametrize(("loss", "domain"), [("si_snr", "magnitude"), ("bce", "waveform")])
def test_a_loss_in_a_domain_that_is_not_its_own_is_refused(loss: str, domain: str) -> None:
    with pytest.raises(ValueError, match=f"loss '{loss}' does not take the {domain}: it takes"):
        Criterion(loss, domain)


def test_a_weighted_sum_of_losses_with_options(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    references = pair[1]
    loss = {"l1": 1.0, "strict": {"loss": "masked_mse", "q": 0.6, "weight": 0.25}, "wsdr": {"weight": 2}}
    criterion = Criterion(loss).of(references.sum(1))
    parts = {"l1": l1(*pair), "strict": masked_mse(*pair, q=0.6), "wsdr": wsdr(*pair, references.sum(1))}
    expected = parts["l1"] + 0.25 * parts["strict"] + 2 * parts["wsdr"]
    torch.testing.assert_close(criterion(*pair), expected.mean())
    torch.testing.assert_close(criterion.named(), {name: value.mean() for name, value in parts.items()})
    assert (criterion.domain, criterion.domains) == ("waveform", ("waveform",))
    assert Criterion("l1").of(references.sum(1)).named() == {}
    assert not Criterion({"l1": 1.0, "si_snr": 0.01}).ignores_gain
    assert Criterion({"si_snr": 0.01}).ignores_gain


def test_a_sum_is_permuted_and_remixed_as_one(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    loss = {"l1": 1.0, "mse": 0.3}
    estimates, references = pair
    shuffled = Criterion(loss, pit=True).of(references.sum(1))
    torch.testing.assert_close(shuffled(estimates[:, [2, 0, 3, 1]], references), Criterion(loss)(*pair))
    torch.testing.assert_close(shuffled.named()["mse"], mse(*pair).mean())
    known = torch.tensor([2, -1, 0])
    remixed = RemixedCriterion(Criterion(loss), known, 0.3, 4).of(references.sum(1))
    alone = [RemixedCriterion(Criterion(name), known, 0.3, 4)(*pair) for name in loss]
    torch.testing.assert_close(remixed(*pair), alone[0] + 0.3 * alone[1])
    assert list(remixed.named()) == ["l1", "mse"]


def test_parts_of_several_domains_are_given_one_at_a_time() -> None:
    criterion = Criterion({"l1": 1.0, "bins": {"loss": "l1", "domain": "magnitude", "weight": 0.5}}).of(torch.zeros(1))
    assert criterion.domains == ("waveform", "magnitude")
    ones, zeros = torch.ones(1, 1, 1, 3), torch.zeros(1, 1, 1, 3)
    assert criterion.within("waveform")(ones, zeros) == 1
    assert criterion.within("magnitude")(3 * ones, zeros) == 1.5
    assert {name: value.item() for name, value in criterion.named().items()} == {"l1": 1, "bins": 3}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({}, r"model\.loss has no parts: name a loss"),
        ({"l1": 0}, r"the weight of 'l1' must be a number above 0, not 0"),
        ({"l1": {"weight": "much"}}, r"the weight of 'l1' must be a number above 0, not 'much'"),
        ({"masked_mse": {"coarsen": 1}}, r"loss 'masked_mse' has no option 'coarsen'. Did you mean coarse\?"),
        ({"l1": 1, "si_snr": {"domain": "magnitude"}}, r"loss 'si_snr' does not take the magnitude: it takes waveform"),
        ({"a/b": {"loss": "l1"}}, r"model\.loss: the part 'a/b' .*: give it another name"),
    ],
)
def test_parts_that_are_refused(loss: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Criterion(loss)


def test_a_permutation_of_several_domains_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.pit finds one permutation: give losses of one domain"):
        Criterion({"l1": 1.0, "mse": {"domain": "mask"}}, pit=True)


def test_remixed_by_hand() -> None:
    known = torch.tensor([-1, 1])
    # (targets, samples) of two items: of the second, target 1 and the sum of 0 and 2 are known, 7 and 9.
    estimates = torch.tensor([[[1.0, 1], [2, 2], [3, 3]], [[5, 4], [1, 3], [1, 0]]])[:, :, None]
    references = torch.tensor([[[0.0, 0], [0, 0], [0, 0]], [[7, 9], [2, 2], [0, 0]]])[:, :, None]
    labelled = (1 + 1 + 2 + 2 + 3 + 3) / 6
    remixed = (1 + 1 + 1 + 5) / 4  # |1 - 2|, |3 - 2|; |5 + 1 - 7|, |4 + 0 - 9|
    for weight in (1.0, 0.5):
        value = RemixedCriterion(Criterion("l1"), known, weight, 3)(estimates, references)
        assert value.item() == pytest.approx((labelled + weight * remixed) / 2)


@pytest.mark.parametrize("name", ["l1", "mse", "si_snr", "snr", "wsdr"])
def test_remixed_is_the_mean_over_items(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    mixture = references.sum(1)
    criterion = Criterion(name)
    none = torch.tensor([-1, -1, -1])
    labelled = RemixedCriterion(criterion, none, 5.0, 4).of(mixture)(estimates, references)
    assert torch.equal(labelled, criterion.of(mixture)(*pair))
    known = torch.tensor([2, -1, 0])
    each = [[signals[i : i + 1] for signals in (known, mixture, estimates, references)] for i in range(3)]
    items = [RemixedCriterion(criterion, one, 0.3, 4).of(mixed)(*signals) for one, mixed, *signals in each]
    whole = RemixedCriterion(criterion, known, 0.3, 4).of(mixture)(estimates, references)
    torch.testing.assert_close(whole, torch.stack(items).mean())  # so it may be accumulated
    two = [torch.stack([signals[0, 2], signals[0, [0, 1, 3]].sum(0)])[None] for signals in pair]
    torch.testing.assert_close(items[0], 0.3 * criterion.of(mixture[:1])(*two))


def test_remixed_asks_the_sum_of_the_others_alone(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = pair
    shifted = estimates.clone()
    shifted[:, 1] += references[:, 3]
    shifted[:, 3] -= references[:, 3]
    measured = RemixedCriterion(Criterion("l1"), torch.tensor([0, 2, 0]), 1.0, 4)
    torch.testing.assert_close(measured(shifted, references), measured(estimates, references))
    assert Criterion("l1")(shifted, references) > 1.1 * Criterion("l1")(estimates, references)


def test_remixed_of_one_target_is_the_plain_loss(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    estimates, references = (signals[:, :1] for signals in pair)
    value = RemixedCriterion(Criterion("l1"), torch.zeros(3, dtype=torch.long), 1.0, 1)(estimates, references)
    torch.testing.assert_close(value, Criterion("l1")(estimates, references))


def test_remixed_refuses_what_has_no_sum() -> None:
    known = torch.tensor([0])
    with pytest.raises(ValueError, match=r"model\.pit cannot compare the sum of several targets: train without it"):
        RemixedCriterion(Criterion("l1", pit=True), known, 1.0, 2)
    for loss, domain in (("bce", "mask"), ("affinity", "embedding")):
        with pytest.raises(ValueError, match=f"loss_domain {domain} cannot compare the sum"):
            RemixedCriterion(Criterion(loss, domain), known, 1.0, 2)
    with pytest.raises(ValueError, match="compares all 2 targets at once"):
        RemixedCriterion(Criterion("l1"), known, 1.0, 2)(torch.zeros(1, 1, 1, 5), torch.zeros(1, 1, 1, 5))
