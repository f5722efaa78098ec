"""The data module: batches as the recipe asks, refusals before training, and exact resumption."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from msbench import registry
from msbench.data.loading.augmentation import Augmentation
from msbench.data.loading.effects import EFFECTS, effects_of
from msbench.data.loading.module import SeparationData
from msbench.model.separator import Batch
from msbench.training.command_line import FitCLI
from tests.data.songs import RATE, STEMS, write_musdb18hq

PLUGIN = (
    "from msbench.data.layouts.musdb18hq import MUSDB18HQ as HQDataset\nclass Tiny(HQDataset):\n    name = 'tiny'\n"
)

CHUNKS, BATCH, EPOCHS = 10, 2, 3

EARLIER = Path(__file__).parent / "earlier_recipes"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*GPU available but not used"),
]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(PLUGIN)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_musdb18hq(tmp_path_factory.mktemp("songs") / "hq")


def data_of(root: Path, **options: Any) -> SeparationData:
    settings: dict[str, Any] = {
        "dataset": "tiny",
        "root": root,
        "targets": ["vocals"],
        "sample_rate": RATE,
        "channels": 1,
        "chunk_seconds": 0.02,
        "chunks_per_epoch": CHUNKS,
        "batch_size": BATCH,
    }
    return SeparationData(**(settings | options))


# Batches


@pytest.mark.parametrize("workers", [0, 2])
def test_batches(root: Path, workers: int) -> None:
    data = data_of(root, workers=workers, targets=list(STEMS), channels=2, batch_size=4, chunk_seconds=0.1)
    data.setup("fit")
    for _ in range(2):  # workers that stay give the next epoch as well
        batches = list(data.train_dataloader())
        assert [len(batch[0]) for batch in batches] == [4, 4, 2]
    first = Batch(*batches[0])
    assert first.mixture.shape == (4, 2, 800)
    assert first.references.shape == (4, 4, 2, 800)
    torch.testing.assert_close(first.mixture, first.references.sum(1))
    assert torch.equal(first.mixture[1], data.train_chunks[1].mixture)  # type: ignore[index]
    assert sum(len(batch[0]) for batch in data.val_dataloader()) == 11  # 1.0375 s in tenths


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 13])  # of 11 chunks
def test_each_validation_chunk_counts_once_on_any_number_of_ranks(root: Path, ranks: int) -> None:
    sizes, counted = [], []
    for rank in range(ranks):
        data = data_of(root, chunk_seconds=0.1)
        data.setup("fit")
        data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks)  # type: ignore[assignment]
        batches = [len(batch[0]) for batch in data.val_dataloader()]
        counts = [data.counted(number) for number in range(len(batches))]
        assert all(size - 1 <= count <= size for count, size in zip(counts, batches, strict=True))
        sizes.append(batches)
        counted.append(sum(counts))
    assert sum(counted) == 11
    assert all(batches == sizes[0] for batches in sizes)  # or a rank would wait for the others for ever


def test_workers_change_no_chunk(root: Path) -> None:
    drawn = {"remix": True, "remix_group": 4, "remix_share": 0.8, "shift_seconds": 0.2, "gain": (0.25, 1.25)}
    played: dict[str, Any] = {"pitch_semitones": (-2, 2), "stretch": (0.9, 1.1), "repitch_share": 0.5}
    alone, divided = (data_of(root, workers=n, targets=list(STEMS), **drawn, **played) for n in (0, 2))
    for data in (alone, divided):
        data.setup("fit")
    for first, second in zip(alone.train_dataloader(), divided.train_dataloader(), strict=True):
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])


def test_loading_leaves_the_global_random_state_alone(root: Path) -> None:
    data = data_of(root, remix=True, gain_db=(-3.0, 3.0))
    data.setup("fit")
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(data.train_dataloader())
    assert torch.equal(torch.rand(1), expected)


def test_memory_is_used_within_its_limit(root: Path) -> None:
    for memory_gb, held in ((0.5, True), (1e-6, False), (0, False)):
        data = data_of(root, memory_gb=memory_gb)
        data.setup("fit")
        assert all(bool(track._held) == held for track in data.train_chunks.tracks)  # type: ignore[union-attr]


def test_augmentation_is_for_training_alone(root: Path) -> None:
    plain, augmented = data_of(root), data_of(root, remix=True, polarity=True, gain_db=(-6, 0), channel_swap=True)
    for data in (plain, augmented):
        data.setup("fit")
        data.setup("validate")  # a second call changes nothing
    first, second = next(iter(plain.val_dataloader())), next(iter(augmented.val_dataloader()))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(next(iter(plain.train_dataloader()))[0], next(iter(augmented.train_dataloader()))[0])


def test_settings_from_yaml(root: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"data: {{dataset: tiny, root: {root}, targets: [bass], sample_rate: 8000, channels: 1, "
        "gain_db: [-12.0, 2.0], remix: true, chunk_seconds: 0.5, sampling: balanced, pitch_semitones: [-3, 3], "
        "stretch: [0.8, 1.2], formants: [0.9, 1.1], remix_share: 0.5, remix_group: 4, shift_seconds: 0.1, "
        "repitch_share: 0.2, mixup_share: 0.1, effects: {noise: 0.1, mp3: {share: 0.2, kbps: [64, 128]}}}\n"
    )
    parser = ArgumentParser()
    parser.add_argument("-c", action="config")
    parser.add_class_arguments(SeparationData, "data")
    data = parser.instantiate_classes(
        parser.parse_args(["-c", str(recipe), "--data.polarity", "true", "--data.effects.noise", "0.3"])
    ).data
    data.setup("fit")
    chunks = data.train_chunks
    assert chunks.augmentation == Augmentation(
        remix=True,
        gain_db=(-12.0, 2.0),
        polarity=True,
        pitch_semitones=(-3, 3),
        stretch=(0.8, 1.2),
        formants=(0.9, 1.1),
        remix_share=0.5,
        remix_group=4,
        shift_seconds=0.1,
        repitch_share=0.2,
        mixup_share=0.1,
        effects=effects_of({"noise": 0.3, "mp3": {"share": 0.2, "kbps": [64, 128]}}),
    )
    assert chunks.places.sampling == "balanced"
    assert chunks[0].mixture.shape == (1, 4000)


# Computed by msbench as it was before the module passed frozen values on, with the recipes of then. A change would give
# every run a new folder, and so start trainings anew that could be resumed.
@pytest.mark.parametrize(
    ("recipe", "flags", "identity"),
    [
        (EARLIER / "unet.yaml", [], "f8712e4c"),
        (EARLIER / "demucs.yaml", [], "8d8fc788"),
        ("demucs_small", [], "4fbccb81"),
        ("conv_tasnet_small", [], "5a24fd6d"),
        ("wave_unet_small", [], "e644efb1"),
        (
            "unet_small",
            ["--data.gain_db", "[-6,6]", "--data.remix", "true", "--data.sampling", "balanced"],
            "881dc23d",
        ),
    ],
)
def test_identities_of_runs_stay(
    recipe: str | Path, flags: list[str], identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")  # what the command line sets is put back
    monkeypatch.setattr(FitCLI, "instantiate_classes", lambda cli: None)
    path = registry.find_recipe(str(recipe))
    model = path.stem.removesuffix("_small")
    cli = FitCLI(model, ["--config", str(path), *flags])
    assert cli.output == Path("runs") / f"{model}-{identity}"


# Refusals


def test_target_that_the_dataset_has_not(root: Path) -> None:
    with pytest.raises(ValueError, match="dataset 'tiny' has no target 'guitar': it has vocals, drums, bass, other"):
        data_of(root, targets=["vocals", "guitar"]).setup("fit")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_empty_split(tmp_path: Path, split: str) -> None:
    songs = write_musdb18hq(tmp_path / "hq", **{split: 0})
    (songs / split).mkdir()
    with pytest.raises(ValueError, match=rf"dataset 'tiny' at .* has no tracks in split '{split}', and training needs"):
        data_of(songs).setup("fit")


def test_missing_split(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dataset 'tiny' at .* has no split 'train': it has test"):
        data_of(write_musdb18hq(tmp_path / "hq", train=0, valid=0)).setup("fit")


def test_broken_file_is_found_before_training(tmp_path: Path) -> None:
    songs = write_musdb18hq(tmp_path / "hq")
    (songs / "valid" / "Song 3" / "drums.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"cannot read .*drums.wav as audio, it is corrupt"):
        data_of(songs, strict=True).setup("fit")


def test_unknown_dataset(root: Path) -> None:
    with pytest.raises(KeyError, match="unknown dataset 'tinny'"):
        data_of(root, dataset="tinny").setup("fit")


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("chunks_per_epoch", 0, 1),
        ("batch_size", 0, 1),
        ("workers", -1, 0),
        ("seed", -5, 0),
        ("memory_gb", -0.1, 0),
        ("tracks", 0, 1),
    ],
)
def test_numbers_out_of_range(root: Path, name: str, value: float, least: int) -> None:
    with pytest.raises(ValueError, match=rf"data.{name} must be at least {least}, not {value}"):
        data_of(root, **{name: value})


# Resumption


class Watching(LightningModule):
    """Learns nothing and keeps the mixtures it was given; fails in one step if told to."""

    def __init__(self, fail_in_step: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.fail_in_step = fail_in_step
        self.seen: list[list[bytes]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if self.fail_in_step == len(self.seen) + 1:
            raise Interrupted
        self.seen.append([mixture.numpy().tobytes() for mixture in batch[0]])
        return (self.weight * batch[0].mean()).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Interrupted(Exception):
    pass


class Interrupt(Callback):
    """Saves a checkpoint at the n-th call of a hook, and stops the run there."""

    def __init__(self, hook: str, number: int, checkpoint: Path) -> None:
        self.hook, self.number, self.checkpoint, self.calls = hook, number, checkpoint, 0

    def _count(self, trainer: Trainer, hook: str) -> None:
        self.calls += hook == self.hook
        if hook == self.hook and self.calls == self.number:
            trainer.save_checkpoint(self.checkpoint)
            if hook != "on_exception":
                raise Interrupted

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._count(trainer, "on_train_batch_end")

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        self._count(trainer, "on_validation_end")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        self._count(trainer, "on_train_epoch_end")

    def on_exception(self, trainer: Trainer, *_: Any) -> None:
        self._count(trainer, "on_exception")


def fit(
    data: SeparationData, model: Watching, callbacks: list[Callback], checkpoint: Path | None, **options: Any
) -> None:
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 1,
        "use_distributed_sampler": False,
        "max_epochs": EPOCHS,
        "callbacks": callbacks,
    }
    trainer = Trainer(**(settings | options))
    with contextlib.suppress(Interrupted):
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=False)


@pytest.mark.parametrize(
    ("hook", "number", "options"),
    [
        ("on_train_batch_end", 1, {}),
        ("on_train_batch_end", 5, {}),  # the epoch's last batch
        ("on_train_batch_end", 8, {}),  # across an epoch's boundary, then within one
        ("on_train_batch_end", 8, {"workers": 2}),
        ("on_train_batch_end", 10, {"workers": 2}),
        ("on_train_batch_end", 3, {"accumulate_grad_batches": 2}),
        ("on_train_batch_end", 5, {"limit_train_batches": 3}),
        ("on_train_batch_end", 7, {"max_steps": 13, "max_epochs": -1}),
        ("on_validation_end", 2, {}),
        ("on_validation_end", 3, {"val_check_interval": 2}),
        ("on_validation_end", 2, {"workers": 2}),
        ("on_train_epoch_end", 1, {}),
        ("on_train_epoch_end", 2, {"workers": 2}),
        ("on_train_epoch_end", 1, {"limit_val_batches": 0}),
        ("on_train_epoch_end", 1, {"max_steps": 13, "max_epochs": -1}),
        ("on_train_epoch_end", 2, {"max_steps": 1000}),
        ("on_exception", 1, {}),
        ("on_exception", 1, {"workers": 2}),
    ],
)
def test_no_chunk_is_repeated_or_skipped(
    root: Path, tmp_path: Path, hook: str, number: int, options: dict[str, Any]
) -> None:
    options = dict(options)
    loading = {"workers": options.pop("workers", 0), "gain_db": (-6.0, 6.0)}  # the gains tell all chunks apart
    checkpoint = tmp_path / "interrupted.ckpt"
    first = Watching(fail_in_step=8 if hook == "on_exception" else None)
    fit(data_of(root, **loading), first, [Interrupt(hook, number, checkpoint)], None, **options)
    second = Watching()
    assert not multiprocessing.active_children(), "workers outlive a run that failed"
    fit(data_of(root, **loading), second, [], checkpoint, **options)
    assert not multiprocessing.active_children()

    chunks = data_of(root, **loading)
    chunks.setup("fit")
    numbers = {chunks.train_chunks[n].mixture.numpy().tobytes(): n for n in range(60)}  # type: ignore[index]
    seen = [[numbers[chunk] for chunk in batch] for batch in first.seen + second.seen]
    assert first.seen
    assert second.seen
    per_epoch = options.get("limit_train_batches", CHUNKS // BATCH)
    count = options.get("max_steps", 1000) if options.get("max_epochs") == -1 else EPOCHS * per_epoch
    expected = [[(i // per_epoch) * CHUNKS + BATCH * (i % per_epoch) + j for j in range(BATCH)] for i in range(count)]
    assert seen == expected


EVERYTHING: dict[str, Any] = {
    "remix": True,
    "gain_db": (-6.0, 6.0),
    "channel_swap": True,
    "polarity": True,
    "speed": (0.8, 1.2),
    "pitch_semitones": (-3.0, 3.0),
    "stretch": (0.8, 1.2),
    "formants": (0.8, 1.2),
    "mixup_share": 0.3,
    "effects": {**dict.fromkeys(EFFECTS, 0.3), "stream": {"effect": "mp3", "share": 0.5, "stems": ["mixture"]}},
}


@pytest.mark.parametrize("sampling", ["exhaustive", "balanced"])
@pytest.mark.parametrize("augmentation", [{}, EVERYTHING])
def test_workers_and_a_resumed_run_change_no_chunk(
    root: Path, tmp_path: Path, sampling: str, augmentation: dict[str, Any]
) -> None:
    options = {"sampling": sampling, **augmentation}
    checkpoint = tmp_path / "interrupted.ckpt"
    whole, first, second = Watching(), Watching(), Watching()
    fit(data_of(root, **options), whole, [], None)
    fit(data_of(root, **options, workers=2), first, [Interrupt("on_train_batch_end", 8, checkpoint)], None)
    fit(data_of(root, **options, workers=2), second, [], checkpoint)
    assert len(first.seen) == 8
    assert first.seen + second.seen == whole.seen
    assert len({chunk for batch in whole.seen for chunk in batch}) > 0.9 * EPOCHS * CHUNKS


DISTRIBUTED = """
import json, os, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from tests.data.loading.test_module import Interrupt, Watching, data_of, fit

if __name__ == "__main__":
    root, folder = map(Path, sys.argv[1:])
    checkpoint, seen = folder / "x.ckpt", []
    for callbacks, resumed in (([Interrupt("on_train_batch_end", 6, checkpoint)], None), ([], checkpoint)):
        model, data = Watching(), data_of(root, chunks_per_epoch=9, batch_size=1, workers=1, gain_db=(-6.0, 6.0))
        fit(data, model, callbacks, resumed, devices=2, strategy="ddp")
        numbers = {data.train_chunks[n].mixture.numpy().tobytes(): n for n in range(60)}
        seen += [numbers[chunk] for batch in model.seen for chunk in batch]
    (folder / f"{os.environ['LOCAL_RANK']}.json").write_text(json.dumps(seen))
"""


@pytest.mark.slow
def test_two_processes_share_an_epoch_and_resume_it(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "distributed.py"
    script.write_text(DISTRIBUTED)
    command = [sys.executable, str(script), str(root), str(tmp_path)]
    subprocess.run(command, check=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for rank in (0, 1):
        seen = json.loads((tmp_path / f"{rank}.json").read_text())
        assert seen == [9 * epoch + rank + 2 * i for epoch in range(EPOCHS) for i in range(4)]


def test_resumption_goes_without_lightnings_warning(root: Path, tmp_path: Path, recwarn: Any) -> None:
    checkpoint = tmp_path / "interrupted.ckpt"
    fit(data_of(root), Watching(), [Interrupt("on_train_batch_end", 2, checkpoint)], None)
    fit(data_of(root), Watching(), [], checkpoint)
    assert not [str(warning.message) for warning in recwarn if "resum" in str(warning.message)]


@pytest.mark.parametrize("workers", [0, 1])
def test_file_that_breaks_during_training(tmp_path: Path, workers: int) -> None:
    data = data_of(write_musdb18hq(tmp_path / "hq"), workers=workers, memory_gb=0, strict=True)
    data.setup("fit")
    for path in (tmp_path / "hq" / "train").glob("*/*.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"^/.*wav is corrupt between .* s and .* s: download or export it again$"):
        next(iter(data.train_dataloader()))
    data.teardown("fit")  # a worker that the traceback keeps would be waited for without end when Python exits
