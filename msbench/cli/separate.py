"""The command `separate`: audio files, and folders of them, to stems."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msbench.cli.adding import Adder, add_inference, add_settings, add_weights, inference_of, settings_of
from msbench.cli.weights import fetch, weights_of
from msbench.system import errors
from msbench.system.exit_codes import DONE
from msbench.system.terminal import visible
from msbench.system.wording import counted

if TYPE_CHECKING:
    from msbench.model.separator import Separator
    from msbench.separation.inputs import Failure
    from msbench.separation.marks import Marks
    from msbench.separation.output import Output
    from msbench.separation.song import Song, Written


def add(command: Adder) -> None:
    """Add the command."""
    separate = command("separate", _separate, "split audio files into stems")
    separate.add_argument("model", help="a checkpoint, or the name of published weights or of a model without weights")
    text = "audio (wav, flac, mp3, m4a, ...), video, or folders of them"
    separate.add_argument("files", nargs="+", type=Path, metavar="FILE", help=text)
    text = "stems go to <output>/<file>/, or <output>/<its place in its folder>/"
    separate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=text)
    text = "what stems are written as: wav16, wav24, wav32f, flac, mp3 or ogg (wav32f)"
    separate.add_argument("--format", metavar="NAME", help=text)
    text = "of a song beyond full scale: none, clamp, or rescale all its stems (none: only wav32f holds it as it is)"
    separate.add_argument("--clip", metavar="HOW", help=text)
    text = "of a file in the output, of {track}, {target} and {model} ({track}/{target})"
    separate.add_argument("--name", metavar="TEXT", help=text)
    text = "write one more stem of this name: the mixture less all estimates"
    separate.add_argument("--residual", metavar="NAME", help=text)
    text = "write this target and the rest of the mixture, no_TARGET, alone"
    separate.add_argument("--two-stems", metavar="TARGET", help=text)
    text = "separate all songs, and replace files that are there"
    separate.add_argument("--force", action="store_true", help=text)
    add_weights(separate)
    add_settings(separate)
    add_inference(separate)


def _separate(options: argparse.Namespace) -> int:
    from msbench.separation.batch import songs_of, unfinished
    from msbench.separation.early_checks import check_inputs, check_outputs
    from msbench.separation.inference import Inference
    from msbench.separation.inputs import Failure, Inputs
    from msbench.separation.marks import Marks
    from msbench.separation.output import Output
    from msbench.weights.opening import targets_of

    inference = Inference(**inference_of(options))
    chosen = {field: getattr(options, field) for field in ("format", "clip", "name", "residual", "two_stems")}
    output = Output(**{field: value for field, value in chosen.items() if value is not None})
    name, settings = _name(options.model), settings_of(options)
    weights = weights_of(options.model, options.weights, "separate")
    inputs = Inputs.of(options.files, options.output)
    nothing = check_inputs(inputs)
    _raise_failures(nothing, len(nothing), 0)
    if weights is not None:
        targets = targets_of(weights, settings)
        check_outputs(inputs, output, targets, name, force=options.force)
        if not options.weights:
            fetch(weights)
    model = _ready(options.model, options.weights, settings)
    songs, failures = songs_of(inputs, output, model.targets, name), [*inputs.failures]
    count = len(songs) + len(failures)
    marks = Marks(model, name, inference, output)
    left = songs if options.force else unfinished(songs, marks)
    if len(left) < len(songs):
        done = f"{counted(len(songs) - len(left), 'song')} of {len(songs)} separated before"
        print(f"msbench: {done}, left as they are (--force separates them again)", file=sys.stderr)
    peaks: dict[Path, float] = {}
    tried = 0
    for song, outcome in _shown(model, left, marks):
        tried += 1
        if isinstance(outcome, Exception):
            failures.append(Failure(song.path, outcome))
        elif outcome.peak > 1:
            peaks[song.path] = outcome.peak
    _tell_peaks(peaks, output)
    _raise_failures(failures, count, len(left) - tried)
    return DONE


def _shown(model: Separator, songs: Sequence[Song], marks: Marks) -> Iterator[tuple[Song, Written | Exception]]:
    """Separate songs, with a bar on a terminal and the path of each file that was written."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from msbench.separation.batch import separate_songs

    console = Console()
    name = TextColumn("{task.description}", markup=False)  # a name may hold brackets
    columns = name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None)

        def progress(song: Song) -> Callable[[float, float | None], None]:
            bars.reset(bar, total=None, description=errors.one_line(song.path.name, 60))
            return lambda done, total: bars.update(bar, completed=done, total=total)

        for song, outcome in separate_songs(model, songs, marks, progress):
            if not isinstance(outcome, Exception):
                for file in outcome.stems.values():
                    console.print(visible(str(file)), markup=False, highlight=False, soft_wrap=True)
            yield song, outcome


def _tell_peaks(peaks: dict[Path, float], output: Output) -> None:
    """Say once what was done to songs beyond full scale."""
    if not peaks or (output.clip == "none" and output.kind.unbounded):
        return
    done = {
        "none": f"{output.format} does not hold that: --clip rescale turns all stems of such a song down together",
        "clamp": "that was cut off",
        "rescale": "all stems of such a song were turned down together",
    }
    loudest = max(peaks, key=peaks.__getitem__)
    level = f"{errors.one_line(str(loudest))} by {20 * math.log10(peaks[loudest]):.1f} dB"
    most = f"{level}" if len(peaks) == 1 else f"{len(peaks)} songs do, {level} the most"
    print(f"msbench: stems beyond full scale, {most}: {done[output.clip]}", file=sys.stderr)


def _name(model: str) -> str:
    """What {model} stands for: the name as it was given; of a checkpoint its file's, or its run's."""
    from msbench.weights.opening import names_checkpoint

    if not names_checkpoint(model):
        return model
    path = Path(model).absolute()
    return path.parent.name if path.stem in ("best", "last") and path.parent.name else path.stem


def _ready(name: str, files: Sequence[Path], settings: dict[str, Any]) -> Separator:
    """The model of a checkpoint or of published weights, or one that needs none, to separate songs without stems."""
    from msbench.weights.opening import trained

    model = trained(name, files, **settings)
    if model.needs_references:
        raise ValueError(f"'{name}' needs the true stems of a song: score it, msbench evaluate {name} --data NAME")
    return model


def _raise_failures(failures: Sequence[Failure], count: int, untried: int) -> None:
    """List what failed of so many inputs, one line each, and end the command."""
    if not failures:
        return
    if count == 1:
        raise failures[0].error
    for failure in failures:
        said, path = errors.report(failure.error), errors.one_line(str(failure.path))
        print(f"msbench: {said if path in said else f'{path}: {said}'}", file=sys.stderr)
    kind = ValueError if all(errors.is_bad_input(failure.error) for failure in failures) else RuntimeError
    rest = f"; {untried} not tried" if untried else ""
    causes = ExceptionGroup("the failures", [failure.error for failure in failures])  # shown by --debug
    raise kind(f"{len(failures)} of {count} inputs failed, as listed above{rest}") from causes
