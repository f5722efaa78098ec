"""The ideal masks and the Wiener oracle against cases computed by hand."""

import numpy as np
import pytest
import scipy.signal
import torch

import msbench
from msbench import registry

RATE = 8000
EPS = np.finfo(float).eps
ORACLES = [
    ("oracle_irm", {}),
    ("oracle_irm", {"alpha": 2.0}),
    ("oracle_ibm", {}),
    ("oracle_ibm", {"alpha": 2.0}),
    ("oracle_wiener", {}),
    ("oracle_wiener", {"variant": "sisec"}),
]


def tone(*gains: float) -> torch.Tensor:
    """One sine in every channel, with these gains, (C, T)."""
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)
    return torch.stack([gain * sine for gain in gains])


def estimate(name: str, *sources: torch.Tensor, **options) -> list[list[float]]:
    """The gain of the tone in each channel of each estimate, away from the ends."""
    references = torch.stack(sources)[None]
    targets = [f"source {i}" for i in range(len(sources))]
    model = msbench.load(name, targets=targets, sample_rate=RATE, channels=references.shape[2], **options)
    middle = model(references.sum(1), references)[0, :, :, 3000:5000]
    sine = tone(1.0)[0, 3000:5000]
    return ((middle * sine).sum(-1) / sine.square().sum()).tolist()


@pytest.mark.parametrize(
    ("name", "alpha", "gains"),
    [
        ("oracle_irm", 1, [0.4 * 3 / 4, 0.4 * 1 / 4]),
        ("oracle_irm", 2, [0.4 * 9 / 10, 0.4 * 1 / 10]),
        ("oracle_ibm", 1, [0.4, 0]),
        ("oracle_ibm", 2, [0.4, 0]),
    ],
)
def test_masks_of_two_tones_in_one_bin(name, alpha, gains):
    """|s_1| = 0.3 and |s_2| = 0.1 in a mixture of 0.4."""
    assert np.allclose(estimate(name, tone(0.3), tone(0.1), alpha=alpha), np.array(gains)[:, None], atol=1e-3)


def test_the_exponent_decides_where_the_binary_mask_ends():
    """|s| = 0.6 of |x| = 1 is above half of it, but |s|^2 = 0.36 is not above half of |x|^2."""
    assert np.allclose(estimate("oracle_ibm", tone(0.6), tone(0.4), alpha=1), [[1], [0]], atol=1e-3)
    assert np.allclose(estimate("oracle_ibm", tone(0.6), tone(0.4), alpha=2), [[0], [0]], atol=1e-3)


def test_wiener_of_one_channel_shares_by_power():
    assert np.allclose(estimate("oracle_wiener", tone(0.3), tone(0.1)), [[0.36], [0.04]], atol=1e-3)


def test_wiener_of_three_sources_in_stereo():
    """s = (2, 0), (0, 1), (1, 1): all v R are s s^H / 2, so Cov = [[5, 1], [1, 2]] / 2 for x = (3, 2).

    Cov^-1 x = 2/9 (4, 7), and v R times that is (16, 0) / 9, (0, 7) / 9 and (11, 11) / 9.
    """
    gains = estimate("oracle_wiener", tone(0.2, 0.0), tone(0.0, 0.1), tone(0.1, 0.1))
    assert np.allclose(gains, np.array([[1.6, 0], [0, 0.7], [1.1, 1.1]]) / 9, atol=1e-3)


def test_wiener_parts_what_is_panned_apart():
    """Two sources in two channels, in different directions, are parted exactly even in the same bins."""
    signals = 0.1 * torch.randn(2, 1, 4000, generator=torch.Generator().manual_seed(0))
    references = (signals * torch.tensor([[[1.0], [0.3]], [[-0.2], [1.0]]]))[None]
    model = msbench.load("oracle_wiener", targets=["a", "b"], sample_rate=RATE)
    assert torch.allclose(model(references.sum(1), references), references, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_estimates_and_the_rest_add_up_to_the_mixture(channels):
    """Also where sources are silent for a while, alike in both channels, or not all targets."""
    references = 0.1 * torch.randn(1, 3, 1, 9001, generator=torch.Generator().manual_seed(0)).repeat(1, 1, channels, 1)
    references[:, 1, :, 2000:6000] = 0
    mixture = references.sum(1)
    options = {"sample_rate": RATE, "channels": channels}
    for name in ("oracle_irm", "oracle_wiener"):
        everything = msbench.load(name, targets=["a", "b", "c"], **options)(mixture, references)
        assert torch.allclose(everything.sum(1), mixture, atol=1e-5)
        some = msbench.load(name, targets=["a", "b"], **options)(mixture, references[:, :2])
        assert torch.allclose(some, everything[:, :2], atol=1e-5)


def stereo(seconds: float, sources: int = 4, seed: int = 0) -> torch.Tensor:
    """Noise (1, S, 2, T) at 44.1 kHz: each source mostly in one direction, partly diffuse, and silent for a while."""
    generator = torch.Generator().manual_seed(seed)
    size = round(seconds * 44100)
    direct = torch.randn(sources, 1, size, generator=generator) * torch.rand(sources, 2, 1, generator=generator)
    signals = 0.1 * direct + 0.02 * torch.randn(sources, 2, size, generator=generator)
    signals[1, :, size // 4 : size // 2] = 0
    return signals[None]


def mwf_of_sisec(sources: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """MWF.py of sigsep/sigsep-mus-oracle (1590b09), with einsum for its loops: (S, 2, T) and (2, T) to (S, 2, T)."""

    def invert(m: np.ndarray) -> np.ndarray:
        determinant = EPS + m[..., 0, 0] * m[..., 1, 1] - m[..., 0, 1] * m[..., 1, 0]
        adjugate = np.stack([m[..., 1, 1], -m[..., 0, 1], -m[..., 1, 0], m[..., 0, 0]], -1)
        return adjugate.reshape(m.shape) / determinant[..., None, None]

    covariances = []
    for source in sources:
        y = scipy.signal.stft(source, nperseg=2048)[-1]
        observed = np.einsum("ift,jft->ftij", y, y.conj())
        power = np.mean(np.abs(y) ** 2, axis=0)
        spatial = np.mean(observed / (EPS + power[..., None, None]), axis=1)
        spatial = spatial * 2 / np.trace(spatial) + EPS * np.eye(2)  # the trace of a stack is over its first two axes
        power = np.real(np.einsum("fij,ftji->ft", invert(spatial), observed)) / 2
        covariances.append(power[..., None, None] * spatial[:, None])
    inverse = invert(sum(covariances))
    x = scipy.signal.stft(mixture, nperseg=2048)[-1]
    spectra = [np.einsum("ftij,ftjk,kft->ift", each, inverse, x) for each in covariances]
    return np.stack([scipy.signal.istft(each)[1][:, : mixture.shape[-1]] for each in spectra])


def mask_of_sisec(name: str, alpha: float, sources: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """IRM.py and IBM.py of the same: (S, 2, T) and (2, T) to (S, 2, T)."""
    x = scipy.signal.stft(mixture, nperseg=2048)[-1]
    powers = np.abs(scipy.signal.stft(sources, nperseg=2048)[-1]) ** alpha
    ratio = powers / (EPS + powers.sum(0))
    masks = ratio if name == "oracle_irm" else powers / (EPS + np.abs(x) ** alpha) >= 0.5
    return scipy.signal.istft(masks * x)[1][..., : mixture.shape[-1]]


def decibels(true: torch.Tensor, estimate: torch.Tensor) -> float:
    return float(10 * torch.log10(true.square().sum() / (true - estimate).square().sum()))


def test_the_variant_sisec_is_the_code_of_sisec_with_its_faults():
    references = stereo(1.5)
    mixture = references.sum(1)
    theirs = torch.from_numpy(mwf_of_sisec(references[0].double().numpy(), mixture[0].double().numpy()))
    ours = msbench.load("oracle_wiener", variant="sisec")(mixture, references)[0]
    assert all(decibels(*pair) > 120 for pair in zip(theirs, ours.double(), strict=True))
    exact = msbench.load("oracle_wiener")(mixture, references)[0]
    assert all(decibels(*pair) < 60 for pair in zip(theirs, exact.double(), strict=True))


@pytest.mark.parametrize("alpha", [1.0, 2.0])
@pytest.mark.parametrize("name", ["oracle_irm", "oracle_ibm"])
def test_masks_are_those_of_sisec(name, alpha):
    """A bin at the very edge of a binary mask may fall to either side by rounding."""
    references = stereo(1.5)
    mixture = references.sum(1)
    theirs = mask_of_sisec(name, alpha, references[0].double().numpy(), mixture[0].double().numpy())
    ours = msbench.load(name, alpha=alpha)(mixture, references)[0].double()
    assert all(decibels(*pair) > 90 for pair in zip(torch.from_numpy(theirs), ours, strict=True))


def test_variants_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="unknown variant 'mended': choose exact or sisec"):
        msbench.load("oracle_wiener", variant="mended")
    with pytest.raises(ValueError, match="sisec has 2 channels, not 1"):
        msbench.load("oracle_wiener", variant="sisec", channels=1)


def test_every_oracle_is_listed_here():
    found = {name for name in registry.entries("models") if registry.load("models", name).needs_references}
    assert found == {name for name, _ in ORACLES}


@pytest.mark.parametrize(("name", "options"), ORACLES)
def test_oracles_see_the_whole_song_in_separate(name, options):
    """Masks are the same from chunks; what is a mean over the song is not, and so is not made from chunks."""
    model = msbench.load(name, targets=["a", "b", "c"], **options)
    references = stereo(1.5, sources=3)
    references[:, 2, :, 44100:] = 0
    mixture = references.sum(1)
    whole = model(mixture, references)[0]
    stems = msbench.separate(model, mixture[0], 44100, references=references[0], chunk_seconds=0.5)
    for estimate, expected in zip(stems.values(), whole, strict=True):
        assert decibels(expected, estimate) > 100
