"""The complex U-Net against asteroid's DCUNet, with the same weights."""

import pytest
import torch
from asteroid_filterbanks.transforms import from_torch_complex, to_torch_complex
from torch import nn

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise, randomise_statistics
from tests.requirements import peer

DCUNet = peer("asteroid.models").DCUNet
NAMES = {"10": "DCUNet-10", "16": "DCUNet-16", "20": "DCUNet-20", "large-20": "Large-DCUNet-20"}


class AsteroidSTFT(nn.Module):
    """Asteroid's transform with the methods of ours, so that whole models can be compared."""

    def __init__(self, published: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = published.encoder, published.decoder

    def forward(self, waveform):
        return to_torch_complex(self.encoder(waveform)).unsqueeze(1)

    def inverse(self, spectrum, time):
        waveform = self.decoder(from_torch_complex(spectrum.squeeze(2)))
        return nn.functional.pad(waveform, (0, time - waveform.shape[-1])).unsqueeze(2)


def copy_weights(theirs: nn.Module, ours: nn.Module) -> None:
    convolutions = [block.conv for block in theirs.encoders] + [block.deconv for block in theirs.decoders]
    for block, convolution, norm in zip(
        [*ours.down, *ours.up], convolutions, [b.norm for b in [*theirs.encoders, *theirs.decoders]], strict=True
    ):
        block.convolution.real.load_state_dict(convolution.re_module.state_dict())
        block.convolution.imaginary.load_state_dict(convolution.im_module.state_dict())
        parts = [norm.re_module.state_dict(), norm.im_module.state_dict()]
        block.norm.load_state_dict(
            {key: torch.cat([part[key] for part in parts]) if value.dim() else value for key, value in parts[0].items()}
        )
    ours.last.real.load_state_dict(theirs.output_layer[0].re_module.state_dict())
    ours.last.imaginary.load_state_dict(theirs.output_layer[0].im_module.state_dict())


@pytest.mark.parametrize(
    ("architecture", "bound"),
    [("10", "tanh"), ("10", "sigmoid"), ("10", "none"), ("16", "tanh"), ("20", "tanh"), ("large-20", "tanh")],
)
def test_same_outputs_as_asteroid(architecture, bound):
    torch.manual_seed(0)
    size = {"stft_n_filters": 512, "stft_kernel_size": 512, "stft_stride": 128}
    theirs = DCUNet(
        NAMES[architecture], n_src=2, fix_length_mode="pad", mask_bound=None if bound == "none" else bound, **size
    ).eval()
    randomise_statistics(theirs)
    ours = msbench.load(
        "complex_unet", targets=["a", "b"], architecture=architecture, bound=bound, window_samples=512, hop_samples=128
    ).eval()
    copy_weights(theirs.masker, ours)
    ours.stft = AsteroidSTFT(theirs)
    for time in (2560, 2561, 4093):
        mixture = noise(2, 1, time)
        with torch.no_grad():
            assert largest_difference(ours(mixture)[:, :, 0], theirs(mixture)) < 1e-5


@pytest.mark.parametrize(("architecture", "millions"), [("10", 1.42), ("16", 2.38), ("20", 3.53), ("large-20", 7.66)])
def test_parameter_counts(architecture, millions):
    model = msbench.load("complex_unet", targets=["vocals"], architecture=architecture)
    assert round(parameter_count(model) / 1e6, 2) == millions


def test_any_window_and_a_relu():
    model = msbench.load("complex_unet", architecture="10", window_samples=300, hop_samples=75, negative_slope=0.0)
    assert model(noise(1, 1, 997)).shape == (1, 4, 1, 997)


def test_complex_normalization_whitens_both_parts_together():
    torch.manual_seed(0)
    norm = msbench.load("complex_unet", architecture="10", norm="complex").down[0].norm
    real, imaginary = torch.randn(2, 4, 32, 9, 7)
    x = torch.cat([3 * real + 1, 2 * real + 0.1 * imaginary - 5], 1)  # two nearly equal parts
    y = norm(x).detach().unflatten(1, (2, 32))
    for channel in range(32):
        covariance = torch.cov(y[:, :, channel].transpose(0, 1).flatten(1), correction=0)
        torch.testing.assert_close(covariance, 0.5 * torch.eye(2), atol=0.03, rtol=0)
    assert y.mean((0, 3, 4)).abs().max() < 1e-5


def test_complex_normalization_in_evaluation_is_the_inverse_root_of_its_statistics():
    torch.manual_seed(0)
    norm = msbench.load("complex_unet", architecture="10", norm="complex").down[0].norm
    for _ in range(100):
        norm(torch.randn(2, 64, 5, 5) @ torch.randn(5, 5) + 0.3)
    nn.init.normal_(norm.scale)
    x = torch.randn(1, 64, 3, 2)
    y = norm.eval()(x).detach()
    for channel in range(32):
        a, b, d = norm.covariance[:, channel].double()
        values, vectors = torch.linalg.eigh(torch.tensor([[a + 1e-4, b], [b, d + 1e-4]]))
        p, q, r = norm.scale[:, channel].detach().double()
        matrix = torch.tensor([[p, q], [q, r]]) @ vectors @ values.rsqrt().diag() @ vectors.T
        both = [channel, 32 + channel]
        expected = matrix @ (x[0, both].flatten(1).double() - norm.mean[:, channel].double()[:, None])
        torch.testing.assert_close(y[0, both].flatten(1).double(), expected, atol=1e-4, rtol=1e-4)


def test_complex_normalization_trains():
    model = msbench.load("complex_unet", architecture="10", norm="complex", targets=["a"])
    with torch.autocast("cpu", torch.bfloat16):
        model(noise(2, 1, 4000)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    with pytest.raises(ValueError, match="norm must be one of parts, complex, not 'batch'"):
        msbench.load("complex_unet", norm="batch")
