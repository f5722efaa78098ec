"""Hybrid Transformer Demucs against the authors' package: outputs, and the weights after some steps of training."""

from collections.abc import Iterable

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

import msbench
from msbench.model.costs import parameter_count
from msbench.training.module import SeparationModule
from tests.plugins.weights import largest_difference, noise
from tests.requirements import peer

Published = peer("demucs.htdemucs").HTDemucs
TARGETS = ["drums", "bass", "other", "vocals"]
SMALL = {"channels": 16, "nfft": 256, "depth": 2, "t_heads": 4, "use_train_segment": False}
SMALL_OURS = {"targets": TARGETS, "filters": 16, "window_samples": 256, "depth": 2, "heads": 4, "normalize": False}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"bottom_channels": 32, "dconv_mode": 3}, {"transformer_channels": 32}),
        (
            {"dconv_mode": 1, "t_layers": 2},
            {"transformer_channels": None, "branches_up": False, "transformer_layers": 2},
        ),
    ],
)
def test_it_gives_the_outputs_of_the_package(theirs: dict[str, int], ours: dict[str, int]) -> None:
    torch.manual_seed(0)
    published = Published(TARGETS, **SMALL, **theirs).eval()
    for name, parameter in published.named_parameters():
        if name.endswith("scale"):  # at their first values, branches and transformer would hardly be heard
            nn.init.uniform_(parameter, 0.2, 1)
    model = msbench.load("htdemucs", **SMALL_OURS, **ours).eval()
    model.load_state_dict(published.state_dict())
    for time in (7, 64, 4096, 9999):
        mixture = noise(2, 2, time) + 0.05
        with torch.no_grad():
            assert largest_difference(model(mixture), published(mixture)) < 1e-5


@pytest.mark.parametrize(
    ("targets", "theirs", "ours", "count"),
    [
        (TARGETS, {"bottom_channels": 512, "dconv_mode": 3}, {}, 41_984_456),
        ([*TARGETS, "guitar", "piano"], {"dconv_mode": 3}, {"transformer_channels": None}, None),
    ],
)
def test_the_published_sizes(targets: list[str], theirs: dict[str, int], ours: dict[str, None], count: int) -> None:
    """Of the released models of four stems, by demucs/grids/mmi.py and docs/training.md; and without the convolutions
    around the transformer."""
    with torch.device("meta"):
        published = Published(targets, **theirs)
        model = msbench.load("htdemucs", targets=targets, rescale=0, **ours)
    shapes = {name: value.shape for name, value in published.state_dict().items()}
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes
    assert count is None or parameter_count(model) == count
    assert model.chunk_samples == 343_980  # int(39 / 5 * 44100), as `valid_length` of the released models


def test_other_chunks_are_an_option() -> None:
    with torch.device("meta"):
        assert msbench.load("htdemucs", chunk_seconds=None, rescale=0).chunk_samples is None
        assert msbench.load("htdemucs", chunk_seconds=2, sample_rate=8000, rescale=0).chunk_samples == 16000


def solver(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """The training of facebookresearch/demucs e976d93 on CPU, with the defaults of its conf/config.yaml.

    That is `get_optimizer` of demucs/train.py:77-101, whose groups differ in nothing then, and `_run_one_epoch` of
    demucs/solver.py, for sources that `Wavset` of demucs/wav.py has normalized.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, betas=(0.9, 0.999), weight_decay=0)
    weights = torch.tensor([1.0, 1.0, 1.0, 1.0])
    model.train()
    for sources in batches:
        estimate = model(sources.sum(dim=1))
        loss = nn.functional.l1_loss(estimate, sources, reduction="none").mean((2, 3)).mean(0)
        ((loss * weights).sum() / weights.sum()).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_twenty_steps_of_training_end_at_the_weights_of_the_package() -> None:
    torch.manual_seed(0)
    theirs = Published(TARGETS, bottom_channels=32, dconv_mode=3, **SMALL)
    ours = msbench.load("htdemucs", transformer_channels=32, **SMALL_OURS)
    ours.load_state_dict(theirs.state_dict())
    first = {name: value.clone() for name, value in theirs.state_dict().items()}
    songs = noise(20, 2, 4, 2, 1500, seed=1)
    batches = songs / songs.sum(2, keepdim=True).mean(3, keepdim=True).std()  # as a song's mixture becomes
    solver(theirs, batches)
    module = SeparationModule(ours, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-4))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(module, DataLoader([(sources.sum(1), sources) for sources in batches], batch_size=None))
    assert trainer.global_step == 20
    trained = theirs.state_dict()
    for name, value in ours.state_dict().items():
        assert (value - trained[name]).abs().max() < 1e-4, name
    assert max((trained[name] - first[name]).abs().max() for name in trained) > 3e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 5}, "a depth of 5 is too large for a window_samples of 4096: the branches meet"),
        ({"transformer_channels": 36}, "the transformer's 36 channels must be a multiple of 4 and of its heads, 8"),
        ({"transformer_channels": 18, "heads": 2}, "the transformer's 18 channels"),
        ({"chunk_seconds": 0.0}, "chunk_seconds must be a hop of 1024 samples or more, not 0.0"),
        ({"transformer_layers": 0}, "transformer_layers must be at least 1, not 0"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1, not 1.0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msbench.registry.load("models", "htdemucs")(**options)
