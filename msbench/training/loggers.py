"""Where a run is logged: CSV always, W&B and TensorBoard where they are asked for, so that runs can be compared there.

Both get the settings of the run as flat keys, the group that it belongs to, and in the end its best score; after an
evaluation, the median scores of its targets too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from msbench.records.types import Record
from msbench.system.yaml_files import read_yaml
from msbench.training.identity import counted

EVENTS = "events.out.tfevents.*"  # how TensorBoard names its files
_RUN = re.compile(r"(offline-)?run-\d+_\d+-(.+)")  # how W&B names the folder of a run


class EventFiles(TensorBoardLogger):
    """TensorBoard's event files in the run's own folder, whose name TensorBoard then shows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="", version="", default_hp_metric=False)

    def save(self) -> None:
        self.experiment.flush()  # Lightning's own would write the settings down once more


def loggers_of(config: Any, settings: Mapping[str, Any], folder: Path, identity: str) -> list[Logger]:
    """The loggers that a run asks for.

    Args:
        config: Its fields.
        settings: The same as YAML holds them.
        folder: The run's.
        identity: Of the run at W&B, where one that is resumed goes on.

    Raises:
        ModuleNotFoundError: If the package of one is not installed.
    """
    loggers: list[Logger] = [CSVLogger(folder, name="logs")]
    for package in ("wandb", "tensorboard"):
        if config[package] and find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is not installed: pip install 'msbench[{package}]'")
    if config.wandb:
        wandb = WandbLogger(
            name=folder.absolute().name,
            id=identity,
            resume="allow",
            project=config.wandb_project,
            group=config.group,
            config=flat(settings),
            save_dir=folder.absolute(),  # W&B's own process keeps the working directory it began in
            mode=config.wandb,  # `offline=` sets the environment, unread where wandb was used before
        )
        loggers.append(wandb)
    if config.tensorboard:
        loggers.append(EventFiles(folder))
    return loggers


def flat(settings: Mapping[str, Any]) -> dict[str, int | float | str | bool]:
    """The settings that have a part in the weights, with the run's group and factors, by dotted names."""
    found: dict[str, int | float | str | bool] = {}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                add(f"{prefix}.{key}" if prefix else str(key), each)
        elif value is not None:
            found[prefix] = value if isinstance(value, int | float | str | bool) else str(value)

    add("", counted(dict(settings)))
    add("group", settings.get("group"))
    for factor, value in (settings.get("factors") or {}).items():
        add(factor, "none" if value is None else value)
    return found


class LogSummary(Callback):
    """Tells W&B and TensorBoard the run's settings, and its best score when it has ended."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = flat(settings)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for events in _events_of(trainer):
            events.experiment.file_writer.add_summary(_hyperparameters(self.settings)[0])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        kept = next((each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)), None)
        best = {} if kept is None or kept.best_model_score is None else {f"best/{kept.monitor}": kept.best_model_score}
        scores = {name: float(value) for name, value in best.items()}
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.summary.update(scores)
        for events in _events_of(trainer):
            for name, value in scores.items():
                events.experiment.add_scalar(name, value, trainer.global_step)
            events.experiment.file_writer.add_summary(_hyperparameters(self.settings)[1])


def _events_of(trainer: Trainer) -> list[EventFiles]:
    return [each for each in trainer.loggers if isinstance(each, EventFiles)] if trainer.is_global_zero else []


def _hyperparameters(settings: dict[str, Any]) -> tuple[Any, Any]:
    """What TensorBoard's HPARAMS page reads at the start and the end of a run.

    torch writes down a list of all columns first. Without it, TensorBoard gathers the columns of all runs, and those of
    a study need not have the same settings.
    """
    from torch.utils.tensorboard.summary import hparams

    _, start, end = hparams(settings, {})
    return start, end


def log_scores(folder: Path, record: Record) -> None:
    """Tell W&B and TensorBoard how a run that was logged there scored: medians over the tracks.

    Args:
        folder: The run's; nothing is done where the training was not logged.
        record: Of its evaluation.
    """
    scores = _medians(record)
    if any(folder.glob(EVENTS)) and find_spec("tensorboard") is not None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(folder)) as writer:
            for name, value in scores.items():
                writer.add_scalar(name, value, 0)
    found = [match for path in (folder / "wandb").glob("*run-*") if (match := _RUN.fullmatch(path.name))]
    if found and find_spec("wandb") is not None:
        import wandb

        config = read_yaml(folder / "config.yaml")
        run = wandb.init(
            id=found[-1][2],
            resume="allow",
            project=config["wandb_project"],
            group=config.get("group"),
            dir=folder.absolute(),
            mode="offline" if found[-1][1] else "online",
        )
        try:
            run.summary.update(scores)
        finally:
            run.finish()


def _medians(record: Record) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for targets in record["scores"].values():
        for target, scores in targets.items():
            for metric, value in scores.items():
                if isinstance(value, int | float):
                    values.setdefault(f"test/{target}/{metric}", []).append(value)
    return {name: median(each) for name, each in values.items()}
