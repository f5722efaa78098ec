"""Training losses: pure functions (estimates, references) -> one value an item, and the criterion made of one.

A loss takes (B, S, ...) estimates and references, waveforms (B, S, C, T), magnitudes or masks (B, S, C, F, N), and
returns (B,). A stranger registers one as an entry point in the group `msbench.losses`; one that makes no sense in every
domain says so: `loss.domains = ("waveform",)`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from msbench import registry

DOMAINS = ("waveform", "magnitude", "mask")

Loss = Callable[[Tensor, Tensor], Tensor]


def domains_of(loss: Loss) -> tuple[str, ...]:
    """The domains that a loss takes: all, unless it has an attribute `domains`.

    >>> domains_of(si_snr), domains_of(l1)
    (('waveform',), ('waveform', 'magnitude', 'mask'))
    """
    return getattr(loss, "domains", DOMAINS)


def l1(estimates: Tensor, references: Tensor) -> Tensor:
    """Mean absolute error, (B, S, ...) to (B,)."""
    return (estimates - references).abs().flatten(1).mean(1)


def mse(estimates: Tensor, references: Tensor) -> Tensor:
    """Mean squared error, (B, S, ...) to (B,)."""
    return (estimates - references).square().flatten(1).mean(1)


def bce(estimates: Tensor, references: Tensor) -> Tensor:
    """Binary cross-entropy of masks in [0, 1] against binary ones, (B, S, ...) to (B,); logarithms end at -100."""
    likelihood = torch.where(references > 0.5, estimates, 1 - estimates)
    return -likelihood.float().log().clamp_min(-100).flatten(1).mean(1)


def si_snr(estimates: Tensor, references: Tensor) -> Tensor:
    """Negative scale-invariant signal-to-noise ratio in dB, averaged over targets and channels, (B, S, C, T) to (B,).

    Both signals lose their mean, as in Luo & Mesgarani 2019, equation 12 (Le Roux et al. 2019 call it SI-SDR). The
    ratio says nothing of the level: an estimate that fits may be at any gain. A silent reference counts as zero.
    """
    references = references - references.mean(-1, keepdim=True)
    estimates = estimates - estimates.mean(-1, keepdim=True)
    eps = torch.finfo(estimates.dtype).eps
    energy = references.square().sum(-1, keepdim=True)
    projection = (estimates * references).sum(-1, keepdim=True) / (energy + eps) * references
    noise = estimates - projection
    ratio = (projection.square().sum(-1) + eps) / (noise.square().sum(-1) + eps)
    # A silent reference has no direction to project on: its ratio would only push estimates towards -inf dB.
    decibels = torch.where(energy.squeeze(-1) > eps, 10 * torch.log10(ratio), torch.zeros_like(ratio))
    return -decibels.flatten(1).mean(1)


def snr(estimates: Tensor, references: Tensor) -> Tensor:
    """Negative signal-to-noise ratio in dB of each target, averaged over targets, (B, S, C, T) to (B,).

    Every target weighs alike, loud or quiet. As in Wisdom et al. 2020 (equation 2), a ratio is worth nothing beyond 30
    dB; a floor of -60 dB of full scale keeps silent references finite, whose noise it is then that counts.
    """
    floor = 1e-6 * references[0, 0].numel()
    energy = references.square().flatten(2).sum(2)
    noise = (estimates - references).square().flatten(2).sum(2) + 1e-3 * energy
    return 10 * torch.log10((noise + floor) / (energy + floor)).mean(1)


bce.domains = ("mask",)  # type: ignore[attr-defined]
snr.domains = ("waveform",)  # type: ignore[attr-defined]
si_snr.domains = ("waveform",)  # type: ignore[attr-defined]


class Criterion:
    """A registered loss as a training step uses it: one scalar for a batch, in a declared domain.

    Args:
        loss: Name of a registered loss.
        domain: `waveform`, or `magnitude` and `mask` for the models that have them.
        pit: Permutation invariant (Yu et al. 2017): the best assignment of estimates to references is taken for each
            item, through asteroid's PITLossWrapper.

    Raises:
        KeyError: If the loss is unknown.
        ValueError: If the domain is unknown, or none of the loss's.
    """

    def __init__(self, loss: str = "l1", domain: str = "waveform", pit: bool = False) -> None:
        if domain not in DOMAINS:
            raise ValueError(f"unknown loss domain '{domain}': one of {', '.join(DOMAINS)}")
        self.domain = domain
        self.pit = pit
        self.function: Loss = registry.load("losses", loss)
        if domain not in domains_of(self.function):
            raise ValueError(
                f"loss '{loss}' does not take the {domain}: it takes {', '.join(domains_of(self.function))}"
            )
        self._wrapped: Loss | None = None
        if pit:
            from asteroid.losses import PITLossWrapper

            self._wrapped = PITLossWrapper(_pairwise(self.function), pit_from="pw_mtx")

    def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
        if estimates.shape != references.shape:
            raise ValueError(f"estimates {tuple(estimates.shape)} and references {tuple(references.shape)} differ")
        return self._wrapped(estimates, references) if self._wrapped else self.function(estimates, references).mean()


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
        ValueError: If the criterion is permutation invariant or compares masks: there is no sum of the others then.
    """

    def __init__(self, criterion: Criterion, known: Tensor, weight: float, targets: int) -> None:
        if criterion.pit or criterion.domain == "mask":
            what = "model.pit" if criterion.pit else "model.loss_domain mask"
            raise ValueError(f"{what} cannot compare the sum of several targets: train without it, or leave out "
                             "data.unlabelled")  # fmt: skip
        self.domain = criterion.domain
        self.function = criterion.function
        self.known = known
        self.weight = weight
        self.targets = targets

    def __call__(self, estimates: Tensor, references: Tensor) -> Tensor:
        if estimates.shape != references.shape or estimates.shape[1] != self.targets:
            raise ValueError(
                f"with data.unlabelled a loss compares all {self.targets} targets at once, not estimates "
                f"{tuple(estimates.shape)} with references {tuple(references.shape)}"
            )
        one = self.known >= 0
        losses = []
        if not one.all():
            losses.append(self.function(estimates[~one], references[~one]).sum())
        if one.any():
            pairs = [_one_and_rest(signals[one], self.known[one]) for signals in (estimates, references)]
            losses.append(self.weight * self.function(*pairs).sum())
        return torch.stack(losses).sum() / len(estimates)


def _one_and_rest(signals: Tensor, known: Tensor) -> Tensor:
    """Of (B, S, ...) the known target, and the sum of the others where there are any: (B, 2, ...) or (B, 1, ...)."""
    count = signals.shape[1]
    if count == 1:
        return signals
    chosen = torch.nn.functional.one_hot(known, count).bool().view(-1, count, *[1] * (signals.dim() - 2))
    parts = [signals.masked_fill(~chosen, 0).sum(1), signals.masked_fill(chosen, 0).sum(1)]
    return torch.stack(parts, 1)


def _pairwise(loss: Loss) -> Loss:
    """All S x S losses: (B, S, ...) twice to (B, S estimates, S references): what asteroid's PIT asks for."""

    def pairs(estimates: Tensor, references: Tensor) -> Tensor:
        count = estimates.shape[1]
        rows = [
            torch.stack([loss(estimates[:, i : i + 1], references[:, j : j + 1]) for j in range(count)], 1)
            for i in range(count)
        ]
        return torch.stack(rows, 1)

    return pairs
