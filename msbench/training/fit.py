"""`msbench fit`: LightningCLI over one model's own options, the data, the loss and the trainer."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from msbench import registry
from msbench.data.loading.module import SeparationData
from msbench.model.checkpoints import Checkpoint
from msbench.system.errors import sentence
from msbench.system.text import did_you_mean
from msbench.system.yaml_files import read_yaml
from msbench.training.callbacks import LogExamples, RunState, StepOnPlateau
from msbench.training.devices import parallel_settings
from msbench.training.interruption import AtomicCheckpointIO, SaveInTime
from msbench.training.module import SeparationModule

# What changes nothing in the weights has no part in a run's identity.
COSMETIC = (
    "config",
    "output",
    "ckpt_path",
    "wandb",
    "wandb_project",
    "checkpoint_minutes",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.logger",
    "trainer.log_every_n_steps",
    "trainer.default_root_dir",
    "data.workers",
    "data.root",
    "data.memory_gb",
    "data.strict",
)


class FitCLI(LightningCLI):
    """LightningCLI with the chosen model's constructor under `separator`; every other part learns its rate from it."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        self.name = name
        self.plugin = registry.load("models", name)
        if not getattr(self.plugin, "trainable", True):
            raise ValueError(f"'{name}' has nothing to train: score it with `msbench evaluate {name} --data NAME`")
        super().__init__(
            SeparationModule,
            SeparationData,
            run=False,
            args=list(argv),
            seed_everything_default=0,
            save_config_callback=None,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                "exit_on_error": False,
                "allow_abbrev": False,
                "prog": "msbench fit",
                "description": self.plugin.__doc__,
            },
            trainer_defaults={"use_distributed_sampler": False, "max_epochs": 100, "logger": False},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, default=self.name, help="the registered model (msbench list models)")
        parser.add_argument("--output", type=Path | None, default=None, help="the run's folder (runs/NAME-HASH)")
        resume = "resume from this checkpoint; a run whose folder has a last.ckpt resumes by itself"
        parser.add_argument("--ckpt_path", type=str | None, default=None, help=resume)
        average = "keep a moving average of the weights with this decay; it is validated and kept"
        parser.add_argument("--ema_decay", type=float | None, default=None, help=average)
        minutes = "save last.ckpt so often, besides after each epoch, in case the run is killed"
        parser.add_argument("--checkpoint_minutes", type=float, default=10.0, help=minutes)
        wandb = "log to Weights & Biases too, with audio and spectrograms"
        parser.add_argument("--wandb", type=Literal["online", "offline"] | None, default=None, help=wandb)
        parser.add_argument("--wandb_project", type=str, default="msbench")
        parser.add_class_arguments(self.plugin, "separator", fail_untyped=False)
        parser.link_arguments("separator", "model.separator", apply_on="instantiate")
        for key in ("targets", "sample_rate", "channels"):
            parser.link_arguments(f"separator.{key}", f"data.{key}", apply_on="instantiate")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val_loss",
                "checkpoint.filename": "best",
                "checkpoint.save_last": True,
                "checkpoint.enable_version_counter": False,
                "early_stopping.monitor": "val_loss",
                "early_stopping.patience": 40,
            }
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        try:
            self.config = parser.parse_args(args)
        except argparse.ArgumentError as error:
            raise ValueError(_sentence(error, parser)) from error

    def before_instantiate_classes(self) -> None:
        self.output = self.config.output or Path("runs") / f"{self.name}-{self.identity()}"
        self.config["checkpoint"]["dirpath"] = str(self.output)

    def identity(self) -> str:
        """Eight hexadecimal digits of the configuration, without what changes no weight."""
        settings = yaml.safe_load(self.parser.dump(self.config, skip_unset=False, skip_validation=True))
        for key in COSMETIC:
            *path, last = key.split(".")
            group = settings
            for part in path:
                group = group.get(part, {})
            group.pop(last, None)
        settings["checkpoint"].pop("dirpath", None)
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:8]

    def instantiate_classes(self) -> None:
        super().instantiate_classes()
        options = yaml.safe_load(self.parser.dump(self.config, skip_unset=False, skip_validation=True))["separator"]
        self.model.separator.registered = {"name": self.name, "options": options}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        loggers: list[Logger] = [CSVLogger(self.output, name="logs")]
        callbacks: list[Any] = [RunState(self.output), StepOnPlateau()]
        if self.config.wandb:
            identity = f"{self.name}-{self.identity()}"
            loggers.append(
                WandbLogger(
                    name=identity, id=identity, resume="allow", project=self.config.wandb_project,
                    save_dir=self.output.absolute(),  # W&B's own process keeps the working directory it began in
                    mode=self.config.wandb,  # `offline=` sets the environment, unread where wandb was used before
                )
            )  # fmt: skip
            callbacks.append(LogExamples())
        if self.config.ema_decay is not None:
            callbacks.append(EMAWeightAveraging(decay=self.config.ema_decay))
        if self.config.trainer.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(leave=False))
        given = self.config_init.trainer
        # Last of all: what the others do at the end of a step (moving averages) belongs into what is saved.
        callbacks.append(SaveInTime(self.output / "last.ckpt", self.config.checkpoint_minutes))
        extra = [self.config_init.checkpoint, self.config_init.early_stopping, *callbacks]
        settings = {**given, **kwargs, "default_root_dir": str(self.output)}
        settings |= parallel_settings(given)
        settings["plugins"] = [*(settings.get("plugins") or []), AtomicCheckpointIO()]
        settings["logger"] = given.logger or loggers
        settings["callbacks"] = [*(given.callbacks or []), *extra]
        trainer = Trainer(**settings)
        # Lightning's handler of SIGTERM broadcasts from within the signal, where the other ranks are elsewhere.
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
        return trainer


UNKNOWN_FIELD = re.compile(
    r"Group '(?P<group>[\w.]+)' does not accept option '(?P<option>[\w.]+)'"
    r"|Option '(?P<field>[\w.]+)' is not accepted|nrecognized arguments: --(?P<flag>[\w.]+)"
)


def _sentence(error: argparse.ArgumentError, parser: LightningArgumentParser) -> str:
    """jsonargparse's message as one sentence that names the field, with the nearest fields where it is unknown."""
    text = sentence(error)
    match = UNKNOWN_FIELD.search(text)
    if match is None:
        return re.sub(r'^Parser key "([\w.]+)":', r"field \1:", text)
    unknown = match["field"] or match["flag"] or f"{match['group']}.{match['option']}"
    hint = did_you_mean(unknown, (action.dest for action in parser._actions))
    return f"unknown field '{unknown}'. {hint}`msbench fit -c RECIPE --help` lists the fields."


def fit(argv: Sequence[str]) -> Path:
    """Train as the flags and recipes say; the same command resumes an interrupted run.

    Returns:
        The run's folder: `best.ckpt`, `last.ckpt`, `config.yaml`, `state.json` and `logs/`.

    Raises:
        ValueError, KeyError, FileNotFoundError: For bad input, before anything is written.
        TrainingDiverged: If the loss is no longer finite.
        RunInterrupted: If SIGUSR2 or SIGTERM asked for its end; it is saved.
    """
    _quiet()
    argv, name = _resolve(list(argv))
    cli = FitCLI(name, argv)
    checkpoint = cli.config.ckpt_path or (cli.output / "last.ckpt" if (cli.output / "last.ckpt").exists() else None)
    if checkpoint is not None:
        held = Checkpoint.read(checkpoint).name
        if held != name:
            raise ValueError(f"{checkpoint} is a checkpoint of '{held}', not of '{name}': give --output another folder")
    cli.datamodule.setup("fit")  # what is wrong with the data is said before a folder is made
    if cli.datamodule.unlabelled is not None:
        cli.model.remixed_criterion(torch.empty(0))
    if cli.trainer.is_global_zero:
        cli.output.mkdir(parents=True, exist_ok=True)
        cli.parser.save(cli.config, cli.output / "config.yaml", overwrite=True, skip_unset=False, skip_validation=True)
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True)
    finally:
        for logger in cli.trainer.loggers:
            if isinstance(logger, WandbLogger) and logger._experiment is not None and cli.trainer.is_global_zero:
                logger.experiment.finish()  # or what this process logs next would go on in this run
    return cli.output


def _resolve(argv: list[str]) -> tuple[list[str], str]:
    """Put the files of named recipes in place of their names, and find which model is meant."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("-c", "--config", action="append", default=[])
    peek.add_argument("--name")
    given, rest = peek.parse_known_args(argv)
    name = given.name
    for i, recipe in enumerate(given.config):
        path = registry.find_recipe(recipe)
        given.config[i] = str(path)
        content = read_yaml(path) or {}
        if not isinstance(content, dict):
            raise ValueError(f"{path} is not a recipe: it holds no fields")
        if given.name is None:
            name = content.get("name", name)
    if name is None:
        raise ValueError("no model named: give a recipe (-c unet_small, or a YAML file with a `name:`) or --name MODEL")
    flags = [part for recipe in given.config for part in ("--config", recipe)]
    return [*flags, *rest, "--name", name], name


def _quiet() -> None:
    """Keep what says nothing to the user off the screen; what goes wrong is raised."""
    for pattern in (".*does not have many workers.*", ".*Checkpoint directory .* exists.*", ".*pkg_resources.*",
                    ".*The number of training batches.*", ".*isinstance.treespec, LeafSpec.*",
                    ".*`srun` command is available.*"):  # fmt: skip
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
