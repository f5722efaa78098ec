"""Hybrid Demucs against the authors' package and torchaudio, with the same weights."""

import re

import pytest
import torch
from msbench_plugins import hdemucs
from torch import nn
from torch.nn.functional import l1_loss

import msbench
from msbench.model.costs import parameter_count
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

Published = peer("demucs.hdemucs").HDemucs
OfTorchaudio = peer("torchaudio.models").HDemucs
TARGETS = ["a", "b", "c"]
SMALL = {"nfft": 64, "depth": 4, "norm_starts": 1, "dconv_lstm": 1, "dconv_attn": 1}
SMALL_OURS = {"filters": 16, "window_samples": 64, "depth": 4, "plain_layers": 1}


def name_of_the_package(name: str) -> str:
    """That of a weight of torchaudio's."""
    return re.sub("^freq_(en|de)coder", r"\1coder", re.sub("^time_(en|de)coder", r"t\1coder", name))


@pytest.mark.parametrize("channels", [1, 2])
def test_it_gives_the_outputs_of_the_package(channels: int) -> None:
    """At 9999 samples, 625 frames, the BLSTM works in frames of its own."""
    torch.manual_seed(0)
    theirs = Published(TARGETS, audio_channels=channels, channels=16, dconv_init=1.0, **SMALL).eval()
    ours = msbench.load("hdemucs", targets=TARGETS, channels=channels, normalize=False, **SMALL_OURS).eval()
    ours.load_state_dict(theirs.state_dict())
    for time in (7, 64, 4096, 9999):
        mixture = noise(2, channels, time) + 0.05
        with torch.no_grad():
            assert largest_difference(ours(mixture), theirs(mixture)) < 1e-5


DEEP = {"nfft": 1024, "depth": 5, "dconv_lstm": 3, "dconv_attn": 3}
DEEP_OURS = {"filters": 16, "window_samples": 1024, "depth": 5, "plain_layers": 3}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({**SMALL, "cac": False}, {**SMALL_OURS, "spectrum": "magnitudes"}),
        (
            {**SMALL, "cac": False, "hybrid_old": True, "norm_starts": 999},
            {**SMALL_OURS, "spectrum": "magnitudes", "late_spectrum": True, "deep_norm": False},
        ),
        (
            {**DEEP, "norm_starts": 999, "multi_freqs": [0.1, 0.3]},
            {**DEEP_OURS, "deep_norm": False, "splits": [0.1, 0.3]},
        ),
    ],
)
def test_the_networks_of_the_mdx_challenge(theirs: dict[str, object], ours: dict[str, object]) -> None:
    """Those of the bags mdx and mdx_extra, by outputs.tar.gz of the package, in small; the last is half silent."""
    torch.manual_seed(0)
    for channels in (1, 2):
        published = Published(TARGETS, audio_channels=channels, channels=16, dconv_init=1.0, **theirs).eval()
        model = msbench.load("hdemucs", targets=TARGETS, channels=channels, normalize=False, **ours).eval()
        model.load_state_dict(published.state_dict())
        for time in (7, 255, 4999):
            mixture = noise(2, channels, time) + 0.05
            mixture[..., 3000:] = 0
            with torch.no_grad():
                assert largest_difference(model(mixture), published(mixture)) < 1e-5


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"cac": False}, {"spectrum": "magnitudes"}),
        ({"norm_starts": 999, "multi_freqs": [0.1, 0.3]}, {"deep_norm": False, "splits": [0.1, 0.3]}),
    ],
)
def test_the_sizes_of_the_mdx_challenge(theirs: dict[str, object], ours: dict[str, object]) -> None:
    with torch.device("meta"):
        published = Published(["drums", "bass", "other", "vocals"], rescale=0, **theirs)
        model = msbench.load("hdemucs", rescale=0, **ours)
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (published, model)]
    assert shapes[0] == shapes[1]


def test_it_gives_the_outputs_of_torchaudio() -> None:
    torch.manual_seed(0)
    theirs = OfTorchaudio(TARGETS, channels=16, dconv_init=1.0, **SMALL).eval()
    ours = msbench.load("hdemucs", targets=TARGETS, normalize=False, **SMALL_OURS).eval()
    ours.load_state_dict(used_by(ours, theirs))
    mixture = noise(2, 2, 9999) + 0.05
    with torch.no_grad():
        assert largest_difference(ours(mixture), theirs(mixture)) < 1e-5


def used_by(ours: torch.nn.Module, theirs: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of torchaudio's, but for a normalization that it has and never calls."""
    weights = {name_of_the_package(name): value for name, value in theirs.state_dict().items()}
    unused = weights.keys() - ours.state_dict().keys()
    assert all(re.match(r"tencoder[.]\d[.]norm1[.]", name) for name in unused)
    return {name: value for name, value in weights.items() if name not in unused}


def test_the_published_sizes() -> None:
    with torch.device("meta"):
        ours, theirs = msbench.load("hdemucs", rescale=0), OfTorchaudio(["drums", "bass", "other", "vocals"])
    assert parameter_count(ours) == 83_637_832
    assert parameter_count(theirs) - parameter_count(ours) == 1536
    published = {name: value.shape for name, value in used_by(ours, theirs).items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == published


def test_a_song_is_normalized_as_by_the_authors() -> None:
    """The lines 269 to 273 of demucs/api.py, and those behind its call of the model."""
    torch.manual_seed(0)
    plain = msbench.load("hdemucs", targets=TARGETS, normalize=False, **SMALL_OURS).eval()
    ours = msbench.load("hdemucs", targets=TARGETS, **SMALL_OURS).eval()
    ours.load_state_dict(plain.state_dict())
    song = 0.001 * noise(2, 4001) + 0.05
    mono = song.mean(0)
    with torch.no_grad():
        theirs = plain((song - mono.mean())[None] / (mono.std() + 1e-8)) * (mono.std() + 1e-8) + mono.mean()
        assert largest_difference(ours(song[None]), theirs) < 1e-5


def test_initial_weights_are_those_of_the_package() -> None:
    """In distribution: the deviation of each tensor that has enough values to tell."""
    torch.manual_seed(0)
    options = {"nfft": 64, "depth": 4, "norm_starts": 1, "dconv_lstm": 1, "dconv_attn": 1, "dconv_init": 1e-3}
    theirs = Published(TARGETS, channels=16, **options).state_dict()
    for name, value in msbench.load("hdemucs", targets=TARGETS, **SMALL_OURS).state_dict().items():
        if value.numel() >= 1000:
            assert value.std().item() == pytest.approx(theirs[name].std().item(), rel=0.1), name
        elif name.endswith("scale"):
            assert torch.equal(value, theirs[name])


def test_the_penalty_is_that_of_the_package() -> None:
    """With conf/svd/base2.yaml, at the same random state."""
    torch.manual_seed(0)
    module = nn.ModuleList(
        [nn.Conv1d(128, 512, 5), nn.ConvTranspose2d(128, 512, (5, 1)), nn.LSTM(256, 256), nn.Conv1d(8, 8, 1)]
    )
    torch.manual_seed(1)
    theirs = peer("demucs.svd").svd_penalty(module, min_size=1, dim=100, niters=4, convtr=True)
    torch.manual_seed(1)
    ours = hdemucs.squared_singular_values(module)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    ours.backward()
    assert module[0].weight.grad.isfinite().all()
    assert module[3].weight.grad is None


def test_the_penalty_is_of_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = msbench.load("hdemucs", targets=TARGETS, svd_penalty=0.5, **SMALL_OURS)
    monkeypatch.setattr(hdemucs, "squared_singular_values", lambda module: torch.tensor(3.0))
    batch = msbench.Batch(noise(1, 2, 500), noise(1, 3, 2, 500))
    assert (model.train().loss(batch, l1_loss) - model.eval().loss(batch, l1_loss)).item() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_samples": 2048}, "window_samples of 2048 does not fit 6 layers.*layer 5 meets 4 frequencies"),
        ({"depth": 4}, "window_samples of 4096 needs a depth above 4, or the branches never meet"),
        ({"filters": 36}, "filters must be a multiple of 8, and at least twice compress .4., not 36"),
        ({"filters": 8, "compress": 8}, "at least twice compress .8., not 8"),
        ({"window_samples": 2**19}, "window_samples must be at most 262144"),
        ({"svd_penalty": -1}, "svd_penalty must be at least 0, not -1"),
        ({"spectrum": "power"}, "spectrum must be 'complex' or 'magnitudes', not 'power'"),
        ({"splits": [0.5, 0.3]}, "splits must be rising shares with 8 or more of a layer's frequencies between them"),
        ({"splits": [0.01]}, "splits must be rising shares"),
        ({"splits": [1.5]}, "splits must be numbers between 0 and 1"),
        ({"depth": 0}, "depth must be a whole number of at least 1, not 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "hdemucs")(**options)
