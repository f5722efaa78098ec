"""`msbench fit`: from flags and recipes to a run's folder."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from msbench.model.checkpoints import Checkpoint
from msbench.runs.lock import exclusive
from msbench.system.errors import is_deliberate, sentence
from msbench.system.files import refuse_links, write_text
from msbench.system.wording import choices
from msbench.training.command_line import FitCLI
from msbench.training.identity import counted
from msbench.training.kept import LAST, Kept, kept_by, why_it_never_comes
from msbench.training.lineage import Lineage, load_initial
from msbench.training.recipes import request
from msbench.training.resuming import allowed_changes
from msbench.training.song_validation import TRACK_SDR, check_songs


def fit(argv: Sequence[str]) -> Path:
    """Train as the flags and recipes say; the same command resumes an interrupted run.

    Returns:
        The run's folder: `best.ckpt` (unless no validation came), `last.ckpt`, `config.yaml`, `state.json` and `logs/`.

    Raises:
        ValueError, KeyError, FileNotFoundError: For bad input, before anything is written.
        OSError: If the folder cannot be made.
        TrainingDiverged: If the loss is no longer finite.
        FolderInUse: If another run is at work in the folder.
        RunInterrupted: If SIGUSR2, SIGTERM or Ctrl-C asked for its end; it is saved.
    """
    return train(argv).folder


def train(argv: Sequence[str]) -> Kept:
    """As `fit`; tells what is kept, which is not always a `best.ckpt`.

    Raises:
        As `fit`.
    """
    _quiet()
    asked = request(argv)
    cli = FitCLI(asked.name, asked.arguments, asked)
    held = _resumed(cli)
    cli.model.lineage = _lineage(cli, held)
    _adapt(cli)
    _check(cli)
    writes = cli.trainer.is_global_zero and not cli.config.trainer.fast_dev_run
    with contextlib.ExitStack() as stack:
        if writes:
            _make(cli.output)
            refuse_links(cli.output / "logs")
            stack.enter_context(exclusive(cli.output))
            settings = cli.parser.dump(cli.config, skip_unset=False, skip_validation=True)
            write_text(cli.output / "config.yaml", settings + cli.model.lineage.comments())
        _run(cli, None if held is None else held.path)
    return kept_by(cli.trainer, cli.config, cli.output, (held.step or 0) if held is not None else 0)


def _run(cli: FitCLI, checkpoint: Path | None) -> None:
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as error:  # Lightning's answer to Ctrl-C, after which it ignores any other
        signal.signal(signal.SIGINT, interrupt)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except MisconfigurationException as error:  # a setting that it looks at when it knows the data
        raise ValueError(f"Lightning refuses a setting under `trainer`: {sentence(error)}") from error
    except OSError as error:
        if error.filename is None and not is_deliberate(error):  # a full disk, from whoever wrote there
            error.filename = str(cli.output)
        raise
    finally:
        _end_logs(cli.trainer)


def _resumed(cli: FitCLI) -> Checkpoint | None:
    """The checkpoint that the run goes on from, if there is one."""
    last = cli.output / LAST
    path = cli.config.ckpt_path or (last if last.exists() and not cli.config.trainer.fast_dev_run else None)
    if path is None:
        return None
    held = Checkpoint.read(path)
    if held.name != cli.name:
        raise ValueError(f"{path} is a checkpoint of '{held.name}', not of '{cli.name}': give --output another folder")
    return held


def _lineage(cli: FitCLI, held: Checkpoint | None) -> Lineage:
    """Where the run's weights come from; those that a new run begins with are loaded."""
    if held is not None:
        changes = allowed_changes(held, cli.settings(), cli.model.separator)
        return Lineage.resumed(counted(cli.settings()), held, changes)
    fitting = None
    if cli.initial is not None:
        cli.initial, fitting = load_initial(cli.initial, cli.model.separator, cli.config.init_strict)
    if fitting is not None:
        warnings.warn(f"{cli.config.init_from}: {fitting.summary}", stacklevel=2)
    return Lineage.begun_from(counted(cli.settings()), cli.initial, fitting)


def _adapt(cli: FitCLI) -> None:
    """Put adapters into the model, which has its weights by now."""
    if cli.model.adapters is not None and cli.model.lineage.initial is None:
        field = "model.lora"
        raise ValueError(
            f"{cli.place_of(field)}field {field}: it adapts the weights of another training: give them with "
            "--init_from CKPT"
        )
    said = cli.model.adapt()
    if said is not None:
        warnings.warn(said, stacklevel=2)


def _check(cli: FitCLI) -> None:
    """Say what is wrong with the data, the optimizer, the loss and what is watched before a folder is made."""
    if not cli.config.trainer.callbacks:  # these may log more
        _check_watched(cli)
    _check_trainer(cli)
    _check_schedule(cli)
    if cli.model.separator.own_training:
        _check_own_training(cli)
    cli.datamodule.setup("fit")
    if cli.config.validate_songs_every is not None:
        check_songs(cli.datamodule, cli.config, cli.place_of("validate_songs_every"))
    cli.model.configure_optimizers()
    if cli.datamodule.unlabelled is not None:
        cli.model.remixed_criterion(torch.empty(0))
    if cli.model.criterion.ignores_gain:
        warnings.warn(
            f"the loss '{cli.model.criterion.loss}' does not hear the level of the estimates, and all metrics except "
            "the scale-invariant ones score it: l1, snr and wsdr hear it",
            stacklevel=2,
        )


_SCHEDULE = "model.lr_scheduler.monitor"


class _Watched(NamedTuple):
    """What the best checkpoint, early stopping or a schedule watches, and whether it wants much or little of it."""

    field: str
    monitor: str | None
    mode: str


def _watched(cli: FitCLI) -> list[_Watched]:
    sections = [section for section in ("checkpoint", "early_stopping") if cli.config[section] is not None]
    found = [
        _Watched(f"{section}.monitor", cli.config[section].monitor, cli.config[section].mode) for section in sections
    ]
    _, schedules = cli.model.configure_optimizers()
    for schedule in schedules[:1]:
        if "monitor" in schedule:
            found.append(_Watched(_SCHEDULE, schedule["monitor"], schedule["scheduler"].mode))
    return found


def _check_watched(cli: FitCLI) -> None:
    """Refuse to watch what is never logged, and to take the lowest SDR for the best."""
    known = [*cli.logged, "epoch", "step"]
    for field, metric, mode in _watched(cli):
        where = f"{cli.place_of(field)}field {field}"
        if metric is None:
            continue
        if metric.startswith(TRACK_SDR) and cli.config.validate_songs_every is None:
            raise ValueError(f"{where}: '{metric}' comes with songs that are validated: set validate_songs_every, as 5")
        if metric not in known:
            raise ValueError(f"{where}: '{metric}' is not logged. {choices(metric, known)}")
        if metric.startswith(TRACK_SDR) and mode != "max":
            section = field.rpartition(".")[0]
            raise ValueError(f"{where}: the best {metric} is the highest: set {section}.mode to max, not {mode}")


def _check_trainer(cli: FitCLI) -> None:
    """Refuse what Lightning takes and a separator cannot be trained with."""
    asked = cli.config.trainer
    field = "trainer.overfit_batches"
    if asked.overfit_batches:
        raise ValueError(
            f"{cli.place_of(field)}field {field}: chunks are cut again in each epoch, so none can be repeated: set "
            "data.chunks_per_epoch to few chunks instead"
        )
    field = "trainer.precision"
    if str(asked.precision) in ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16"):
        raise ValueError(
            f"{cli.place_of(field)}field {field}: the data are float32, so it can be 32, 16-mixed or bf16-mixed, not "
            f"{asked.precision}"
        )


def _check_own_training(cli: FitCLI) -> None:
    """Refuse settings of the trainer that a training step of the model's own would not heed."""
    asked, model = cli.config.trainer, type(cli.model.separator).__name__
    unheeded = {
        "trainer.gradient_clip_val": asked.gradient_clip_val,
        "trainer.accumulate_grad_batches": asked.accumulate_grad_batches not in (None, 1),
        "trainer.precision": str(asked.precision) == "16-mixed",
    }
    for field, given in unheeded.items():
        if given:
            raise ValueError(
                f"{cli.place_of(field)}field {field}: {model} has a training step of its own: leave it out"
            )
    if cli.trainer.world_size > 1 and not cli.model.separator.optimizers(cli.model.build_optimizer):
        raise ValueError(
            f"{cli.place_of('trainer.devices')}field trainer.devices: {model} learns without an optimizer, whose "
            "gradients several processes could share: train it with trainer.devices 1"
        )


def _check_schedule(cli: FitCLI) -> None:
    """Refuse a schedule or a stop that waits for a score which never comes."""
    if cli.config.trainer.fast_dev_run:
        return
    for field, monitor, _ in _watched(cli):
        why = None if monitor is None else why_it_never_comes(monitor, cli.config)
        if why is not None and field == _SCHEDULE:  # which is stepped after a validation, whatever it watches
            raise ValueError(f"field model.lr_scheduler: it waits for {monitor}: {why}")
        if why is not None and monitor in cli.logged and str(monitor).startswith("val_") and cli.gives(field):
            raise ValueError(f"{cli.place_of(field)}field {field}: there will be no {monitor}: {why}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the folder {folder} ({error.strerror}): give another one with --output") from error


def _end_logs(trainer: Trainer) -> None:
    """End the run at W&B, or what this process logs next would go on in it."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            import wandb

            if wandb.run is not None and wandb.run.id == logger.version:  # else it failed before it logged anything
                wandb.run.finish()


# Lightning's and torch's hints that say nothing to whoever trains a separator.
_HINTS = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists.*",
    ".*pkg_resources.*",
    ".*The number of training batches.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*`srun` command is available.*",
    ".*could not find the monitored key.*",  # of a run that ends before its first validation
    ".*Early stopping conditioned on metric.*",
    ".*ReduceLROnPlateau conditioned on metric.*",
)


def _quiet() -> None:
    """Keep hints off the screen; what goes wrong is raised."""
    for pattern in _HINTS:
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
