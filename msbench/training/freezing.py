"""Parameters that a training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from msbench.system.wording import choices


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
    counting = [each for each in model.modules() if getattr(each, "running_mean", None) is not None]
    return [each for each in counting if (own := list(each.parameters())) and not any(p.requires_grad for p in own)]
