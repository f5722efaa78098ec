"""The command line of `msbench fit`: LightningCLI over one model's own options, the data, the loss and the trainer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from msbench import registry
from msbench.data.loading.module import SeparationData
from msbench.model.checkpoints import Checkpoint, create
from msbench.system import errors
from msbench.system.internals import leave_signals_alone
from msbench.system.names import plain_name
from msbench.training.callbacks import LogExamples, RunState, StepOnPlateau
from msbench.training.devices import parallel_settings
from msbench.training.faults import fault_of
from msbench.training.identity import identity_of
from msbench.training.interruption import AtomicCheckpointIO, SaveInTime
from msbench.training.kept import LAST
from msbench.training.loggers import LogSummary, loggers_of
from msbench.training.module import SeparationModule
from msbench.training.recipes import Request
from msbench.training.song_validation import BestCheckpoint, SongValidation, names


class FitCLI(LightningCLI):
    """LightningCLI with the chosen model's constructor under `separator`; every other part learns its rate from it."""

    def __init__(self, name: str, argv: Sequence[str], request: Request | None = None) -> None:
        request = request or Request(name, tuple(argv), {})
        self.name, self.request = name, request
        self.place_of, self.gives = request.place_of, request.gives
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
        initial = "start a new run from the weights of this checkpoint of the same model"
        parser.add_argument("--init_from", type=str | None, default=None, help=initial)
        strict = "false takes what fits of the weights of init_from, also from another model, and says what does not"
        parser.add_argument("--init_strict", type=bool, default=True, help=strict)
        average = "keep a moving average of the weights with this decay; it is validated and kept"
        parser.add_argument("--ema_decay", type=float | None, default=None, help=average)
        songs = "score whole songs of the validation split every so many epochs, as a board does: val_track_sdr"
        parser.add_argument("--validate_songs_every", type=int | None, default=None, help=songs)
        minutes = "save last.ckpt this often, in addition to each epoch, in case the run is killed"
        parser.add_argument("--checkpoint_minutes", type=float, default=10.0, help=minutes)
        wandb = "log to Weights & Biases too, with audio and spectrograms"
        parser.add_argument("--wandb", type=Literal["online", "offline"] | None, default=None, help=wandb)
        parser.add_argument("--wandb_project", type=str, default="msbench")
        tensorboard = "write TensorBoard's event files into the run's folder too"
        parser.add_argument("--tensorboard", type=bool, default=False, help=tensorboard)
        group = "the group that W&B and TensorBoard show the run in, as a suite's study"
        parser.add_argument("--group", type=str | None, default=None, help=group)
        factors = "what tells the run from others of its group, as {separator.depth: 5}, for W&B and TensorBoard"
        parser.add_argument("--factors", type=dict | None, default=None, help=factors)
        parser.add_class_arguments(self.plugin, "separator", fail_untyped=False)
        parser.link_arguments("separator", "model.separator", apply_on="instantiate")
        for key in ("targets", "sample_rate", "channels"):
            parser.link_arguments(f"separator.{key}", f"data.{key}", apply_on="instantiate")
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val_loss",
                "checkpoint.filename": "best",
                "checkpoint.save_last": True,
                "checkpoint.enable_version_counter": False,
            }
        )
        without = "null trains to the last epoch, without early stopping"
        if self.request.stops_early:
            parser.add_lightning_class_args(EarlyStopping, "early_stopping")
            parser.set_defaults({"early_stopping.monitor": "val_loss", "early_stopping.patience": 40})
            (switch,) = [each for each in parser._actions if each.dest == "early_stopping"]
            switch.help = without
        else:  # a class's arguments cannot be null
            parser.add_argument("--early_stopping", type=dict | None, default=None, help=without)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        try:
            self.config = parser.parse_args(self._with_stopping(parser, args))
        except argparse.ArgumentError as error:
            fault = fault_of(str(error), parser.get_defaults(skip_validation=True).keys())
            raise ValueError(f"{self.place_of(fault.field)}{fault.sentence}") from error

    def _with_stopping(self, parser: LightningArgumentParser, args: Sequence[str]) -> list[str]:
        """The flags, with the defaults of early stopping after each recipe that turns it off, if it is on again."""
        recipes = self.request.recipes.items()
        off = [path for path, content in recipes if content.get("early_stopping", {}) is None]
        made = []
        for before, argument in zip(("", *args), args, strict=False):
            made.append(argument)
            if before == "--config" and argument in off and self.request.stops_early:
                made += ["--early_stopping", json.dumps(vars(parser.get_defaults(skip_validation=True).early_stopping))]
        return made

    def before_instantiate_classes(self) -> None:
        self.initial = self._initial()
        field = "checkpoint.filename"
        with errors.located(f"{self.place_of(field)}field {field}"):
            plain_name(self.config.checkpoint.filename, "the name")
        self.output = self.config.output or Path("runs") / f"{self.name}-{self.identity()}"
        self.config["checkpoint"]["dirpath"] = str(self.output)

    @property
    def logged(self) -> list[str]:
        """The names that a checkpoint, early stopping or a schedule can watch."""
        songs = [] if self.config.validate_songs_every is None else names(self.model.separator.targets)
        return [*self.model.logged, *songs]

    def settings(self) -> dict[str, Any]:
        """All fields as YAML holds them, defaults too."""
        text = self.parser.dump(self.config, skip_unset=False, skip_validation=True)
        settings: dict[str, Any] = yaml.safe_load(text)
        if self.initial is not None:  # what is in the file counts, wherever it lies
            settings["init_from"] = self.initial.sha256
        return settings

    def _initial(self) -> Checkpoint | None:
        """The checkpoint whose weights a new run begins with, if there is one."""
        path, place = self.config.init_from, self.place_of("init_from")
        if path is None:
            return None
        if self.config.ckpt_path is not None:
            raise ValueError(
                f"{place}field init_from: it starts a new run, and ckpt_path resumes one: give one of the two"
            )
        with errors.located(f"{place}field init_from"):
            initial = Checkpoint.read(Path(path).expanduser())
        if self.config.init_strict and initial.name != self.name:
            raise ValueError(
                f"{place}field init_from: {path} is a checkpoint of '{initial.name}', not of '{self.name}': give one "
                "of the same model, or --init_strict false to take the weights that fit"
            )
        return initial

    def identity(self) -> str:
        """What names the run's folder: eight hexadecimal digits of all that has a part in the weights."""
        return identity_of(self.settings())

    def instantiate_classes(self) -> None:
        options = self.settings()["separator"]
        try:
            super().instantiate_classes()
        except Exception:
            create(self.name, options)  # where the model's options are at fault, this says which
            raise
        self.model.separator.registered = {"name": self.name, "options": options}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        given = self.config_init.trainer
        settings = {**given, **kwargs, "default_root_dir": str(self.output), **parallel_settings(given)}
        settings["plugins"] = [*(settings.get("plugins") or []), AtomicCheckpointIO()]
        settings["logger"] = given.logger or self._loggers()
        settings["callbacks"] = [*(given.callbacks or []), *self._callbacks()]
        settings["enable_checkpointing"] = None  # false leaves out ours; Lightning refuses what else saves
        try:
            trainer = Trainer(**settings)
        except (MisconfigurationException, ValueError, TypeError) as error:  # its three ways to refuse a setting
            raise ValueError(f"Lightning refuses a setting under `trainer`: {errors.sentence(error)}") from error
        leave_signals_alone(trainer)
        return trainer

    def _loggers(self) -> list[Logger]:
        return loggers_of(self.config, self.settings(), self.output, f"{self.name}-{self.identity()}")

    def _callbacks(self) -> list[Callback]:
        if self.config.trainer.fast_dev_run:  # a try of a few steps: a later run must not go on from it
            return [SaveInTime(None, self.config.checkpoint_minutes)]
        checkpoint, early_stopping = self.config_init.checkpoint, self.config_init.early_stopping
        checkpoint.save_last = False  # SaveInTime does so, after every epoch
        keeps = self.config.trainer.enable_checkpointing is not False
        callbacks: list[Callback] = [checkpoint] if keeps else []
        if early_stopping is not None:
            if early_stopping.monitor in self.logged:
                early_stopping.strict = False  # a run may end, or be meant, without a validation, or one of songs
            callbacks.append(early_stopping)
        if self.config.validate_songs_every is not None:
            callbacks.append(SongValidation(self.config.validate_songs_every))  # before what ends the average's turn
        callbacks += [RunState(self.output), StepOnPlateau()]
        if self.config.wandb:
            callbacks.append(LogExamples())
        if self.config.wandb or self.config.tensorboard:
            callbacks.append(LogSummary(self.settings()))
        decay = self.config.ema_decay
        if decay is not None:
            if not 0 <= decay <= 1:
                raise ValueError(f"{self.place_of('ema_decay')}field ema_decay must be from 0 to 1, not {decay}")
            callbacks.append(EMAWeightAveraging(decay=decay))
        if self.config.trainer.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(leave=False))
        callbacks.append(SaveInTime(self.output / LAST if keeps else None, self.config.checkpoint_minutes))
        return callbacks
