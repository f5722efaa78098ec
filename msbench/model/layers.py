"""Layers that several models share, and how their weights begin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

# Of each initialization that is not torch's own or N(0, 0.02): the name of its function in torch.nn.init.
_DRAWS = {"he_uniform": "kaiming_uniform_", "xavier_normal": "xavier_normal_", "xavier_uniform": "xavier_uniform_"}
INITIALIZATIONS = ("torch", "normal", *_DRAWS)


def initialize(module: nn.Module, how: str) -> None:
    """Draw the weights of a new network as its authors did.

    Weights are the parameters of two or more dimensions. Scales and shifts of normalizations stay 1 and 0.

    Args:
        module: The network, changed in place.
        how: `torch` leaves what torch has drawn. `normal` is N(0, 0.02), `xavier_uniform` the uniform distribution of
            Glorot & Bengio 2010, which TensorFlow draws by default, and `he_uniform` that of He et al. 2015; with all
            three, the biases of convolutions and linear layers become zero, as in Keras. `xavier_normal` is the normal
            distribution of Glorot & Bengio 2010; biases stay as torch has drawn them.

    Raises:
        ValueError: If `how` is none of these.
    """
    if how not in INITIALIZATIONS:
        raise ValueError(f"initialization must be one of {', '.join(INITIALIZATIONS)}, not '{how}'")
    if how == "torch":
        return
    for parameter in module.parameters():
        if parameter.dim() > 1 and how == "normal":
            nn.init.normal_(parameter, std=0.02)
        elif parameter.dim() > 1:
            getattr(nn.init, _DRAWS[how])(parameter)
    if how != "xavier_normal":
        for layer in module.modules():
            weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
            if weight is not None and bias is not None and weight.dim() > 1:
                nn.init.zeros_(bias)


class ConvUNet(nn.Module):
    """The U-Net of Jansson et al. 2017 (figure 1): strided 5 x 5 convolutions down, transposed ones up, skips between.

    Down: convolution, batch normalization, leaky ReLU 0.2. Up: transposed convolution, batch normalization, ReLU, and
    dropout in the first three. The last layer is linear.

    With `layers="tensorflow"`, weights trained in TensorFlow give the outputs that they give there. Its padding "same"
    puts one zero before and two after an even number of rows (tensorflow.org, tf.nn, "Notes on padding"); the padding
    of `torch` is two before and one after. The epsilon of its batch normalization is 1e-3 in place of 1e-5.

    Args:
        channels_in, channels_out: Of the image before and after.
        depth: Number of layers down, and up.
        filters: Channels of the first layer, doubled with each further one.
        dropout: Probability.
        skip: Whether layers down are concatenated to the layers up.
        layers: `torch` or `tensorflow`.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        depth: int,
        filters: int,
        dropout: float,
        skip: bool = True,
        layers: str = "torch",
    ) -> None:
        super().__init__()
        if not 3 <= depth <= 6:
            raise ValueError(f"depth must be from 3 to 6, not {depth}")
        if layers not in LAYERS:
            raise ValueError(f"layers must be one of {', '.join(LAYERS)}, not '{layers}'")
        convolution, transposed, eps = LAYERS[layers]
        self.stride = 2**depth
        self.skip = skip
        widths = [channels_in, *(filters * 2**i for i in range(depth))]
        self.convolutions = nn.ModuleList(
            nn.Sequential(convolution(a, b), nn.BatchNorm2d(b, eps))
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.up = nn.ModuleList()
        for i, (a, b) in enumerate(zip(widths[:1:-1], widths[-2:0:-1], strict=True)):
            layer = [transposed(a if i == 0 or not skip else 2 * a, b), nn.BatchNorm2d(b, eps), nn.ReLU()]
            self.up.append(nn.Sequential(*layer, *([nn.Dropout(dropout)] if i < 3 else [])))
        self.last = transposed(2 * filters if skip else filters, channels_out)

    def forward(self, image: Tensor, modulate: Callable[[int, Tensor], Tensor] | None = None) -> Tensor:
        """(B, channels_in, F, N) to (B, channels_out, F, N), for every F and N.

        Args:
            image: Padded with zeros to multiples of 2^depth.
            modulate: Called with the number of a layer down and its normalized output, for what takes its place
                (feature-wise modulation); it may also enlarge the batch.
        """
        height, width = image.shape[-2:]
        x = nn.functional.pad(image, (0, -width % self.stride, 0, -height % self.stride))
        skips: list[Tensor] = []
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            x = nn.functional.leaky_relu(x if modulate is None else modulate(i, x), 0.2)
            skips.append(x)
        for i, layer in enumerate(self.up):
            x = layer(x if i == 0 or not self.skip else torch.cat([x, skips[-1 - i]], 1))
        x = self.last(torch.cat([x, skips[0]], 1) if self.skip else x)
        return x[..., :height, :width]


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 5, 2, 2)


def _transposed(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 5, 2, 2, output_padding=1)


class SameConv2d(nn.Conv2d):
    """A 5 x 5 convolution of stride 2 with TensorFlow's padding "same".

    (B, channels_in, F, N) to (B, channels_out, F / 2, N / 2), rounded up.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, 2)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return super().forward(nn.functional.pad(x, (1 + width % 2, 2, 1 + height % 2, 2)))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of `SameConv2d`, (B, channels_in, F, N) to (B, channels_out, 2 F, 2 N)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x, output_size)[..., :-1, :-1]  # torch cuts the one row before, this the two after


# Of each option: the convolution, the transposed one, and the epsilon of batch normalization.
LAYERS: dict[str, tuple[Callable[[int, int], nn.Module], Callable[[int, int], nn.Module], float]] = {
    "torch": (_convolution, _transposed, 1e-5),
    "tensorflow": (SameConv2d, SameConvTranspose2d, 1e-3),
}


def centre(signal: Tensor, time: int) -> Tensor:
    """The middle `time` samples of (..., T); of two middles the earlier one."""
    start = (signal.shape[-1] - time) // 2
    return signal[..., start : start + time]
