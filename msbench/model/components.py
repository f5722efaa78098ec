"""Which stem a component of a spectrogram belongs to, where nothing was trained that could say so."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from msbench.system.bounded import shown

# What the components of each stem are like: means by energy, over the eight songs of the demo set that models are
# trained on (40 components of each song by NMF; frames of 93 ms, 23 ms apart). Low and high drums differ.
CENTERS = (
    ("vocals", (9.5, 0.25, 3.0)),
    ("drums", (11.0, 0.48, 2.75)),
    ("drums", (7.5, 0.35, 2.7)),
    ("bass", (6.9, 0.21, 2.1)),
    ("other", (8.8, 0.18, 2.25)),
)
STEMS = ("vocals", "drums", "bass", "other")
SCALES = (1.0, 0.1, 0.4)  # how much the components of one stem differ in each of the three
_TINY = 1e-12


def require_known_stems(targets: Sequence[str]) -> None:
    """Refuse targets that `stems_of_components` does not know.

    Raises:
        ValueError: If one of them is none of vocals, drums, bass and other.
    """
    unknown = [target for target in targets if target not in STEMS]
    if unknown:
        raise ValueError(
            f"components are assigned to {', '.join(STEMS)}, not to {shown(unknown[0])}: choose targets among these"
        )


def stems_of_components(templates: Tensor, activations: Tensor, hertz_per_bin: float) -> list[str]:
    """Assign each component to the stem whose components are most like it: the nearest of `CENTERS`, in `features`.

    Args:
        templates: The components' spectra, (K, F).
        activations: (K, N), of frames that are some 23 ms apart, as the change from one to the next counts.
        hertz_per_bin: From one bin of a spectrum to the next.

    Returns:
        Of each component vocals, drums, bass or other.
    """
    scales = torch.tensor(SCALES)
    centers = torch.tensor([center for _, center in CENTERS]) / scales
    points = features(templates, activations, hertz_per_bin).float().cpu() / scales
    return [CENTERS[i][0] for i in torch.cdist(points, centers).argmin(1).tolist()]


def features(templates: Tensor, activations: Tensor, hertz_per_bin: float) -> Tensor:
    """Three numbers of each component; values below zero count by their size.

    The first is the octave of the spectral centroid, the mean of log2 of the frequency in Hz. The second is the share
    of the activation that changes from one frame to the next: percussion has most of it. The third is the logarithm of
    the activation's peak over its mean: it is small for what sounds all the time.

    Args:
        templates, activations, hertz_per_bin: As for `stems_of_components`.

    Returns:
        (K, 3).
    """
    spectra, gains = templates.abs(), activations.abs()
    octaves = torch.log2((torch.arange(spectra.shape[1]) * hertz_per_bin).clamp_min(20.0)).to(spectra)
    centroid = (spectra @ octaves) / spectra.sum(1).clamp_min(_TINY)
    total = gains.sum(1).clamp_min(_TINY)
    change = gains.diff(dim=1).abs().sum(1) / (2 * total)
    crest = (gains.amax(1) * gains.shape[1] / total).clamp_min(1).log()
    return torch.stack([centroid, change, crest], 1)
