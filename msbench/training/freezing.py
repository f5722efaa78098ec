"""Parameters that a training leaves as they are, and adapters that are trained in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from msbench.model.low_rank import adapt, adaptable
from msbench.system.bounded import shown
from msbench.system.wording import choices, counted, quantity


def freeze(model: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Keep the parameters whose names match a pattern from being trained.

    Args:
        model: The model.
        patterns: With the wildcards of file names, such as `encoder.*`.

    Returns:
        The normalizations with running statistics whose parameters are all frozen: in training too they have to stay in
        evaluation mode, or their statistics would drift from what the frozen weights have learned with.

    Raises:
        ValueError: If a pattern matches no parameter, or nothing would be left to train.
    """
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        matching = [name for name in parameters if fnmatchcase(name, pattern)]
        if not matching:
            raise ValueError(f"model.freeze: no parameter is named '{pattern}'. {choices(pattern, parameters)}")
        for name in matching:
            parameters[name].requires_grad_(False)
    if not any(each.requires_grad for each in parameters.values()):
        raise ValueError("model.freeze matches every parameter, so nothing is left to train: leave some out")
    counting = _with_statistics(model)
    return [each for each in counting if (own := list(each.parameters())) and not any(p.requires_grad for p in own)]


def _with_statistics(model: nn.Module) -> list[nn.Module]:
    return [each for each in model.modules() if getattr(each, "running_mean", None) is not None]


@dataclass(frozen=True)
class Adapters:
    """Low-rank adapters of a model, the value of `model.lora`.

    Attributes:
        names: Of the weights that get one.
        rank: Of each.
        alpha: An adapter counts alpha / rank times.
    """

    names: list[str]
    rank: int
    alpha: float

    def put_into(self, model: nn.Module) -> tuple[list[nn.Module], str]:
        """Leave a model with nothing to train but adapters.

        Returns:
            The normalizations with running statistics, which have to stay in evaluation mode; and what is trained, in
            words.
        """
        whole = sum(each.numel() for each in model.parameters())
        adapt(model, self.names, self.rank, self.alpha)
        trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
        said = (
            f"model.lora: {counted(len(self.names), 'weight')} with adapters of {quantity(trained)} parameters, which "
            f"are trained; the {quantity(whole)} of the model are not"
        )
        return _with_statistics(model), said


def adapters_of(given: Mapping[str, Any], model: nn.Module) -> Adapters:
    """The value of `model.lora`: {rank, alpha (the rank where not given), target: patterns of names of weights}.

    Raises:
        ValueError: If an option is unknown or no such number, or a pattern matches no weight that can have an adapter.
    """
    for key in given:
        if key not in ("rank", "alpha", "target"):
            raise ValueError(f"model.lora has no option {shown(key)}. {choices(str(key), ('rank', 'alpha', 'target'))}")
    rank = given.get("rank", 8)
    if type(rank) is not int or rank < 1:
        raise ValueError(f"model.lora: rank must be a whole number of at least 1, not {shown(rank)}")
    alpha = given.get("alpha", rank)
    if type(alpha) not in (int, float) or not 0 < alpha < float("inf"):
        raise ValueError(f"model.lora: alpha must be a number above 0, not {shown(alpha)}")
    target = given.get("target", "*")
    patterns = [target] if isinstance(target, str) else target
    if not isinstance(patterns, list) or not patterns or not all(isinstance(each, str) for each in patterns):
        raise ValueError(f"model.lora: target must be patterns of names of weights, not {shown(target)}")
    known = adaptable(model)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(
                f"model.lora: no weight of a linear layer or a convolution is named {shown(pattern)}. "
                f"{choices(pattern, known)}"
            )
    names = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return Adapters(names, rank, float(alpha))
