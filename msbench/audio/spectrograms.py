"""Spectrograms of several waveforms, drawn side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stem_figure(waveforms: Mapping[str, torch.Tensor], sample_rate: int, title: str = "") -> Figure:
    """Log-magnitude spectrograms, one per waveform (C, T), on one color scale: 80 dB up to the loudest of all."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(waveforms), 3.2), layout="constrained")
    axes = figure.subplots(1, len(waveforms), sharey=True, squeeze=False)[0]
    window = torch.hann_window(1024)
    levels = {}
    for name, waveform in waveforms.items():
        mono = torch.nn.functional.pad(waveform.detach().float().cpu().mean(0), (0, 1024))
        spectrum = torch.stft(mono, 1024, 256, window=window, return_complex=True).abs()
        levels[name] = 20 * np.log10(spectrum.numpy() + 1e-8)
    top = max(float(level.max()) for level in levels.values())
    for axis, (name, level) in zip(axes, levels.items(), strict=True):
        seconds = waveforms[name].shape[-1] / sample_rate
        image = axis.imshow(
            level,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top - 80,
            vmax=top,
            extent=(0, seconds, 0, sample_rate / 2000),
        )
        axis.set(title=name, xlabel="time (s)")
    axes[0].set_ylabel("frequency (kHz)")
    figure.colorbar(image, ax=axes, label="dB")
    figure.suptitle(title)
    return figure
