"""The command that scores: evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from msbench.cli.adding import Adder, add_inference, inference_of, names


def add(command: Adder) -> None:
    """Add the commands."""
    evaluate = command("evaluate", _evaluate, "score a model, or a folder of estimates, on a dataset: one record")
    evaluate.add_argument("model", nargs="?", help="a checkpoint, or the name of a model without weights")
    evaluate.add_argument("--estimates", type=Path, metavar="DIR",
                          help="score files: DIR/[SPLIT/]TRACK/TARGET.wav, or .flac, as museval has them")  # fmt: skip
    evaluate.add_argument("--targets", type=names, help="of the files, which to score together: vocals,drums")
    evaluate.add_argument("--data", required=True, help="a registered dataset (msbench list datasets)")
    evaluate.add_argument("--root", type=Path, help="the dataset's folder")
    evaluate.add_argument("--split", default="test")
    evaluate.add_argument("--label", help="name of the row on a board")
    evaluate.add_argument("--seed", type=int, help="of the training, where the checkpoint does not hold it")
    evaluate.add_argument("--backend", choices=["fast", "museval"], default="fast", help="of BSSEval (fast)")
    evaluate.add_argument("--metrics", type=names, metavar="NAMES",
                          help="beside BSSEval: none, or some of si-sdr,si-sir,si-sar,snr,track-sdr,nsdr,mean-sdr "
                          "(these by default),l1-spectrogram,stoi,pesq")  # fmt: skip
    evaluate.add_argument("--jobs", type=int, default=1, help="tracks at a time, each in a process of its own (1)")
    evaluate.add_argument("-o", "--output", type=Path, help="folder (evaluations/<model>-<data>)")
    add_inference(evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench import records
    from msbench.evaluation.run import evaluate, evaluate_estimates
    from msbench.metrics import catalogue
    from msbench.model.checkpoints import names_checkpoint

    if (options.model is None) == (options.estimates is None):
        raise ValueError("evaluate needs a model or --estimates DIR, one of the two")
    if options.targets and options.model:
        raise ValueError("--targets chooses among files (--estimates): a model has its own")
    label = options.label
    if label is None and options.model:
        label = Path(options.model).parent.name if names_checkpoint(options.model) else options.model
    label = label or options.estimates.resolve().name
    output = options.output or Path("evaluations") / f"{label}-{options.data}"
    console = Console(stderr=True)

    def progress(done: int, count: int, track: str, medians: dict[str, float]) -> None:
        running = "  ".join(f"{target} {value:.2f}" for target, value in medians.items())
        console.print(f"[{done}/{count}] {track}: median SDR so far  {running}", markup=False, highlight=False)

    chosen = {None: catalogue.DEFAULT, ("none",): ()}.get(options.metrics, options.metrics)
    common = {
        "root": options.root, "split": options.split, "output": output, "label": label, "backend": options.backend,
        "metrics": chosen, "jobs": options.jobs, "seed": options.seed, "progress": progress,
    }  # fmt: skip
    if options.model:
        record = evaluate(options.model, options.data, **common, **inference_of(options))
    else:
        record = evaluate_estimates(options.estimates, options.data, targets=options.targets, **common)
    records.write(output / "record.json", record)
    print(output / "record.json")
    return 0
