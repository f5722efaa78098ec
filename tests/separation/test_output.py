"""Which stems are written, under which names, and that two of them are the mixture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.separation.output import Output, shared_out

TARGETS = ["vocals", "drums"]


def test_names() -> None:
    def paths(**options: str) -> list[str]:
        return [path.as_posix() for path in Output(**options).paths(Path("o"), Path("cd1/x"), "unet", TARGETS).values()]

    assert paths() == ["o/cd1/x/vocals.wav", "o/cd1/x/drums.wav"]
    assert paths(format="flac", residual="rest", name="{model}/{target}/{track}") == [
        f"o/unet/{stem}/cd1/x.flac" for stem in ("vocals", "drums", "rest")
    ]
    assert paths(two_stems="drums", name="{track} {target}") == ["o/cd1/x drums.wav", "o/cd1/x no_drums.wav"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"format": "wav"}, r"unknown format 'wav'. Did you mean wav24 or wav16"),
        ({"clip": "clmp"}, r"unknown clip 'clmp'. Did you mean clamp\? Available: none, clamp, rescale"),
        ({"name": "{track}"}, r"the name '\{track\}' must hold \{target\}"),
        ({"name": "{song}/{target}"}, "of other fields only"),
        ({"name": "{target}{track:9999999999}"}, "of other fields only"),
        ({"name": "{target.__class__}{target}"}, "of other fields only"),
        ({"name": "{target"}, "must hold"),
        ({"name": "../{target}"}, "a part of the name '../{target}' '..' begins with a dot"),
        ({"name": "/tmp/{target}"}, "is empty"),
        ({"residual": "a/b"}, "the residual 'a/b' holds a slash"),
        ({"residual": "rest", "two_stems": "vocals"}, "the residual of two stems is silence"),
    ],
)
def test_bad_values(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Output(**options)


def test_bad_targets() -> None:
    with pytest.raises(ValueError, match=r"the model has no target 'vocal'. Did you mean vocals"):
        Output(two_stems="vocal").stems(TARGETS)
    with pytest.raises(ValueError, match="the residual cannot be named 'drums', as a target is"):
        Output(residual="drums").stems(TARGETS)


def test_the_residual_is_what_no_estimate_takes() -> None:
    mixture, vocals, drums = np.random.default_rng(0).standard_normal((3, 2, 50)).astype(np.float32)
    parts = Output(residual="rest").parts(mixture, {"vocals": vocals, "drums": drums})
    np.testing.assert_allclose(parts["rest"], mixture - vocals - drums, atol=1e-6)
    assert parts["rest"].dtype == np.float32


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("level", [1e-6, 0.03, 0.3, 1.0])
def test_two_parts_are_the_mixture_exactly(bits: int, level: float) -> None:
    random = np.random.default_rng(0)
    mixture = (random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 100_000) / 2 ** (bits - 1)).astype(np.float32)
    mixture[::3] *= 2.0**-12  # the quietest passages, in whole steps too
    mixture = np.rint(mixture * 2 ** (bits - 1)).astype(np.float32) / np.float32(2 ** (bits - 1))
    estimate = np.clip(random.standard_normal(100_000) * level, -1.9, 1.9).astype(np.float32)
    estimate = np.where(np.abs(mixture - estimate) < 2, estimate, 0).astype(np.float32)
    target, rest = shared_out(mixture, estimate)
    assert np.array_equal(target + rest, mixture)
    assert np.abs(target - estimate).max() <= 2.0**-24


def test_two_parts_of_any_mixture_are_off_by_half_a_step_at_most() -> None:
    mixture, estimate = np.random.default_rng(0).standard_normal((2, 100_000)).astype(np.float32)
    mixture[::2] *= 1e-5
    target, rest = shared_out(mixture, estimate)
    largest = np.maximum(np.abs(target), np.maximum(np.abs(rest), np.abs(mixture)))
    assert (np.abs(target.astype(float) + rest - mixture) <= np.spacing(largest) / 2).all()
