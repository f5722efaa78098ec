"""Lightning's training compared with a bare PyTorch loop: the same model, batches and optimizer, in one run.

    python benchmarks/training_overhead.py [--recipe conv_tasnet_small] [--epochs 4] [--rounds 3]

Both train the recipe's model from the same weights on the same chunks; the two take turns, and the first epoch of each
is left out (allocators and caches warm up). Prints the seconds per epoch of each, and the median ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback

from msbench import registry
from msbench.model.separator import Batch
from msbench.training.command_line import FitCLI


class Clock(Callback):
    """Seconds of each training epoch, validation left out."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: object) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self.started)


def build(recipe: str, epochs: int, folder: Path) -> FitCLI:
    path = registry.find_recipe(recipe)
    name = next(line.split(":")[1].strip() for line in path.read_text().splitlines() if line.startswith("name:"))
    quiet = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
    # Validation belongs to neither loop's step; the bare one has none.
    flags = ["--trainer.limit_val_batches", "0", "--trainer.max_epochs", str(epochs), "--output", str(folder)]
    return FitCLI(name, ["--config", str(path), *quiet, *flags, "--checkpoint.monitor", "null"])


def lightning_epochs(recipe: str, epochs: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        cli = build(recipe, epochs, Path(folder))
        clock = Clock()
        # First, so that its clock stops before the checkpoint is written: the bare loop writes none.
        cli.trainer.callbacks.insert(0, clock)
        cli.trainer.callbacks = [c for c in cli.trainer.callbacks if type(c).__name__ != "EarlyStopping"]
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return clock.seconds[1:]


def bare_epochs(recipe: str, epochs: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        cli = build(recipe, epochs, Path(folder))
        module, clip = cli.model, cli.config.trainer.gradient_clip_val
        cli.datamodule.setup("fit")
        loader = cli.datamodule.train_dataloader()
        optimizer = module.build_optimizer(module.separator.parameters())
        module.train()
        seconds = []
        for epoch in range(epochs):
            loader.sampler.set_epoch(epoch)
            started = time.perf_counter()
            for batch in loader:
                optimizer.zero_grad()
                loss = module.separator.loss(Batch(*batch), module.criterion)
                loss.backward()
                if clip:
                    torch.nn.utils.clip_grad_norm_(module.separator.parameters(), clip)
                optimizer.step()
            seconds.append(time.perf_counter() - started)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="conv_tasnet_small")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bare, ours = [], []
    for _ in range(options.rounds):
        bare += bare_epochs(options.recipe, options.epochs)
        ours += lightning_epochs(options.recipe, options.epochs)
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    print(f"{torch.get_num_threads()} threads, {len(bare)} epochs each\n")
    print("| recipe | bare loop, s an epoch | msbench, s an epoch | ratio (median; min to max of pairs) |")
    print("|---|---:|---:|---:|")
    middle = statistics.median(ours) / statistics.median(bare)
    print(
        f"| {options.recipe} | {statistics.median(bare):.3f} | {statistics.median(ours):.3f} "
        f"| {middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |"
    )


if __name__ == "__main__":
    main()
