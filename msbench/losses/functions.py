"""Training losses: pure functions (estimates, references) -> one value per item.

A loss takes (B, S, ...) estimates and references, waveforms (B, S, C, T), magnitudes or masks (B, S, C, F, N), and
returns (B,). A stranger registers one as an entry point in the group `msbench.losses`. Keyword-only arguments are
options in YAML; one named `sample_rate` is the model's where none is given. Attributes say what is special about it:
- `loss.domains = ("waveform",)` if it makes no sense in every domain, or if it is for a domain of some models' own;
- `loss.needs_mixture = True` if it takes the waveform of the mixture (B, C, T) as third argument;
- `loss.ignores_gain = True` if it does not hear the level of the estimates, which most metrics score;
- `loss.requires = {"module": "msbench[extra]"}` for what it imports when it is called, and what installs that.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

DOMAINS = ("waveform", "magnitude", "mask")

Loss = Callable[..., Tensor]


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


def masked_mse(estimates: Tensor, references: Tensor, *, q: float = 0.95, coarse: bool = True) -> Tensor:
    """`mse` of each target without the largest errors of the batch, (B, S, C, T) to (B,), against wrong labels.

    As KUIELab train TFC-TDF v3 (MDX23C), and PyPI msst 0.1.0, utils/losses.py, `masked_loss`: of each target, errors
    below the quantile q of the whole batch count, the others are zero. Where there is none below, as in a batch of one
    item, all count.

    Args:
        estimates, references: Waveforms.
        q: Between 0 and 1.
        coarse: Whether an item is left out as a whole, rather than single samples.

    Raises:
        ValueError: If q is not between 0 and 1.
    """
    if not 0 < q < 1:
        raise ValueError(f"q must be between 0 and 1, not {q}")
    errors = (estimates - references).square().transpose(0, 1).flatten(2)  # (S, B, C T)
    if coarse:
        errors = errors.mean(2, keepdim=True)
    ranked = errors.detach().flatten(1).sort(1)[0]  # torch.quantile takes no more than 16 million numbers
    place = q * (ranked.shape[1] - 1)
    below, above = (ranked[:, min(int(place) + step, ranked.shape[1] - 1)] for step in (0, 1))
    counts = errors.detach() < torch.lerp(below, above, place % 1)[:, None, None]
    counts = counts | ~counts.flatten(1).any(1)[:, None, None]
    return (errors * counts).mean((0, 2))


def discriminative(estimates: Tensor, references: Tensor) -> Tensor:
    """Near its own reference and far from the others, (B, S, ...) to (B,); Huang et al. 2014, with gamma 0.05.

    With the mean square d over all values it is

        1/2 (d(y, t) - gamma d(y, t')), t' being for each estimate the reference of the other target

    as in posenhuang/deeplearningsourceseparation (6a6e54d), codes/drdae_discrim_joint_kl_obj.m, `cost`, but for the
    mean in place of the sum. With more than two targets, d(y, t') is the mean over the others; with one there is none.
    """
    count = references.shape[1]
    away = [mse(estimates, references.roll(shift, 1)) for shift in range(1, count)]
    near = mse(estimates, references)
    return 0.5 * (near - 0.05 * torch.stack(away).mean(0) if away else near)


def bce(estimates: Tensor, references: Tensor) -> Tensor:
    """Binary cross-entropy of masks in [0, 1] against such masks, (B, S, ...) to (B,); logarithms end at -100."""
    with torch.autocast(estimates.device.type, enabled=False):  # where torch refuses it
        estimates = estimates.float().clamp(0, 1)
        each = torch.nn.functional.binary_cross_entropy(estimates, references.float(), reduction="none")
    return each.flatten(1).mean(1)


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


def wsdr(estimates: Tensor, references: Tensor, mixture: Tensor) -> Tensor:
    """Weighted SDR loss of each target, from -1 (best) to 1, averaged over targets, (B, S, C, T) twice to (B,).

    Choi et al. 2019: with the target y, its estimate y', the mixture x and the rest z = x - y, it is

        -a cos(y, y') - (1 - a) cos(z, x - y'), where a = |y|^2 / (|y|^2 + |z|^2)

    and cos is the cosine between two signals, channels together. The equation is as in the public implementation
    sweetcocoa/DeepComplexUNetPyTorch, DCUNet/criterion.py. Each cosine leaves the gain of its signal free; the two
    together do not, unless the target or the rest is silent. A floor of -100 dB of full scale keeps silence finite.

    Args:
        estimates, references: Waveforms (B, S, C, T).
        mixture: Waveform (B, C, T).
    """
    rest = (mixture.unsqueeze(1) - references).flatten(2)
    estimated_rest = (mixture.unsqueeze(1) - estimates).flatten(2)
    references, estimates = references.flatten(2), estimates.flatten(2)
    energy = references.square().sum(2)
    weight = energy / (energy + rest.square().sum(2) + _floor(rest))
    return -(weight * _cosine(estimates, references) + (1 - weight) * _cosine(estimated_rest, rest)).mean(1)


def affinity(estimates: Tensor, references: Tensor) -> Tensor:
    """Deep clustering's |V V' - Y Y'|^2 for each bin that counts (Hershey et al. 2016), (B, K, ...) twice to (B,).

    Of low rank: |V' V|^2 - 2 |V' Y|^2 + |Y' Y|^2, as asteroid's `deep_clustering_loss`.

    Args:
        estimates: V, the embedding of each bin (B, K, D).
        references: Y, a one at the source of each bin (B, K, S); bins of zeros are left out.
    """
    counts = references.sum(2, keepdim=True)
    estimates = estimates * counts
    products = [
        (a.transpose(1, 2) @ b).square().sum((1, 2))
        for a, b in ((estimates, estimates), (estimates, references), (references, references))
    ]
    return (products[0] - 2 * products[1] + products[2]) / counts.sum((1, 2)).clamp_min(1)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    norms = [(x.square().sum(2) + _floor(x)).sqrt() for x in (a, b)]
    return (a * b).sum(2) / (norms[0] * norms[1])


def _floor(signals: Tensor) -> float:
    return 1e-10 * signals.shape[2]


affinity.domains = ("embedding",)  # type: ignore[attr-defined]
bce.domains = ("mask",)  # type: ignore[attr-defined]
masked_mse.domains = ("waveform",)  # type: ignore[attr-defined]
snr.domains = ("waveform",)  # type: ignore[attr-defined]
si_snr.domains = ("waveform",)  # type: ignore[attr-defined]
si_snr.ignores_gain = True  # type: ignore[attr-defined]
wsdr.domains = ("waveform",)  # type: ignore[attr-defined]
wsdr.needs_mixture = True  # type: ignore[attr-defined]
