"""The LightningDataModule: from a dataset's name to batches at the model's rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader, DistributedSampler, Sampler

from msbench.data.loading.augmentation import Augmentation
from msbench.data.loading.chunks import ChunkDataset, ChunkFormat, ExhaustiveChunks
from msbench.data.loading.effects import effects_of
from msbench.data.loading.loader import ChunkLoader, start_worker
from msbench.data.loading.opened import OpenedDatasets, first_tracks
from msbench.data.loading.places import Sampling
from msbench.data.loading.sampler import ChunkSampler
from msbench.data.loading.unlabelled import RemixedChunks
from msbench.model.separator import Batch
from msbench.system.internals import begin_next_epoch

_WORKER_TIMEOUT_SECONDS = 600  # a worker that gives nothing for so long is an error, not a wait for ever


class SeparationData(LightningDataModule):
    """Training chunks and validation chunks of a dataset.

    Args:
        dataset: A registered dataset (`msbench list datasets`).
        root: Its folder; $MSBENCH_DATA/<dataset> or data/<dataset> when not given.
        targets: The model's targets, in its order.
        sample_rate: The model's, in Hz; the data are resampled to it.
        channels: The model's; the data are mixed to mono, or copied from mono, to fit.
        chunk_seconds: Length of each chunk.
        chunks_per_epoch: Training chunks, of all processes together.
        batch_size: Chunks per batch, in each process.
        workers: Loader processes; 0 loads in the training process.
        sampling: Where training chunks are cut: "random", at random; "exhaustive", at every place of every track once
            before any comes again, in an order drawn for each pass, which goes on across epochs; "balanced", at
            random and not where it is silent: with remix for each stem, without it for one target of each chunk, drawn
            evenly.
        remix: Draw each stem of a training chunk from a song of its own.
        gain_db: Range in dB of a random gain for each stem; stems that a target sums get the same.
        channel_swap: Swap the channels of each stem at random.
        polarity: Invert each stem at random.
        speed: Range of a factor by which each song is played faster at random, and higher; [0.9, 1.1] for one.
        pitch_semitones: Range of a random pitch shift of each song (with remix, of each stem), its duration kept.
        stretch: Range of a factor by which each song (with remix, each stem) is played slower, its pitch kept.
        formants: Range of a ratio by which each stem's spectral envelope is moved up, its pitch kept.
        gain: As gain_db, a range of factors, even in amplitude; [0.25, 1.25] in Demucs.
        remix_share: Share of training chunks that remix applies to; the others are cut from one song.
        remix_group: Remix by exchanging stems within groups of this many chunks, each cut from one song; 4 in Demucs.
        shift_seconds: The most by which each stem begins later, at random, out of time with the other stems.
        repitch_share: Share of songs (with remix, of stems) that pitch_semitones and stretch, together, apply to.
        mixup_share: Share of stems that become the mean of themselves and of the same stem of another song, which has
            a gain of its own from gain_db or gain.
        effects: Of stems or the mixture: equalizer, compressor, distortion, reverb, noise, loudness, mp3. Each with the
            share of the stems that it changes, or {share: 0.2, stems: [vocals], effect: NAME} with ranges of its
            options, such as {mp3: 0.1, reverb: {share: 0.2, wet: [0.1, 0.4]}}. Where stems is mixture, the mixture
            alone is changed, and no target.
        extra: Further datasets to train on, each NAME or NAME:SPLIT; their split train when none is given. They need
            the same stems, or the targets must add up to the mixture in each.
        extra_root: Folder that holds them, each under its name; $MSBENCH_DATA or data when not given.
        tracks: How many of the training tracks to train on: the first of an order drawn from the seed, so that fewer
            are a part of more; all when not given.
        unlabelled: Folder of songs without stems, listed by `msbench data silences`, that training remixes too.
        unlabelled_share: Share of training chunks that take one stem from the dataset and the rest from those songs.
        seed: Every training chunk follows from it and the chunk's number.
        memory_gb: Decoded audio is kept in memory if all of the training and validation data take no more than this;
            only the speed changes.
        strict: Whether a bad file ends the training. Without it, a track of which a file cannot be opened at the start
            is dropped; a chunk that meets a file that cannot be read, or NaN, is drawn from other tracks, or in
            validation is the next one of another track. Each such track is warned of, and listed in checkpoints and
            records.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        *,
        dataset: str = "demo",
        root: Path | None = None,
        targets: list[str],
        sample_rate: int,
        channels: int,
        chunk_seconds: float = 6.0,
        chunks_per_epoch: int = 1000,
        batch_size: int = 8,
        workers: int = 0,
        sampling: Sampling = "random",
        remix: bool = False,
        gain_db: tuple[float, float] | None = None,
        channel_swap: bool = False,
        polarity: bool = False,
        speed: tuple[float, float] | None = None,
        pitch_semitones: tuple[float, float] | None = None,
        stretch: tuple[float, float] | None = None,
        formants: tuple[float, float] | None = None,
        gain: tuple[float, float] | None = None,
        remix_share: float = 1.0,
        remix_group: int | None = None,
        shift_seconds: float = 0.0,
        repitch_share: float = 1.0,
        mixup_share: float = 0.0,
        effects: dict[str, Any] | None = None,
        extra: list[str] | None = None,
        extra_root: Path | None = None,
        tracks: int | None = None,
        unlabelled: Path | None = None,
        unlabelled_share: float = 0.25,
        seed: int = 0,
        memory_gb: float = 0.5,
        strict: bool = False,
    ) -> None:
        super().__init__()
        counts = {
            "chunks_per_epoch": (chunks_per_epoch, 1),
            "batch_size": (batch_size, 1),
            "workers": (workers, 0),
            "seed": (seed, 0),
            "memory_gb": (memory_gb, 0),
            "tracks": (1 if tracks is None else tracks, 1),
        }
        for name, (value, least) in counts.items():
            if value < least:
                raise ValueError(f"data.{name} must be at least {least}, not {value}")
        if not 0 < unlabelled_share < 1:
            raise ValueError(f"data.unlabelled_share must be above 0 and below 1, not {unlabelled_share}")
        self.dataset = dataset
        self.root = root
        self.format = ChunkFormat(tuple(targets), sample_rate, channels, chunk_seconds)
        self.chunks_per_epoch = chunks_per_epoch
        self.batch_size = batch_size
        self.workers = workers
        self.sampling = sampling
        self.augmentation = Augmentation(
            remix=remix,
            gain_db=gain_db,
            channel_swap=channel_swap,
            polarity=polarity,
            speed=speed,
            pitch_semitones=pitch_semitones,
            stretch=stretch,
            formants=formants,
            gain=gain,
            remix_share=remix_share,
            remix_group=remix_group,
            shift_seconds=shift_seconds,
            repitch_share=repitch_share,
            mixup_share=mixup_share,
            effects=effects_of(effects),
        )
        self.extra = extra or []
        self.extra_root = extra_root
        self.track_count = tracks
        self.unlabelled = unlabelled
        self.unlabelled_share = unlabelled_share
        self.seed = seed
        self.memory_gb = memory_gb
        self.strict = strict
        self.train_chunks: ChunkDataset | None = None
        self.remixed_chunks: RemixedChunks | None = None
        self.valid_chunks: ExhaustiveChunks | None = None
        self._loaders: list[ChunkLoader] = []
        self._trained_on: dict[str, Any] = {}
        self.opened = OpenedDatasets(self.format.targets, strict)

    def setup(self, stage: str | None = None) -> None:
        """Open the dataset and check all of it; a second call does nothing.

        Raises:
            KeyError: If the dataset is unknown.
            FileNotFoundError: If its folder is missing, or with `strict` a file.
            ValueError: If a target is not in the dataset, a split has no tracks or none that can be opened, there are
                fewer than `tracks`, or with `strict` any file is broken.
        """
        if self.train_chunks is not None:
            return
        self.opened.names.clear()  # of a call that failed
        data = self.opened.open(self.dataset, self.root)
        tracks = self.opened.tracks(data, "train")
        for entry in self.extra:
            tracks += self.opened.extra_tracks(entry, self.extra_root)
        if self.track_count is not None:
            tracks = first_tracks(tracks, self.track_count, self.seed)
        train = ChunkDataset(
            tracks, self.format, self.augmentation, sampling=self.sampling, seed=self.seed, strict=self.strict
        )
        valid = ExhaustiveChunks(self.opened.tracks(data, "valid"), self.format, strict=self.strict)
        if self.unlabelled is not None:
            self.remixed_chunks = RemixedChunks(train, self.unlabelled, self.unlabelled_share)
        if train.bytes_in_memory + valid.bytes_in_memory <= self.memory_gb * 1e9:
            train.hold()  # before any worker is forked, so that all share it
            valid.hold()
            train.faults.warn()
            valid.faults.warn()
        self.train_chunks, self.valid_chunks = train, valid
        hours = round(sum(track.seconds for track in tracks) / 3600, 4)
        self._trained_on = {"datasets": [*self.opened.names], "tracks": len(tracks), "hours": hours}
        if self.remixed_chunks is not None:
            self._trained_on["datasets"].append(f"{self.remixed_chunks.name} (unlabelled)")
            self._trained_on["unlabelled_hours"] = self.remixed_chunks.hours

    def training_data(self) -> dict[str, Any]:
        """What is trained on, for checkpoints and the records of their models.

        Returns:
            datasets, tracks and hours (with stems) of what could be opened at the start; unlabelled_hours, where a
            folder of songs without stems is among the datasets; and dropped: each bad track as {split, track, reason}.
        """
        for chunks in (self.train_chunks, self.valid_chunks):
            if chunks is not None:
                self.opened.note(chunks.faults)
        return {**self._trained_on, "dropped": self.opened.dropped}

    def training_songs(self) -> Iterator[Batch]:
        """The songs that are trained on, each from its start to its end in chunks as they are, for `prepare`."""
        assert self.train_chunks is not None, "Lightning calls setup first"
        chunks = ExhaustiveChunks([track.track for track in self.train_chunks.tracks], self.format, strict=self.strict)
        chunks.faults = self.train_chunks.faults  # of the same tracks: each is warned of once
        loader = self._loader(chunks, None)
        for batch in loader:
            yield Batch(*batch)
        loader.stop()

    def restore_training_data(self, saved: dict[str, Any]) -> None:
        """Go on from the `training_data` of an earlier attempt at this run."""
        for each in saved.get("dropped", []):
            self.opened.drop(**each)

    def train_dataloader(self) -> DataLoader[Batch]:
        rank, world_size = self._place()
        epoch, batches = (0, 0) if self.trainer is None else position(self.trainer)
        sampler = ChunkSampler(
            self.chunks_per_epoch, rank=rank, world_size=world_size, epoch=epoch, start=batches * self.batch_size
        )
        return self._loader(self.train_chunks if self.remixed_chunks is None else self.remixed_chunks, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        rank, world_size = self._place()
        assert self.valid_chunks is not None, "Lightning calls setup first"
        sampler: Sampler[int] | None = None
        if world_size > 1:  # ranks must validate on as many batches, so the first chunks may come twice: see `counted`
            sampler = DistributedSampler(self.valid_chunks, world_size, rank, shuffle=False)
        return self._loader(self.valid_chunks, sampler)

    def counted(self, batch: int) -> int:
        """How many chunks of this rank's batch of that number are counted in validation: a last one may be a repeat."""
        assert self.valid_chunks is not None
        rank, world_size = self._place()
        own = -(-(len(self.valid_chunks) - rank) // world_size)
        return max(0, min(self.batch_size, own - batch * self.batch_size))

    def on_exception(self, exception: BaseException) -> None:
        # torch raises a worker's death from a signal handler, so in whatever step is under way.
        dead = next((sentence for loader in self._loaders if (sentence := loader.worker_death())), None)
        if dead and isinstance(exception, RuntimeError) and "DataLoader worker" in str(exception):
            exception.args = (dead,)
        # Lightning 2.6 stops the loader whose loop was running: a failure in validation leaves the training's workers.
        self.teardown("fit")

    def teardown(self, stage: str) -> None:
        for loader in self._loaders:
            loader.stop()
        self._loaders.clear()

    def _place(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _loader(self, chunks: Any, sampler: Any) -> ChunkLoader:
        loader = ChunkLoader(
            chunks,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=start_worker,
            timeout=_WORKER_TIMEOUT_SECONDS if self.workers else 0,
            pin_memory=torch.cuda.is_available(),
            # Its own generator: a loader draws a seed at each epoch, and must not move the training's dropout on.
            generator=torch.Generator().manual_seed(self.seed),
        )
        self._loaders.append(loader)
        return loader


def position(trainer: Trainer) -> tuple[int, int]:
    """(epoch, batches of it that are done) from which the training loop is about to go on.

    Lightning 2.6 restores its counters from a checkpoint and then trains on as many batches as are left of the epoch,
    but takes them from the start of the loader. It asks for the loader after the counters are restored and before it
    corrects them (`_FitLoop.reset`, `_TrainingEpochLoop.reset`), so the same corrections are made here.
    """
    loop: Any = trainer.fit_loop
    epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress
    if loop.restarting and epochs.ready == epochs.processed:
        # With max_steps set, Lightning takes a finished epoch for one to be gone on with, and counts it twice
        # (its issue 19617); as if max_steps were not set, it begins the next one.
        begin_next_epoch(loop)
    if not loop.restarting:
        return epochs.processed, 0
    done, total = batches.current.completed, batches.total
    # Saved by a hook on_train_batch_end: that batch is done, and not yet counted so.
    if total.ready == total.started == total.processed == total.completed + 1:
        done += 1
        if batches.is_last_batch:
            return epochs.processed + 1, 0
    return epochs.processed, done
