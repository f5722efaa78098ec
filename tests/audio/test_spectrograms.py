"""Spectrograms side by side: one scale for all, and axes in seconds and kilohertz."""

from __future__ import annotations

import pytest
import torch

from msbench.audio.spectrograms import stem_figure


def test_one_scale_for_all() -> None:
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 8000)[None]
    figure = stem_figure({"loud": sine, "quiet": sine / 100, "silent": 0 * sine}, 8000, title="a stem")
    loud, quiet, silent = (axis.images[0] for axis in figure.axes[:3])
    assert loud.get_clim() == quiet.get_clim() == silent.get_clim()
    bottom, top = loud.get_clim()
    assert top - bottom == pytest.approx(80)
    assert float(loud.get_array().max()) == pytest.approx(top)
    assert float(quiet.get_array().max()) == pytest.approx(top - 40, abs=0.1)
    assert float(silent.get_array().max()) < bottom
    assert list(loud.get_extent()) == [0, 1, 0, 4]
    row = int(loud.get_array()[:, 15].argmax())
    assert row * 8000 / 1024 == pytest.approx(1000, abs=8)
