"""The command `evaluate`: score a model, or a folder of estimates, on a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from msbench.cli.adding import Adder, add_inference, add_settings, add_weights, inference_of, names, settings_of
from msbench.cli.weights import fetch, weights_of
from msbench.system.exit_codes import DONE


def add(command: Adder) -> None:
    """Add the command."""
    evaluate = command("evaluate", _evaluate, "score a model, or a folder of estimates, on a dataset: one record")
    text = "a checkpoint, or the name of published weights or of a model without weights"
    evaluate.add_argument("model", nargs="?", help=text)
    layout = "score files: DIR/[SPLIT/]TRACK/TARGET.wav, or .flac, as museval has them"
    evaluate.add_argument("--estimates", type=Path, metavar="DIR", help=layout)
    evaluate.add_argument("--targets", type=names, help="targets of the files to score together: vocals,drums")
    evaluate.add_argument("--data", required=True, help="a registered dataset (msbench list datasets)")
    evaluate.add_argument("--root", type=Path, help="the dataset's folder")
    evaluate.add_argument("--split", default="test", help="which tracks (test)")
    evaluate.add_argument("--label", help="name of the row on a board (the model's, or that of the folder)")
    evaluate.add_argument("--seed", type=int, help="of the training, where the checkpoint does not hold it")
    evaluate.add_argument("--backend", choices=["fast", "museval"], default="fast", help="of BSSEval (fast)")
    again = "targets to score together once more, by themselves: vocals,accompaniment as museval does with five stems"
    evaluate.add_argument("--scenario", type=names, default=(), metavar="TARGETS", help=again)
    pooled = "keep the medians over the windows of all tracks too, as Wave-U-Net's figures"
    evaluate.add_argument("--pooled", action="store_true", help=pooled)
    metrics = "in addition to BSSEval: none, or some of si-sdr,si-sir,si-sar,snr,track-sdr,nsdr,mean-sdr "
    metrics += "(these by default),gnsdr,l1-spectrogram,stoi,pesq"
    evaluate.add_argument("--metrics", type=names, metavar="NAMES", help=metrics)
    evaluate.add_argument("--jobs", type=int, default=1, help="tracks at a time, each in a process of its own (1)")
    evaluate.add_argument("-o", "--output", type=Path, help="folder (evaluations/LABEL-DATA)")
    add_weights(evaluate)
    add_settings(evaluate)
    add_inference(evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from msbench.evaluation.folder import evaluate_into_folder
    from msbench.evaluation.run import check, evaluate, evaluate_estimates
    from msbench.metrics import catalogue
    from msbench.weights.opening import targets_of

    if (options.model is None) == (options.estimates is None):
        raise ValueError("evaluate needs a model or --estimates DIR, one of the two")
    if options.targets and options.model:
        raise ValueError(
            "--targets chooses among files (--estimates): a model has its own; some take others by --set "
            "separator.targets=[vocals,accompaniment]"
        )
    if (options.set or options.weights) and not options.model:
        flag = "--set" if options.set else "--weights"
        raise ValueError(f"{flag} is for a model: files (--estimates) have none")
    console = Console(stderr=True)

    def progress(done: int, count: int, track: str, medians: dict[str, float]) -> None:
        running = "  ".join(f"{target} {value:.2f}" for target, value in medians.items())
        console.print(f"[{done}/{count}] {track}: median SDR so far  {running}", markup=False, highlight=False)

    chosen = {None: catalogue.DEFAULT, ("none",): ()}.get(options.metrics, options.metrics)
    common = {
        "root": options.root,
        "split": options.split,
        "output": options.output,
        "label": options.label,
        "backend": options.backend,
        "metrics": chosen,
        "scenario": options.scenario,
        "pooled": options.pooled,
        "jobs": options.jobs,
        "seed": options.seed,
        "progress": progress,
    }
    if options.model:
        settings, inference = settings_of(options), inference_of(options)
        weights = weights_of(options.model, options.weights, "evaluate")
        if weights is not None:
            check(targets_of(weights, settings), options.data, **common, **inference)
            if not options.weights:
                fetch(weights)
        own = {"separator": settings, "weights": options.weights, **inference}
        path = evaluate_into_folder(evaluate, options.model, options.data, **common, **own)
    else:
        path = evaluate_into_folder(
            evaluate_estimates, options.estimates, options.data, **common, targets=options.targets
        )
    print(path)
    return DONE
