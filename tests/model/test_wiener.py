"""The multichannel Wiener filter: that of openunmix, for any channels, block by block."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from msbench.data.demo.songs import song_stems
from msbench.model import wiener as module
from msbench.model.stft import STFT
from msbench.model.wiener import wiener
from tests.requirements import peer


def spectra(sources: int, channels: int, bins: int = 21, frames: int = 13) -> tuple[Tensor, Tensor]:
    """First estimates with the mixture's phase, and a mixture as loud as of a full-scale song."""
    torch.manual_seed(sources)
    mixture = 30 * torch.randn(channels, bins, frames, dtype=torch.complex128)
    return torch.rand(sources, channels, bins, frames, dtype=torch.float64) * mixture, mixture


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
@pytest.mark.parametrize(
    ("sources", "channels", "options"),
    [
        (4, 2, {}),
        (4, 2, {"iterations": 3, "softmask": True, "residual": True, "scale_factor": 3.0}),
        (1, 2, {"iterations": 2, "residual": True, "eps": 1e-6}),
        (3, 1, {"iterations": 2}),
        (2, 2, {"iterations": 0, "softmask": True, "residual": True}),
        (2, 2, {"iterations": 0}),
    ],
)
def test_it_is_the_filter_of_openunmix(
    sources: int, channels: int, options: dict[str, float], dtype: torch.dtype
) -> None:
    estimates, mixture = (x.to(dtype) for x in spectra(sources, channels))
    magnitudes, plain = estimates.abs().permute(3, 2, 1, 0), torch.view_as_real(mixture.permute(2, 1, 0).contiguous())
    theirs = peer("openunmix.filtering").wiener(magnitudes.contiguous(), plain, **{"iterations": 1, **options})
    expected = torch.view_as_complex(theirs.transpose(-1, -2).contiguous()).permute(3, 2, 1, 0)
    refined = wiener(estimates, mixture, **options)  # type: ignore[arg-type]
    assert refined.dtype == dtype
    torch.testing.assert_close(refined, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


def test_more_channels_are_inverted_as_two_are() -> None:
    estimates, mixture = spectra(3, 2)
    silent = torch.zeros_like(mixture[:1])
    padded = wiener(
        torch.cat([estimates, torch.zeros_like(estimates[:, :1])], 1), torch.cat([mixture, silent]), eps=1e-14
    )
    # A silent third channel halves neither R nor v: the mean power of three channels times a covariance over it.
    torch.testing.assert_close(padded[:, :2], wiener(estimates, mixture, eps=1e-14), atol=1e-5, rtol=1e-5)
    assert padded[:, 2].abs().max() < 1e-9


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    estimates, mixture = spectra(2, 2)
    whole = wiener(estimates, mixture)
    monkeypatch.setattr(module, "BLOCK", 1)
    torch.testing.assert_close(wiener(estimates, mixture), whole)


def test_the_estimates_add_up_to_the_mixture() -> None:
    estimates, mixture = spectra(3, 2)
    torch.testing.assert_close(wiener(estimates, mixture).sum(0), mixture, atol=1e-2, rtol=0)


def test_one_source_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="tells sources from each other: for one, it needs the residual"):
        wiener(*spectra(1, 2))


def test_with_true_magnitudes_it_beats_the_phase_of_the_mixture() -> None:
    stems = song_stems(0)
    excerpt = slice(2 * 44100, 4 * 44100)
    references = torch.stack(
        [torch.from_numpy(stems[name][excerpt].T / 32768) for name in ("vocals", "drums", "other")]
    )
    references, stft = references.float(), STFT(2048, 1024)
    true = stft(references) / stft.scale
    mixture = true.sum(0)
    first = torch.polar(true.abs(), mixture.angle().expand_as(true))

    def decibels(estimates: Tensor) -> Tensor:
        return 10 * ((true.abs() ** 2).sum((1, 2, 3)) / ((estimates - true).abs() ** 2).sum((1, 2, 3))).log10()

    assert (decibels(wiener(first, mixture)) - decibels(first)).min() > 0.5
