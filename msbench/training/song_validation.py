"""Whole songs of the validation split, separated and scored in training as a board scores those of the test split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from statistics import fmean, median
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

from msbench.data.opening import open_dataset
from msbench.data.song import is_bad_file
from msbench.data.track import Track
from msbench.evaluation.model_source import ModelSource
from msbench.evaluation.options import Scoring
from msbench.evaluation.scenarios import own_scenario
from msbench.evaluation.track import Task, score_track, track_scores
from msbench.separation.inference import Inference
from msbench.system import errors
from msbench.training.interruption import SaveInTime
from msbench.training.random_state import gathered, random_state, restore_random_state

TRACK_SDR = "val_track_sdr"  # mean over targets; with `_TARGET`, that of one


def names(targets: Iterable[str]) -> list[str]:
    """What is logged of these targets."""
    return [TRACK_SDR, *(f"{TRACK_SDR}_{target}" for target in targets)]


class SongValidation(Callback):
    """Scores whole songs in the validations of each `every`-th epoch.

    Logs `val_track_sdr_<target>`: SDR of BSSEval v4 as `msbench evaluate` computes it, the median over windows, then
    over songs; and `val_track_sdr`, their mean over the targets. Where no song gives a target a score, there is none of
    it. Ranks take turns in the songs. Nothing that training draws from or adds up is touched.

    Args:
        every: Epochs from one to the next.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            for name in [each for each in trainer.callback_metrics if each.startswith(TRACK_SDR)]:
                del trainer.callback_metrics[name]  # of an earlier epoch, which nothing may take for this one's

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Here an average of the weights is still in place, and autocast is not: estimates are those of an evaluation.
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every:
            return
        state = random_state()
        scores = self._scores(trainer, pl_module)
        restore_random_state(state)
        for name, value in scores.items():
            pl_module.log(name, value, prog_bar=name == TRACK_SDR, sync_dist=True)

    def _scores(self, trainer: Trainer, pl_module: Any) -> dict[str, float]:
        """The scores by name, the same on each rank."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        songs = [each.track for each in data.valid_chunks.tracks]
        songs.sort(key=lambda song: song.seconds, reverse=True)  # those of one turn are of about one length
        source = ModelSource(pl_module.separator, None, Inference(device=pl_module.device))
        scoring = Scoring(metrics=(), device=pl_module.device)
        found: list[dict[str, float | None]] = []
        fault: Exception | None = None
        for turn in range(0, len(songs), trainer.world_size):
            _show(trainer, turn, len(songs))
            if turn + trainer.global_rank < len(songs):
                try:
                    found.append(_sdr(source, songs[turn + trainer.global_rank], scoring))
                except (ValueError, OSError) as error:
                    if data.strict or not is_bad_file(error):
                        raise
                    fault = error
                    warnings.warn(f"a song is left out of {TRACK_SDR}: {errors.sentence(error)}", stacklevel=2)
            for each in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(each, SaveInTime):
                    each.heed(trainer)
        every = [scores for each in gathered({"songs": found}) for scores in each["songs"]]
        if not every and fault is not None:
            raise fault
        return _over_songs(every, pl_module.separator.targets)


def _sdr(source: ModelSource, song: Track, scoring: Scoring) -> dict[str, float | None]:
    (result,) = score_track(source, Task(song, [own_scenario(source, song)]), scoring)
    return {target: cast("float | None", scores["SDR"]) for target, scores in track_scores(result).items()}


def _over_songs(songs: list[dict[str, float | None]], targets: Iterable[str]) -> dict[str, float]:
    """Medians over the songs that have a score, as of a board's rows."""
    known = {target: [sdr for song in songs if (sdr := song[target]) is not None] for target in targets}
    medians = {target: median(values) for target, values in known.items() if values}
    scores = {f"{TRACK_SDR}_{target}": value for target, value in medians.items()}
    return scores | ({TRACK_SDR: fmean(medians.values())} if medians else {})


def _show(trainer: Trainer, done: int, count: int) -> None:
    """Say in the bar of the validation how far it is."""
    bar = trainer.progress_bar_callback
    if isinstance(bar, TQDMProgressBar) and bar.is_enabled:
        bar.val_progress_bar.set_description(f"Song {done + 1} of {count}")


class BestCheckpoint(ModelCheckpoint):
    """Lightning's, but it keeps nothing where what it watches comes from songs, and none were validated."""

    @property
    def state_key(self) -> str:  # that of checkpoints from before it was a class of its own
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def _waits(self, trainer: Trainer) -> bool:
        return str(self.monitor).startswith(TRACK_SDR) and self.monitor not in trainer.callback_metrics

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._waits(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._waits(trainer):
            super().on_train_epoch_end(trainer, pl_module)


def check_songs(data: Any, settings: Any, place: str) -> None:
    """Look at what whole songs are validated on, before anything is trained.

    Args:
        data: The data module, opened.
        settings: All fields.
        place: Start of a message, such as the recipe.

    Raises:
        ValueError: If a song is of the test split too, or no epoch that is validated is an `every`-th one.
    """
    every, validated = settings.validate_songs_every, settings.trainer.check_val_every_n_epoch
    where = f"{place}field validate_songs_every"
    if every < 1:
        raise ValueError(f"{where} must be at least 1, not {every}")
    if validated is not None and every % validated:
        raise ValueError(
            f"{where} must be a multiple of trainer.check_val_every_n_epoch, {validated}, not {every}: songs are "
            "scored in validations"
        )
    dataset = open_dataset(data.dataset, data.root)
    tested = dataset.find_tracks("test") if "test" in dataset.splits else []
    files = {path.resolve(): track.name for track in tested for path in track.files.values()}
    for song in (each.track for each in data.valid_chunks.tracks):
        of_test = next((files[path.resolve()] for path in song.files.values() if path.resolve() in files), None)
        if of_test is not None:
            raise ValueError(
                f"{where}: song '{song.name}' of split 'valid' is '{of_test}' of split 'test' too, and what is chosen "
                "by songs of the test split cannot be tested on them: move it out of one of the two"
            )
