"""Several models as one: their estimates are averaged, or the median, the largest or the smallest is taken.

The mean with weights per model and target is that of Demucs' bags: sum_m w_ms x_ms / sum_m w_ms for the estimate x_ms
of model m and target s (`BagOfModels` and `apply_model`, demucs/apply.py of demucs 4.1.0). The other ways are those of
ensemble.py of ZFTurbo/Music-Source-Separation-Training, commit 0796ac1: median, largest and smallest magnitude of
samples, or of the bins of an STFT of 2048 samples with a hop of 1024. The median of bins differs: theirs is numpy's of
complex numbers, which goes by the real parts; ours is that of real and imaginary parts, each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msbench import STFT, Separator, separate, trained

COMBINE = ("mean", "median", "largest", "smallest")
DOMAINS = ("waveform", "stft")
WHOLE_SECONDS = 1.0  # that a chunk is longer than what `forward` is given, so that it is one

Weights = Sequence[float] | Mapping[str, Sequence[float]]

_being_loaded: ContextVar[tuple[str, ...]] = ContextVar("members", default=("ensemble",))


class Ensemble(Separator):
    """Several trained models as one. Each separates a song as it does by itself, with its own chunks and normalization.

    What it estimates is resampled and adapted to the ensemble's rate and channels. Before (revision 1), an ensemble cut
    a song, and its models were given the chunks.

    Args:
        members: Checkpoints, names of published weights, or of models without weights.
        targets: Stems to estimate, each of which at least one member has; those that all have when None.
        sample_rate: Rate in Hz; the highest of the members' when None.
        channels: Audio channels; the most of the members' when None.
        combine: `mean`, `median`, or the `largest` or `smallest` magnitude.
        domain: `waveform`, or `stft`, where bins are combined.
        weights: Of the mean: a number per member, or by target, {vocals: [1, 0.5]}; equal when None.
        window_samples, hop_samples: Of the STFT.

    Raises:
        ValueError: If a member cannot be one, no target is common, or an option is none of these.
        FileNotFoundError, KeyError: If there is no such member.
    """

    trainable = False
    revision = 2

    shares: Tensor  # (S, M), 0 where a member lacks the target

    def __init__(
        self,
        members: Sequence[str] = ("mixture", "mixture_share"),
        targets: Sequence[str] | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        combine: str = "mean",
        domain: str = "waveform",
        weights: Weights | None = None,
        window_samples: int = 2048,
        hop_samples: int = 1024,
    ) -> None:
        for what, value, known in (("combine", combine, COMBINE), ("domain", domain, DOMAINS)):
            if value not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, not {value!r}")
        if weights is not None and combine != "mean":
            raise ValueError(f"weights are those of the mean, and combine is {combine}: leave them out")
        if isinstance(members, str) or not members or not all(isinstance(member, str) for member in members):
            raise ValueError("members must be a list of checkpoints or names, as [a.ckpt, b.ckpt]")
        models = [_loaded(member) for member in members]
        super().__init__(
            _targets(members, models) if targets is None else targets,
            sample_rate or max(model.sample_rate for model in models),
            channels or max(model.channels for model in models),
        )
        self.models = nn.ModuleList(models)
        self.combine, self.domain = combine, domain
        self.stft = STFT(window_samples, hop_samples)
        self.register_buffer("shares", self._shares(members, weights), persistent=False)
        self.stride_samples = hop_samples if domain == "stft" else 1
        if all(model.role == "floor" for model in models):
            self.role = "floor"  # type: ignore[misc]  # of the class, for other models

    def combines(self) -> Sequence[Separator]:
        return [model for model in self.models if isinstance(model, Separator)]

    def forward(self, mixture: Tensor) -> Tensor:
        seconds = mixture.shape[-1] / self.sample_rate + WHOLE_SECONDS
        items = [separate(self, item, self.sample_rate, chunk_seconds=seconds) for item in mixture]
        return torch.stack([torch.stack([item[target] for target in self.targets]) for item in items]).to(mixture)

    def combined(self, estimates: Sequence[Tensor]) -> Tensor:
        rows = []
        for target, shares in zip(self.targets, self.shares, strict=True):
            used = [index for index, share in enumerate(shares.tolist()) if share]
            each = [estimates[index][self.combines()[index].targets.index(target)] for index in used]
            rows.append(self._combined(torch.stack(each), shares[used]))
        return torch.stack(rows)

    def _combined(self, signals: Tensor, shares: Tensor) -> Tensor:
        """(M, C, T) to (C, T)."""
        if self.domain == "waveform":
            return self._of_values(signals, shares)
        spectra = self.stft(signals)
        if self.combine == "median":
            return self.stft.inverse(
                torch.view_as_complex(self._of_values(torch.view_as_real(spectra), shares)), signals.shape[-1]
            )
        return self.stft.inverse(self._of_values(spectra, shares), signals.shape[-1])

    def _of_values(self, values: Tensor, shares: Tensor) -> Tensor:
        """(M, ...) to (...)."""
        if self.combine == "mean":
            return torch.einsum("m...,m->...", values, shares.to(values))
        if self.combine == "median":
            ordered = values.sort(0).values
            return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
        sizes = values.abs()
        chosen = sizes.argmax(0, keepdim=True) if self.combine == "largest" else sizes.argmin(0, keepdim=True)
        return values.gather(0, chosen)[0]

    def _shares(self, members: Sequence[str], weights: Weights | None) -> Tensor:
        given: Mapping[str, Any] = weights if isinstance(weights, Mapping) else {}
        if strange := [target for target in given if target not in self.targets]:
            raise ValueError(f"weights are given for '{strange[0]}', which is no target: {', '.join(self.targets)} are")
        rows = []
        for target in self.targets:
            row = given.get(target) if isinstance(weights, Mapping) else weights
            row = [1.0] * len(members) if row is None else row
            if not isinstance(row, Sequence) or len(row) != len(members) or not all(_is_weight(each) for each in row):
                raise ValueError(f"weights of {target} must be {len(members)} numbers of at least 0, one per member")
            has = [target in model.targets for model in self.combines()]
            if not any(has):
                raise ValueError(f"no member has the target '{target}': {members[0]} has {_names(self.models[0])}")
            row = [float(weight) * own for weight, own in zip(row, has, strict=True)]
            if not sum(row):
                raise ValueError(f"the weights of all members that have '{target}' are 0: give one of them more")
            rows.append([weight / sum(row) for weight in row])
        return torch.tensor(rows)


def _loaded(member: str) -> Separator:
    place = str(Path(member).resolve()) if Path(member).exists() else member
    if place in _being_loaded.get():
        raise ValueError(f"'{member}' would be a member of itself: name the members of that ensemble")
    token = _being_loaded.set((*_being_loaded.get(), place))
    try:
        model = trained(member)
    finally:
        _being_loaded.reset(token)
    if model.needs_references:
        raise ValueError(f"'{member}' needs the true stems of a song, and cannot be a member")
    return model


def _targets(members: Sequence[str], models: Sequence[Separator]) -> list[str]:
    common = [target for target in models[0].targets if all(target in model.targets for model in models)]
    if not common:
        each = "; ".join(f"{member} has {_names(model)}" for member, model in zip(members, models, strict=True))
        raise ValueError(f"the members have no common target ({each}): name some, separator.targets=[vocals]")
    return common


def _names(model: Any) -> str:
    return ", ".join(model.targets)


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
