"""The one LightningModule that trains every plugin."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from torch import Tensor

from msbench.losses.criterion import Criterion, RemixedCriterion, mean_loss
from msbench.model.checkpoint_file import KEY, RUN
from msbench.model.separator import Batch, Separator, separate_batch
from msbench.system import errors
from msbench.training.freezing import adapters_of
from msbench.training.freezing import freeze as freeze_parameters
from msbench.training.lineage import Lineage
from msbench.training.own_steps import StepCounter, average_gradients
from msbench.training.random_state import gathered, random_state, restore_random_state


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number; the last checkpoint is from before."""


class SeparationModule(LightningModule):
    """Trains a separator on batches of (mixture, references).

    Logs `train_loss` and `val_loss` (the criterion), and `val_sdr` with `val_sdr_<target>`: 10 log10 of the energy of
    the references over that of their error, in dB over the whole validation set, channels together. Where the loss has
    named parts, `train_loss_<name>` and `val_loss_<name>` are logged too.

    Args:
        separator: The model.
        loss: Name of a registered loss (`msbench list losses`), or a weighted sum of several, such as
            {l1: 1.0, multi_resolution: 0.5}; in place of a weight, {weight: 0.5, loss: NAME, domain: magnitude} with
            options of the loss. Each part is logged by its name.
        loss_domain: `waveform`, or `magnitude` and `mask` for the models that have them.
        pit: Whether the loss is taken for the best permutation of the estimates.
        unlabelled_weight: Of the loss of a chunk that `data.unlabelled` remixes; lambda in Défossez et al. 2019.
        freeze: Patterns of names of parameters that are not trained, such as `encoder.*`. A batch normalization whose
            parameters are all frozen keeps its running mean and variance.
        lora: Train low-rank adapters of weights in their place, such as {rank: 8, alpha: 16, target: ['*.to_qkv.*']};
            `target` takes patterns of names of parameters, and all matrices and kernels where it is not given.
        optimizer: Any torch optimizer; Adam at 1e-3 by default.
        lr_scheduler: Any torch scheduler, stepped once per epoch; ReduceLROnPlateau watches its `monitor`.

    Raises:
        ValueError: If the separator is not trainable, or has no such loss domain.
    """

    def __init__(
        self,
        separator: Separator,
        loss: dict[str, float | dict[str, Any]] | str = "l1",
        loss_domain: str = "waveform",
        pit: bool = False,
        unlabelled_weight: float = 1.0,
        freeze: list[str] | str | None = None,
        lora: dict[str, Any] | None = None,
        optimizer: OptimizerCallable = lambda params: torch.optim.Adam(params, lr=1e-3),
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        if not separator.trainable:
            raise ValueError(f"{type(separator).__name__} has nothing to train: evaluate it as it is")
        self.criterion = Criterion(loss, loss_domain, pit, separator.sample_rate)
        for domain in self.criterion.domains:
            if domain not in separator.loss_domains:
                raise ValueError(
                    f"{type(separator).__name__} has no {domain} loss: its loss_domain may be "
                    f"{' or '.join(separator.loss_domains)}"
                )
        if separator.own_training and len(self.criterion.domains) > 1:
            raise ValueError(f"{type(separator).__name__} has a training step of its own: give it losses of one domain")
        if unlabelled_weight <= 0:
            raise ValueError(f"model.unlabelled_weight must be above 0, not {unlabelled_weight}")
        self.unlabelled_weight = unlabelled_weight
        self.separator = separator
        self.frozen = [freeze] if isinstance(freeze, str) else freeze or []  # patterns
        self._still = freeze_parameters(separator, self.frozen) if self.frozen else []
        self.adapters = None if lora is None else adapters_of(lora, separator)
        if self.adapters is not None and (self.frozen or separator.own_training):
            own = f"{type(separator).__name__} has a training step of its own"
            why = "nothing but adapters is trained: leave model.freeze out" if self.frozen else f"{own}: leave it out"
            raise ValueError(f"model.lora: {why}")
        for normalization in self._still:
            normalization.eval()
        self.automatic_optimization = not separator.own_training
        self.build_optimizer = optimizer
        self.build_scheduler = lr_scheduler
        # Summed over the whole set before the ratio is taken: the mean of chunks' SDRs would hang on their silences.
        self._energies = torch.zeros(2, len(separator.targets), dtype=torch.float64)  # of references, of errors
        self.lineage = Lineage()  # of the run, for its checkpoints
        self._rng: list[dict[str, Any]] | None = None  # of each rank

    @property
    def logged(self) -> list[str]:
        """The names that a checkpoint, early stopping or a schedule can watch."""
        names = [*self.separator.networks(), *self.criterion.names]
        parts = [f"{split}_loss_{name}" for split in ("train", "val") for name in names]
        sdr = [f"val_sdr_{target}" for target in self.separator.targets]
        return ["train_loss", "val_loss", *parts, "val_sdr", *sdr]

    def adapt(self) -> str | None:
        """Put the adapters in, once the separator has its weights; returns what is said of them."""
        if self.adapters is None:
            return None
        self._still, said = self.adapters.put_into(self.separator)
        for normalization in self._still:
            normalization.eval()
        return said

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for normalization in self._still:
            normalization.eval()
        return self

    def forward(self, mixture: Tensor) -> Tensor:
        return separate_batch(self.separator, mixture)

    def remixed_criterion(self, known: Tensor) -> RemixedCriterion:
        """The criterion of a batch of `msbench.data.loading.unlabelled`, whose items know the targets (B,).

        Raises:
            ValueError: If the loss, its domain or the model leaves no sum of several targets to compare.
        """
        separator = self.separator
        if separator.own_training:
            raise ValueError(
                f"{type(separator).__name__} has a training step of its own, and data.unlabelled is for the common "
                "one: leave it out"
            )
        if not separator.whole_loss:
            raise ValueError(
                f"{type(separator).__name__} is trained on some targets at a time, and data.unlabelled needs the sum "
                "of several: leave it out"
            )
        if "magnitude" in self.criterion.domains and getattr(separator, "complex_input", False):
            raise ValueError(
                f"{type(separator).__name__} has complex masks, whose magnitudes do not add up as data.unlabelled "
                "needs: train it with model.loss_domain waveform"
            )
        return RemixedCriterion(self.criterion, known, self.unlabelled_weight, len(separator.targets))

    def _loss(
        self, batch: Batch, criterion: Criterion | RemixedCriterion, split: str, items: int | None = None
    ) -> Tensor:
        """The loss of a batch, logged with a weight; a model computes it once in each domain of the criterion."""
        each = [self.separator.loss(batch, criterion.within(domain)) for domain in criterion.domains]
        loss = mean_loss(each[0]) if len(each) == 1 else torch.stack([mean_loss(losses) for losses in each]).sum()
        named = {name: value for losses in each if isinstance(losses, Mapping) for name, value in losses.items()}
        return self._logged(loss, named | criterion.named(), split, len(batch.mixture) if items is None else items)

    def _logged(self, loss: Tensor, named: Mapping[str, Tensor], split: str, items: int) -> Tensor:
        if not torch.isfinite(loss):
            where = {"train": "training", "val": "validation"}[split]
            raise TrainingDiverged(
                f"{where} loss became {loss.item()} in epoch {self.current_epoch}, step {self.global_step}: "
                "the last good checkpoint stays; lower the learning rate or set trainer.gradient_clip_val, "
                "and check the data for NaN (msbench data verify)"
            )
        parts = {f"{split}_loss_{name}": value for name, value in named.items()}
        self.log_dict(parts, batch_size=items, sync_dist=split == "val")
        self.log(f"{split}_loss", loss, prog_bar=True, batch_size=items, sync_dist=split == "val")
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        criterion = self.remixed_criterion(batch[2]) if len(batch) > 2 else self.criterion  # where it is remixed
        batch, criterion = Batch(*batch[:2]), criterion.of(batch[0])
        if self.automatic_optimization:
            return self._loss(batch, criterion, "train")
        *optimizers, counter = self._own_optimizers()
        losses = self.separator.train_on(batch, criterion, optimizers)
        named = losses if isinstance(losses, Mapping) else {}
        self._logged(mean_loss(losses), {**named, **criterion.named()}, "train", len(batch.mixture))
        counter.step()
        return None

    def _own_optimizers(self) -> list[Any]:
        """The model's own, as torch has them, and Lightning's view of the one that counts the steps."""
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        return [*(each.optimizer for each in optimizers[:-1]), optimizers[-1]]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        batch, data = Batch(*batch), self._data()
        count = data.counted(batch_idx) if hasattr(data, "counted") else len(batch.mixture)
        batch = Batch(*(each[: max(1, count)] for each in batch))
        # Lightning takes the mean of the ranks' counts as a whole number: times the ranks, it is one.
        items = count * self.trainer.world_size
        self._loss(batch, self.criterion.of(batch.mixture), "val", items)
        if count == 0:  # another rank's chunk: it is here since all ranks log the same names
            return
        error = self(batch.mixture) - batch.references
        energies = torch.stack([x.double().square().sum((0, 2, 3)) for x in (batch.references, error)])
        self._energies += energies.to(self._energies.device)

    def on_validation_epoch_end(self) -> None:
        energies = self.trainer.strategy.reduce(self._energies.to(self.device), reduce_op="sum").cpu()
        sdr = 10 * torch.log10((energies[0] + 1e-12) / (energies[1] + 1e-12))
        for target, value in zip(self.separator.targets, sdr.tolist(), strict=True):
            self.log(f"val_sdr_{target}", value, sync_dist=True)
        self.log("val_sdr", sdr.mean().item(), prog_bar=True, sync_dist=True)
        self._energies.zero_()

    def configure_optimizers(self) -> Any:
        # torch looks at the values here; their types are known to be right.
        try:
            if self.automatic_optimization:
                parameters = self.separator.parameters()  # all, where none is frozen: older runs go on with these
                trained = (each for each in parameters if each.requires_grad or not (self.frozen or self.adapters))
                optimizers = [self.build_optimizer(trained)]
            else:
                optimizers = self.separator.optimizers(self.build_optimizer)
        except ValueError as error:
            raise ValueError(f"field model.optimizer: {errors.sentence(error)}") from error
        schedules = [self._schedule(each) for each in optimizers] if self.build_scheduler is not None else []
        if not self.automatic_optimization:
            for each in optimizers:
                each.register_step_pre_hook(average_gradients)
            optimizers = [*optimizers, StepCounter()]
        return optimizers, schedules

    def _schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        assert self.build_scheduler is not None
        try:
            scheduler = self.build_scheduler(optimizer)
        except ValueError as error:
            raise ValueError(f"field model.lr_scheduler: {errors.sentence(error)}") from error
        if not isinstance(scheduler, ReduceLROnPlateau):
            return {"scheduler": scheduler}
        # Not strict: what it watches may come in some validations alone, and StepOnPlateau sees to the rest.
        return {"scheduler": scheduler, "monitor": scheduler.monitor, "strict": False}

    def on_train_epoch_end(self) -> None:
        if not self.automatic_optimization:  # else Lightning does so
            for schedule in self.trainer.lr_scheduler_configs:
                self.lr_scheduler_step(schedule.scheduler, None)

    def lr_scheduler_step(self, scheduler: Any, metric: Any | None) -> None:
        # One on a plateau is stepped by StepOnPlateau; Lightning would do so after the checkpoint is saved, and not in
        # an epoch that was resumed.
        if not isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = self.separator.registered
        checkpoint[RUN] = self.lineage.stored()
        data = self._data()
        own = _of_all_ranks(data.training_data()) if hasattr(data, "training_data") else None
        checkpoint["training"] = self.lineage.training(own)
        checkpoint["seed"] = int(seed) if (seed := os.environ.get("PL_GLOBAL_SEED")) else None  # as seed_everything set
        checkpoint["rng"] = gathered(random_state())  # called on every rank

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._rng = checkpoint["rng"]
        data = self._data()
        if hasattr(data, "restore_training_data"):
            data.restore_training_data(checkpoint["training"] or {})

    def _data(self) -> Any:
        """The data module, or None: a module can be saved and loaded without a trainer."""
        try:
            return getattr(self.trainer, "datamodule", None)
        except RuntimeError:
            return None

    def on_train_start(self) -> None:
        # Here, after everything that a start draws, so that dropout goes on as in an undisturbed run.
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        fresh = self._rng is None and self.lineage.initial is None
        if self._rng is not None and len(self._rng) == ranks:
            restore_random_state(self._rng[rank])
        elif ranks > 1:  # Lightning seeds all ranks alike: they would drop the same units
            torch.manual_seed(torch.initial_seed() + rank)
        self._rng = None
        if fresh:
            self._prepare()

    def _prepare(self) -> None:
        """Let a model with new weights see the songs first."""
        data = self._data()
        if hasattr(data, "training_songs"):
            with torch.no_grad():
                self.separator.prepare(Batch(*(x.to(self.device) for x in batch)) for batch in data.training_songs())


def _of_all_ranks(training_data: dict[str, Any]) -> dict[str, Any]:
    """What is trained on; each rank has met bad files of its own."""
    dropped = {(d["split"], d["track"]): d for each in gathered(training_data) for d in each.get("dropped", [])}
    return {**training_data, "dropped": [dropped[key] for key in sorted(dropped)]}
