"""`msbench fit`: from flags and recipes to a run's folder."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from msbench.model.checkpoints import Checkpoint
from msbench.system.wording import did_you_mean
from msbench.training.command_line import FitCLI
from msbench.training.recipes import request


def fit(argv: Sequence[str]) -> Path:
    """Train as the flags and recipes say; the same command resumes an interrupted run.

    Returns:
        The run's folder: `best.ckpt`, `last.ckpt`, `config.yaml`, `state.json` and `logs/`.

    Raises:
        ValueError, KeyError, FileNotFoundError: For bad input, before anything is written.
        OSError: If the folder cannot be made.
        TrainingDiverged: If the loss is no longer finite.
        RunInterrupted: If SIGUSR2 or SIGTERM asked for its end; it is saved.
    """
    _quiet()
    asked = request(argv)
    cli = FitCLI(asked.name, asked.arguments, asked.place_of)
    checkpoint = _resumed(cli)
    _check(cli)
    if cli.trainer.is_global_zero:
        _make(cli.output)
        cli.parser.save(cli.config, cli.output / "config.yaml", overwrite=True, skip_unset=False, skip_validation=True)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as error:  # Lightning's answer to Ctrl-C, after which it ignores any other
        signal.signal(signal.SIGINT, interrupt)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        _end_logs(cli.trainer)
    return cli.output


def _resumed(cli: FitCLI) -> Path | None:
    """The checkpoint that the run goes on from, if there is one."""
    last = cli.output / "last.ckpt"
    path = cli.config.ckpt_path or (last if last.exists() else None)
    if path is None:
        return None
    held = Checkpoint.read(path).name
    if held != cli.name:
        raise ValueError(f"{path} is a checkpoint of '{held}', not of '{cli.name}': give --output another folder")
    return Path(path)


def _check(cli: FitCLI) -> None:
    """Say what is wrong with the data, the optimizer, the loss and what is watched before a folder is made."""
    for section in () if cli.config.trainer.callbacks else ("checkpoint", "early_stopping"):  # these may log more
        watched, known = cli.config[section].monitor, [*cli.model.logged, "epoch", "step"]
        if watched is not None and watched not in known:
            field = f"{section}.monitor"
            raise ValueError(
                f"{cli.place_of(field)}field {field}: '{watched}' is not logged. {did_you_mean(watched, known)}"
                f"Available: {', '.join(known)}."
            )
    cli.datamodule.setup("fit")
    cli.model.configure_optimizers()
    if cli.datamodule.unlabelled is not None:
        cli.model.remixed_criterion(torch.empty(0))


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
)


def _quiet() -> None:
    """Keep hints off the screen; what goes wrong is raised."""
    for pattern in _HINTS:
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
