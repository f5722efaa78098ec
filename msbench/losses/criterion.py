"""A registered loss as a training step uses it: one scalar per batch, in a declared domain."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from msbench import registry
from msbench.losses.functions import DOMAINS, Loss, domains_of


class NoMixtureError(ValueError):
    """The loss reads the mixture, and the mixture of these estimates is not known."""


class Criterion:
    """A registered loss as a training step uses it: one scalar for a batch, in a declared domain.

    Args:
        loss: Name of a registered loss.
        domain: `waveform`, or `magnitude` and `mask` for the models that have them. A model may have a domain of its
            own, such as `embedding`, for losses that name it.
        pit: Permutation invariant (Yu et al. 2017): the best assignment of estimates to references is taken for each
            item, as by asteroid's PITLossWrapper.

    Raises:
        KeyError: If the loss is unknown.
        ValueError: If the domain is none of the loss's, or of a model's own and to be permuted.
    """

    def __init__(self, loss: str = "l1", domain: str = "waveform", pit: bool = False) -> None:
        self.domain = domain
        self.pit = pit
        self.loss = loss
        self.function: Loss = registry.load("losses", loss)
        self.mixture: Tensor | None = None
        if domain not in domains_of(self.function):
            raise ValueError(
                f"loss '{loss}' does not take the {domain}: it takes {', '.join(domains_of(self.function))}"
            )
        if pit and domain not in DOMAINS:
            raise ValueError(f"model.pit permutes targets, and the {domain} has none: train without it")

    @property
    def needs_mixture(self) -> bool:
        return getattr(self.function, "needs_mixture", False)

    def of(self, mixture: Tensor) -> Criterion:
        """The criterion of the batch with this mixture (B, C, T), which some losses read."""
        bound = copy.copy(self)
        bound.mixture = mixture
        return bound

    def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
        if self.domain in DOMAINS and estimates.shape != references.shape:
            raise ValueError(f"estimates {tuple(estimates.shape)} and references {tuple(references.shape)} differ")
        if self.pit:
            return _of_best_assignment(_pairwise(self.each, estimates, references)).mean()
        return self.each(estimates, references).mean()

    def each(self, estimates: Tensor, references: Tensor) -> Tensor:
        """The loss of each item (B,); estimates of autocast are compared in the precision of the references.

        Raises:
            NoMixtureError: If the loss reads the mixture, and there is none of the length of the estimates.
        """
        estimates = estimates.to(torch.promote_types(estimates.dtype, references.dtype))
        if not self.needs_mixture:
            return self.function(estimates, references)
        if self.mixture is None or (self.domain == "waveform" and self.mixture.shape[-1] != estimates.shape[-1]):
            raise NoMixtureError(
                f"loss '{self.loss}' reads the mixture of what it compares, and this model compares another part of a "
                "chunk: train it with another loss"
            )
        return self.function(estimates, references, self.mixture)


def mean_loss(losses: Tensor | Mapping[str, Tensor]) -> Tensor:
    """What is minimized of what `Separator.loss` returned: the scalar, or the mean of the named ones."""
    return torch.stack(list(losses.values())).mean() if isinstance(losses, Mapping) else losses


class RemixedCriterion:
    """A criterion for one batch in which some items know one target, and the sum of the others (Demucs v1).

    Of such an item the estimate of that target and the sum of the other estimates are compared with their references,
    by the very same loss, as of a model of two targets. Défossez et al. 2019 (arXiv 1909.01174). The value is the mean
    over all items, those weighted. Magnitudes are summed as magnitudes, which is exact for masks that are not negative.

    Args:
        criterion: Of the other items.
        known: (B,) index of the one known target, -1 where all are known.
        weight: Of the items that know one target.
        targets: How many the model has.

    Raises:
        ValueError: If the criterion is permutation invariant, compares masks, or is in a domain of the model's own:
            there is no sum of the others then.
    """

    def __init__(self, criterion: Criterion, known: Tensor, weight: float, targets: int) -> None:
        if criterion.pit or criterion.domain not in ("waveform", "magnitude"):
            what = "model.pit" if criterion.pit else f"model.loss_domain {criterion.domain}"
            raise ValueError(
                f"{what} cannot compare the sum of several targets: train without it, or leave out data.unlabelled"
            )
        self.domain = criterion.domain
        self.criterion = criterion
        self.known = known
        self.weight = weight
        self.targets = targets

    def of(self, mixture: Tensor) -> RemixedCriterion:
        """As `Criterion.of`."""
        return RemixedCriterion(self.criterion.of(mixture), self.known, self.weight, self.targets)

    def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
        if estimates.shape != references.shape or estimates.shape[1] != self.targets:
            raise ValueError(
                f"with data.unlabelled a loss compares all {self.targets} targets at once, not estimates "
                f"{tuple(estimates.shape)} with references {tuple(references.shape)}"
            )
        one = self.known >= 0
        losses = []
        if not one.all():
            losses.append(self._of_items(~one).each(estimates[~one], references[~one]).sum())
        if one.any():
            pairs = [_one_and_rest(signals[one], self.known[one]) for signals in (estimates, references)]
            losses.append(self.weight * self._of_items(one).each(*pairs).sum())
        return torch.stack(losses).sum() / len(estimates)

    def _of_items(self, chosen: Tensor) -> Criterion:
        mixture = self.criterion.mixture
        return self.criterion if mixture is None else self.criterion.of(mixture[chosen])


def _one_and_rest(signals: Tensor, known: Tensor) -> Tensor:
    """Of (B, S, ...) the known target, and the sum of the others where there are any: (B, 2, ...) or (B, 1, ...)."""
    count = signals.shape[1]
    if count == 1:
        return signals
    chosen = torch.nn.functional.one_hot(known, count).bool().view(-1, count, *[1] * (signals.dim() - 2))
    parts = [signals.masked_fill(~chosen, 0).sum(1), signals.masked_fill(chosen, 0).sum(1)]
    return torch.stack(parts, 1)


def _pairwise(loss: Loss, estimates: Tensor, references: Tensor) -> Tensor:
    """The loss of each estimate for each reference: (B, S, ...) twice to (B, S references, S estimates)."""
    # One pair at a time, as any registered loss takes it: some reduce over targets, none knows of all pairs.
    count = references.shape[1]
    rows = [
        torch.stack([loss(estimates[:, j : j + 1], references[:, i : i + 1]) for j in range(count)], 1)
        for i in range(count)
    ]
    return torch.stack(rows, 1)


def _of_best_assignment(losses: Tensor) -> Tensor:
    """(B, S references, S estimates) to (B,): the mean loss of the best assignment of each item."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and few runs are permutation invariant

    # It refuses NaN and infinity. The losses keep them, so that a diverged run is told as such.
    costs = losses.detach().cpu().double().clamp(-1e30, 1e30).nan_to_num().numpy()
    best = torch.stack([torch.from_numpy(linear_sum_assignment(each)[1]) for each in costs])
    return losses.gather(2, best.to(losses.device).unsqueeze(-1)).mean((1, 2))
