"""Components of known kinds, and the stems that they are assigned to."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from msbench.model.components import STEMS, features, require_known_stems, stems_of_components

HERTZ = 22050 / 2048
FRAMES = 400


def spectrum(low: float, high: float) -> Tensor:
    """Even between two frequencies in Hz, and zero elsewhere."""
    hertz = torch.arange(1025) * HERTZ
    return ((hertz >= low) & (hertz <= high)).float()


def strokes(every: int, decay: float) -> Tensor:
    """Sudden beginnings, each of which dies away."""
    return decay ** (torch.arange(FRAMES) % every).float()


def test_features_worked_out_by_hand() -> None:
    tone = torch.zeros(2, 1025)
    tone[:, 100] = torch.tensor([1.0, -3.0])  # the sign says nothing
    activations = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, -2.0, 0.0, 2.0]])
    octave = math.log2(100 * HERTZ)
    expected = torch.tensor([[octave, 0.0, 0.0], [octave, 6 / 8, math.log(2)]])
    torch.testing.assert_close(features(tone, activations, HERTZ), expected)


def test_each_kind_of_component_has_its_stem() -> None:
    held = 0.6 + 0.4 * torch.sin(torch.arange(FRAMES) / 3)
    phrase = 0.02 + torch.exp(-(((torch.arange(FRAMES) % 200 - 20) / 4) ** 2))  # now and then
    kinds = {
        "drums": (spectrum(2000, 10000), strokes(12, 0.3)),
        "bass": (spectrum(60, 160), held),
        "other": (spectrum(300, 600), held),
        "vocals": (spectrum(500, 1000), phrase),
    }
    kick = (spectrum(60, 300), strokes(16, 0.4))
    templates, activations = (torch.stack(parts) for parts in zip(*kinds.values(), kick, strict=True))
    assert stems_of_components(templates, activations, HERTZ) == [*kinds, "drums"]


def test_silent_components_belong_somewhere() -> None:
    assert set(stems_of_components(torch.zeros(3, 1025), torch.zeros(3, 5), HERTZ)) <= set(STEMS)


def test_an_unknown_stem_is_refused() -> None:
    require_known_stems(["bass", "vocals"])
    with pytest.raises(ValueError, match="assigned to vocals, drums, bass, other, not to 'piano'"):
        require_known_stems(["bass", "piano"])
