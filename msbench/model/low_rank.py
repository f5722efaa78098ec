"""Low-rank adapters of weights: what is trained in place of the weights, and what they come to in the end.

LoRA (Hu et al. 2021, arXiv:2106.09685, equation 3): W + (alpha / rank) B A, with W frozen. They are torch's
parametrizations: a layer keeps its type, and whatever reads `layer.weight` gets the sum. The layers of peft 0.21.2,
which stand in for a model's own, are passed by where a model reads the weight itself, as `complex_unet` and `scnet` do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.utils import parametrize

_INNER = ".parametrizations."  # torch's, between the name of a layer and that of its weight


class LowRank(nn.Module):
    """What a weight becomes: itself and a product of two small matrices, with rows for its outputs.

    A is drawn as in peft's `LoraLayer.reset_lora_parameters`, and B is zero, so that training begins at the weight.

    Args:
        weight: (O, ...), such as that of a linear layer or of a convolution.
        rank: Of the product.
        alpha: That much, divided by the rank, the product counts.
    """

    scale: Tensor

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        self.a = nn.Parameter(weight.new_empty(rank, weight[0].numel()))
        self.b = nn.Parameter(weight.new_zeros(len(weight), rank))
        self.register_buffer("scale", weight.new_tensor(alpha / rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return _sum(weight, self.a, self.b, self.scale)


def _sum(weight: Tensor, a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    return weight + scale * (b @ a).view_as(weight)


def adaptable(model: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """{name of a weight: its layer, and its name there} of the matrices and kernels that can have an adapter.

    Those of recurrent layers, which torch keeps in one block, and those that several layers share cannot.
    """
    owners = [(prefix, layer, *item) for prefix, layer in model.named_modules() for item in layer._parameters.items()]
    uses = [id(parameter) for *_, parameter in owners]
    return {
        f"{prefix}.{name}" if prefix else name: (layer, name)
        for prefix, layer, name, weight in owners
        if weight is not None and weight.ndim >= 2 and weight.is_floating_point() and uses.count(id(weight)) == 1
        if not isinstance(layer, nn.RNNBase | parametrize.ParametrizationList)
    }


def adapt(model: nn.Module, names: list[str], rank: int, alpha: float) -> None:
    """Give these of a model's `adaptable` weights adapters, and leave all else as it is."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    places = adaptable(model)
    for name in names:
        layer, weight = places[name]
        low_rank = LowRank(getattr(layer, weight).detach(), rank, alpha)
        parametrize.register_parametrization(layer, weight, low_rank, unsafe=True)  # its shape is right: no trial call


def merged(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a model's file with each adapter added to its weight, under the names that the model has without.

    They may be a stranger's: what does not fit together stays as it is, and is found to fit no model.
    """
    plain = dict(weights)
    for name, weight in weights.items():
        layer, inner, parameter = name.removesuffix(".original").rpartition(_INNER)
        stem = f"{layer}{inner}{parameter}"
        parts = [weights.get(f"{stem}.0.{part}") for part in ("a", "b", "scale")]
        if not inner or name != f"{stem}.original" or any(part is None for part in parts):
            continue
        a, b, scale = (part for part in parts if part is not None)
        if _fits(weight, a, b, scale):
            for part in ("original", "0.a", "0.b", "0.scale"):
                del plain[f"{stem}.{part}"]
            plain[f"{layer}.{parameter}" if layer else parameter] = _sum(weight, a, b, scale)
    return plain


def _fits(weight: Tensor, a: Tensor, b: Tensor, scale: Tensor) -> bool:
    """Whether they are those of one adapter, whose sum is no larger than what the file holds."""
    whole = all(part.is_contiguous() and part.dtype == weight.dtype for part in (weight, a, b, scale))
    if not whole or not weight.is_floating_point() or weight.ndim < 2 or not weight.numel() or a.ndim != 2:
        return False
    return b.shape == (len(weight), len(a)) and a.shape[1] == weight[0].numel() and scale.ndim == 0
