"""Which of some weights fit a model by name and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

_SHOWN = 4  # weights that do not fit, in a message


@dataclass(frozen=True)
class Fitting:
    """How weights fit a model.

    Attributes:
        taken: Names of those that do.
        others: A few words about each that has another shape, is missing, or is none of the model's.
    """

    taken: Sequence[str]
    others: Sequence[str]

    @property
    def first_others(self) -> str:
        """The first few of the others, and how many more there are."""
        more = f", and {len(self.others) - _SHOWN} more" if len(self.others) > _SHOWN else ""
        return f"{'; '.join(self.others[:_SHOWN])}{more}"

    @property
    def summary(self) -> str:
        """What is said of them when they are loaded."""
        return f"took {len(self.taken)} weights; {self.first_others or 'all fit'}"


def fitting_of(model: nn.Module, weights: Mapping[str, Tensor]) -> Fitting:
    """Compare weights with the parameters and buffers of a model."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    others = [
        f"{name} is {_shape(tensor.shape)} in the file and {_shape(shapes[name])} in the model"
        for name, tensor in weights.items()
        if name in shapes and shapes[name] != tuple(tensor.shape)
    ]
    others += [f"{name} is missing in the file" for name in shapes if name not in weights]
    others += [f"the model has no {name}" for name in weights if name not in shapes]
    return Fitting([name for name, tensor in weights.items() if shapes.get(name) == tuple(tensor.shape)], others)


def load_fitting(model: nn.Module, weights: Mapping[str, Tensor]) -> Fitting:
    """Give a model the weights that fit it; the others stay as they are."""
    fitting = fitting_of(model, weights)
    model.load_state_dict(model.state_dict() | {name: weights[name] for name in fitting.taken})
    return fitting


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"
