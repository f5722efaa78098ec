"""The multichannel Wiener filter whose parameters follow from first estimates, as of Open-Unmix.

Nugraha, Liutkus & Vincent, "Multichannel music separation with deep neural networks", EUSIPCO 2016; Uhlich et al.,
"Improving music source separation based on deep neural networks through data augmentation and network blending", ICASSP
2017. The arithmetic is that of openunmix 1.3 (sigsep/open-unmix-pytorch fb672c9, openunmix/filtering.py), with two
differences: it is done in double precision, as its authors recommend, because the covariance of one panned source is
all but singular; and their `atan2` adds one to each silent bin of the mixture, in place.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 2**18  # values of the estimates at a time: what bounds the memory beyond input and output


def wiener(
    estimates: Tensor,
    mixture: Tensor,
    iterations: int = 1,
    softmask: bool = False,
    residual: bool = False,
    scale_factor: float = 10.0,
    eps: float = 1e-10,
) -> Tensor:
    """Refine estimates of one excerpt by expectation maximization of the local Gaussian model.

    A source's STFT is Gaussian with the covariance v R: v its power in each bin, R its spatial covariance at each
    frequency, constant over the excerpt. Each iteration takes v and R from the estimates, and filters the mixture with
    v R (sum v R)^-1 for each source.

    Args:
        estimates: First estimates of the sources' STFTs, complex (S, C, F, N), not scaled.
        mixture: Its STFT, complex (C, F, N).
        iterations: With 0, the first estimates are returned.
        softmask: Begin with the mixture, shared in the ratio of the estimates' magnitudes.
        residual: Add a source: the mixture less all estimates.
        scale_factor: Levels are divided by the mixture's largest magnitude over this, where that is above 1.
        eps: Power of the noise that is assumed.

    Returns:
        Refined estimates (S, C, F, N), with the residual, if there is one, as the last of S + 1.

    Raises:
        ValueError: If there is one source and nothing that it can be told from.
    """
    if iterations and len(estimates) == 1 and not residual:
        raise ValueError("the Wiener filter tells sources from each other: for one, it needs the residual")
    double = torch.complex64 if mixture.device.type == "mps" else torch.complex128  # which has no double precision
    refined = torch.empty((len(estimates) + residual, *mixture.shape), dtype=mixture.dtype, device=mixture.device)
    level = (mixture.abs().max() / scale_factor).clamp_min(1)
    step = max(1, BLOCK // (len(refined) * mixture.shape[0] * mixture.shape[-1]))
    for low in range(0, mixture.shape[1], step):  # frequencies have nothing to do with each other
        x = mixture[:, low : low + step].to(double).transpose(0, 1)  # (f, C, N)
        y = estimates[:, :, low : low + step].to(double).permute(2, 0, 1, 3)  # (f, S, C, N)
        if softmask:
            magnitudes = y.abs()
            y = x.unsqueeze(1) * (magnitudes / (eps + magnitudes.sum(1, keepdim=True)))
        if residual:
            y = torch.cat([y, (x - y.sum(1)).unsqueeze(1)], 1)
        if iterations:
            x, y = x / level, y / level
            for _ in range(iterations):
                y = _refined(y, x, eps)
            y = y * level
        refined[:, :, low : low + step] = y.permute(1, 2, 0, 3)
    return refined


def _refined(y: Tensor, x: Tensor, eps: float) -> Tensor:
    """One iteration: estimates (f, S, C, N) and the mixture (f, C, N) to new estimates."""
    channels = x.shape[1]
    power = torch.view_as_real(y).square().sum((2, 4)) / channels  # (f, S, N)
    spatial = (y @ y.mH) / (power.sum(-1) + eps)[..., None, None]  # (f, S, C, C)
    # As real numbers, a product of matrices: the powers are real.
    mixed = torch.view_as_real(spatial).flatten(2).transpose(1, 2) @ power  # (f, C C 2, N)
    whitened = _whitened(mixed.unflatten(1, (channels, channels, 2)), x, eps**0.5)
    filtered = spatial.flatten(1, 2) @ whitened  # (f, S C, N)
    return filtered.unflatten(1, (-1, channels)) * power.unsqueeze(2)


def _whitened(covariance: Tensor, x: Tensor, load: float) -> Tensor:
    """(covariance + load I)^-1 x at each bin: (f, C, C, 2, N), real and imaginary parts apart, and (f, C, N)."""
    channels = x.shape[1]
    if channels == 1:
        return x / (covariance[:, 0, :, 0] + load)
    if channels > 2:
        matrices = torch.complex(covariance[..., 0, :], covariance[..., 1, :]).permute(0, 3, 1, 2)
        matrices = matrices + load * torch.eye(channels, device=x.device)
        return torch.linalg.solve(matrices, x.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
    first, second = covariance[:, 0, 0, 0] + load, covariance[:, 1, 1, 0] + load
    cross = torch.complex(covariance[:, 0, 1, 0], covariance[:, 0, 1, 1])
    determinant = first * second - covariance[:, 0, 1].square().sum(1)
    left, right = x.unbind(1)
    return torch.stack([second * left - cross * right, first * right - cross.conj() * left], 1) / determinant.unsqueeze(
        1
    )
