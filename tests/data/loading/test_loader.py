"""Workers that die say why, in whichever step it is noticed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from msbench.data.loading.chunks import ChunkDataset
from msbench.data.loading.loader import ChunkLoader
from msbench.data.loading.module import SeparationData
from msbench.model.separator import Batch
from tests.data.loading.test_faults import epoch, set_up
from tests.data.songs import write_musdb18hq

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*GPU available but not used"),
]


class Deadly(ChunkDataset):
    """Ends the worker that makes chunk 9."""

    how: int = 0

    def __getitem__(self, number: int) -> Batch:
        if number == 9 and torch.utils.data.get_worker_info() is not None:
            if self.how > 0:
                os._exit(self.how)
            os.kill(os.getpid(), -self.how)
        return super().__getitem__(number)


DEATHS = [
    (-signal.SIGKILL, r"was killed by SIGKILL, most likely by the system, out of memory: set data.workers or"),
    (
        -signal.SIGBUS,
        r"was killed by SIGBUS, most likely as shared memory \(/dev/shm\) ran out: set data",
    ),
    (-signal.SIGSEGV, r"was killed by SIGSEGV, a fault of a native library on one of the files"),
    (3, r"ended by itself with exit code 3: data.workers 0 shows where"),
]


def deadly(root: Path, how: int) -> SeparationData:
    data = set_up(root, workers=2, chunks_per_epoch=400)
    assert data.train_chunks is not None
    data.train_chunks.__class__ = Deadly
    data.train_chunks.how = how  # type: ignore[attr-defined]
    return data


@pytest.mark.parametrize(("how", "sentence"), DEATHS)
def test_a_worker_that_dies_says_why(tmp_path: Path, how: int, sentence: str) -> None:
    data = deadly(write_musdb18hq(tmp_path / "hq"), how)
    with pytest.raises(RuntimeError) as raised:
        epoch(data)
    data.on_exception(raised.value)  # as Lightning does: torch may tell it while a batch is used, not while it is made
    assert re.fullmatch(rf"loader worker [12] of 2 \(process \d+\) {sentence}.*", str(raised.value))


class Slow(LightningModule):
    """Is within a step when the news comes."""

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        signal.pause()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> None:
        pass


def test_a_death_that_is_told_within_a_step(tmp_path: Path) -> None:
    data = deadly(write_musdb18hq(tmp_path / "hq"), -signal.SIGKILL)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        max_epochs=1,
    )
    with pytest.raises(RuntimeError, match=r"^loader worker [12] of 2 \(process \d+\) was killed by SIGKILL"):
        trainer.fit(Slow(), datamodule=data)


@pytest.mark.parametrize("error", [EOFError, ConnectionResetError])
def test_a_death_while_its_batch_is_fetched(tmp_path: Path, error: type[Exception]) -> None:
    data = set_up(write_musdb18hq(tmp_path / "hq"), workers=1)
    loader = data.train_dataloader()
    assert isinstance(loader, ChunkLoader)

    def broken() -> Any:
        yield None
        raise error

    told = iter([None, "loader worker 1 of 1 (process 7) was killed by SIGBUS"] * 2)
    loader.worker_death = lambda: next(told) or "it died"  # type: ignore[method-assign]
    batches = loader._with_plain_errors(broken())
    next(batches)
    with pytest.raises(RuntimeError, match=r"it died|was killed by SIGBUS"):
        next(batches)


def test_another_error_stays_as_it_is(tmp_path: Path) -> None:
    data = set_up(write_musdb18hq(tmp_path / "hq"), workers=1)
    loader = data.train_dataloader()
    assert isinstance(loader, ChunkLoader)
    next(iter(loader))
    error = RuntimeError("CUDA out of memory")
    data.on_exception(error)
    assert str(error) == "CUDA out of memory"
