"""Registered losses as a training step uses them: one scalar per batch, in declared domains."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from msbench.losses.functions import DOMAINS, Loss
from msbench.losses.parts import Part, parts_of


class NoMixtureError(ValueError):
    """The loss reads the mixture, and the mixture of these estimates is not known."""


class Criterion:
    """A registered loss as a training step uses it, or a weighted sum of several: one scalar for a batch.

    Args:
        loss: Name of a registered loss; or for each part of a sum its weight, or {weight, loss, domain, options}.
        domain: `waveform`, or `magnitude` and `mask` for the models that have them. A model may have a domain of its
            own, such as `embedding`, for losses that name it. A part may have another.
        pit: Permutation invariant (Yu et al. 2017): the best assignment of estimates to references is taken for each
            item, as by asteroid's PITLossWrapper.
        sample_rate: In Hz, for the losses that ask for it.

    Attributes:
        loss: Name of the loss; of a sum, of all, with a plus between them.
        domain: What is compared; of a sum in several domains, that of the first part. A model is given one `within`
            each.

    Raises:
        KeyError: If a loss is unknown.
        ImportError: If a loss lacks a package.
        ValueError: If the domain is none of the loss's, or of a model's own and to be permuted, or a part has no such
            option.
    """

    def __init__(
        self,
        loss: str | Mapping[str, Any] = "l1",
        domain: str = "waveform",
        pit: bool = False,
        sample_rate: int | None = None,
    ) -> None:
        self.pit = pit
        self.parts = parts_of(loss, domain, sample_rate)
        self.names = () if isinstance(loss, str) else tuple(loss)  # what is logged by name
        self.mixture: Tensor | None = None
        self._seen: dict[str, list[Tensor]] = {}
        if pit and len(self.domains) > 1:
            raise ValueError("model.pit finds one permutation: give losses of one domain, or train without it")
        if pit and self.domain not in DOMAINS:
            raise ValueError(f"model.pit permutes targets, and the {self.domain} has none: train without it")

    @property
    def loss(self) -> str:
        return " + ".join(part.loss for part in self.parts)

    @property
    def domain(self) -> str:
        return self.parts[0].domain

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.domain for part in self.parts))

    @property
    def ignores_gain(self) -> bool:
        """Whether no part hears the level of the estimates."""
        return all(part.ignores_gain for part in self.parts)

    def of(self, mixture: Tensor) -> Criterion:
        """The criterion of the batch with this mixture (B, C, T), which some losses read."""
        bound = self.of_items(mixture)
        bound._seen = {}
        return bound

    def of_items(self, mixture: Tensor) -> Criterion:
        """The criterion of some items of the same batch."""
        bound = copy.copy(self)
        bound.mixture = mixture
        return bound

    def within(self, domain: str) -> Criterion:
        """The parts of this domain, of the same batch."""
        bound = copy.copy(self)
        bound.parts = tuple(part for part in self.parts if part.domain == domain)
        return bound

    def named(self) -> dict[str, Tensor]:
        """The mean of each named part over what was compared since `of`, without its weight."""
        return {name: torch.cat(values).mean() for name, values in self._seen.items()}

    def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
        if self.domain in DOMAINS and estimates.shape != references.shape:
            raise ValueError(f"estimates {tuple(estimates.shape)} and references {tuple(references.shape)} differ")
        if not self.pit:
            return self.each(estimates, references).mean()
        matrices = [_pairwise(partial(self._of_part, part), estimates, references) for part in self.parts]
        best = _best_assignment(self._sum(matrices))
        return self._summed([matrix.gather(2, best).mean((1, 2)) for matrix in matrices]).mean()

    def each(self, estimates: Tensor, references: Tensor) -> Tensor:
        """The loss of each item (B,); estimates of autocast are compared in the precision of the references.

        Raises:
            NoMixtureError: If the loss reads the mixture, and there is none of the length of the estimates.
        """
        return self._summed([self._of_part(part, estimates, references) for part in self.parts])

    def _of_part(self, part: Part, estimates: Tensor, references: Tensor) -> Tensor:
        estimates = estimates.to(torch.promote_types(estimates.dtype, references.dtype))
        if not part.needs_mixture:
            return part.function(estimates, references)
        if self.mixture is None or (part.domain == "waveform" and self.mixture.shape[-1] != estimates.shape[-1]):
            raise NoMixtureError(
                f"loss '{part.loss}' reads the mixture of what it compares, and this model compares another part of a "
                "chunk: train it with another loss"
            )
        return part.function(estimates, references, self.mixture)

    def _summed(self, values: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the values (B,) of the parts, which are kept for the log."""
        for part, value in zip(self.parts, values, strict=True):
            if part.name in self.names:
                self._seen.setdefault(part.name, []).append(value.detach())
        return self._sum(values)

    def _sum(self, values: Sequence[Tensor]) -> Tensor:
        weighted = [part.weight * value for part, value in zip(self.parts, values, strict=True)]
        return weighted[0] if len(weighted) == 1 else torch.stack(weighted).sum(0)


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
        others = [domain for domain in criterion.domains if domain not in ("waveform", "magnitude")]
        if criterion.pit or others:
            what = "model.pit" if criterion.pit else f"model.loss_domain {others[0]}"
            raise ValueError(
                f"{what} cannot compare the sum of several targets: train without it, or leave out data.unlabelled"
            )
        self.domain, self.domains = criterion.domain, criterion.domains
        self.criterion = criterion
        self.known = known
        self.weight = weight
        self.targets = targets

    def of(self, mixture: Tensor) -> RemixedCriterion:
        """As `Criterion.of`."""
        return self._with(self.criterion.of(mixture))

    def within(self, domain: str) -> RemixedCriterion:
        """As `Criterion.within`."""
        return self._with(self.criterion.within(domain))

    def named(self) -> dict[str, Tensor]:
        """As `Criterion.named`."""
        return self.criterion.named()

    def _with(self, criterion: Criterion) -> RemixedCriterion:
        return RemixedCriterion(criterion, self.known, self.weight, self.targets)

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
        return self.criterion if mixture is None else self.criterion.of_items(mixture[chosen])


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


def _best_assignment(losses: Tensor) -> Tensor:
    """(B, S references, S estimates) to (B, S references, 1): the estimate of each reference."""
    from scipy.optimize import linear_sum_assignment  # slow to import, and few runs are permutation invariant

    # It refuses NaN and infinity. The losses keep them, so that a diverged run is told as such.
    costs = losses.detach().cpu().double().clamp(-1e30, 1e30).nan_to_num().numpy()
    best = torch.stack([torch.from_numpy(linear_sum_assignment(each)[1]) for each in costs])
    return best.to(losses.device).unsqueeze(-1)
