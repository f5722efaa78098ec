"""How every command of the command line is added, and the options that several share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from msbench.system.errors import one_line

SETTINGS = "separator."  # what a setting of the model begins with, as in a suite and as a flag of `msbench fit`

Run = Callable[[argparse.Namespace], int]


def adder(commands: Any) -> Callable[[str, Run, str], argparse.ArgumentParser]:
    """(name, run, text) adds a command to argparse's subparsers: its help is the text, its description a sentence."""

    def command(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        added.set_defaults(run=run)
        added.register("type", Path, _path)
        return added

    return command


def _path(text: str) -> Path:
    if not text:  # to Path that is the working folder; here it is a shell variable that was not set
        raise argparse.ArgumentTypeError("a path is empty: give the file or folder")
    return Path(text)


Adder = Callable[[str, Run, str], argparse.ArgumentParser]


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """How many cells of a suite run at a time."""
    parser.add_argument("--jobs", type=int, default=None, help="cells at a time (one per processor, at most 4)")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Whether a suite's sweeps may be large."""
    parser.add_argument("--yes", action="store_true", help="run sweeps of more than 1,000 cells")


def names(text: str) -> tuple[str, ...]:
    """The names in "a, b"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Files of published weights that are here already."""
    text = "a file of the published weights that the model names, where it is here already; one --weights for each file"
    parser.add_argument("--weights", type=Path, action="append", default=[], metavar="FILE", help=text)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Options of the model's constructor."""
    text = "an option of the model, as separator.targets=[vocals,accompaniment]; one --set for each"
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="KEY=VALUE", help=text)


def _setting(text: str) -> tuple[str, Any]:
    """The name and the value in "separator.NAME=VALUE", whose value is YAML, as in a suite's `set`."""
    import yaml  # not for `msbench list`

    from msbench.system import bounded

    key, mark, value = text.partition("=")
    name = key.strip().removeprefix(SETTINGS)
    if not mark or name == key.strip() or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{one_line(text, 80)}' is no setting of a model, as separator.channels=1")
    try:
        bounded.check_yaml(value)
        return name, yaml.safe_load(value)
    except (ValueError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(
            f"the value of {key.strip()} is not YAML: {one_line(str(error), 200)}"
        ) from error


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_settings` was given, as arguments of the model's constructor.

    Raises:
        ValueError: If one is set twice.
    """
    names = [name for name, _ in options.set]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"--set {SETTINGS}{twice} is given twice: give it once")
    return dict(options.set)


def add_inference(parser: argparse.ArgumentParser) -> None:
    """How a model is run over long audio."""
    parser.add_argument("--chunk-seconds", type=float, default=10.0, help="length of a chunk (10)")
    parser.add_argument("--overlap", type=float, default=0.25, help="share of a chunk in common with the next (0.25)")
    text = "weights where chunks overlap: crossfade, triangle (as demucs), hann, trapezoid (as msst) (crossfade)"
    parser.add_argument("--window", default="crossfade", help=text)
    text = "times that the song is separated behind up to half a second of silence, for the mean (0: once, without)"
    parser.add_argument("--shifts", type=int, default=0, help=text)
    text = "polarity, swap: separate once more with the waveform inverted, the channels exchanged, for the mean (none)"
    parser.add_argument("--tta", type=names, default=(), metavar="NAMES", help=text)
    parser.add_argument("--precision", default="float32", help="float32, bf16 or fp16 (float32)")
    parser.add_argument("--compile", action="store_true", help="run the model through torch.compile")
    parser.add_argument("--batch-size", type=_batch_size, default=1, help="chunks at a time, or auto: what fits (1)")
    parser.add_argument("--device", default=None, help="cpu, cuda, one of several as cuda:1, or mps (cuda if there)")


def _batch_size(text: str) -> int | str:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{one_line(text, 80)}' is no number of chunks, as 4, and not auto")
    return text if text == "auto" else int(text)


def inference_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_inference` was given, as keywords of `msbench.separate`."""
    from msbench.model.devices import device_or_default
    from msbench.separation.inference import Inference

    given = {field.name: getattr(options, field.name) for field in fields(Inference)}
    return given | {"device": device_or_default(options.device)}
