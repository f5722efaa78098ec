"""`msbench check`: whether a model keeps the plugin contract, one result per check, each as it ends.

Signals are seeded noise, and each check starts from the same random state: two runs say the same.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from msbench import registry
from msbench.conformance.execution import bfloat16, compiles, costs, device
from msbench.conformance.subject import Broken, Skipped, Subject, difference, require_finite
from msbench.conformance.training import checkpoint_round_trip, loss_checks, optimizer_step
from msbench.model.costs import parameter_count
from msbench.model.separator import Batch
from msbench.system import errors

BATCH_TOLERANCE = 1e-4  # of the largest sample: kernels sum in another order for another batch
REPEAT_TOLERANCE = 1e-5

Check = Callable[[Subject], str]  # returns what there is to say; raises Broken, Skipped, or whatever the plugin raises


class Result(NamedTuple):
    """One check: what was checked, whether it holds, and why not or what was measured."""

    name: str
    passed: bool
    detail: str


def check(name: str, compiled: bool = False, **options: Any) -> Iterator[Result]:
    """Check a registered model against the contract of `msbench.model.separator`.

    Args:
        name: Of the model.
        compiled: Whether to try torch.compile too, which takes a minute or more.
        options: Of the model's constructor, in place of its defaults.

    Yields:
        A result as each check ends. A check that raises has failed, with its error as one sentence, and the others go
        on; only a model that cannot be imported or built ends here.

    Raises:
        KeyError: If no model has that name.
    """
    subject = Subject(registry.find("models", name), options)
    for title, run in FIRST:
        result = _result(title, run, subject)
        yield result
        if not result.passed:
            return
    last = (("torch.compile", compiles), ("costs", costs)) if compiled else (("costs", costs),)
    for title, run in (*FORWARD, *loss_checks(subject), *WHOLE, *last):
        yield _result(title, run, subject)


def _result(title: str, run: Check, subject: Subject) -> Result:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Result(title, True, run(subject))
    except Skipped as reason:
        return Result(title, True, f"skipped: {reason}")
    except (Exception, SystemExit) as error:  # a stranger's module may call sys.exit
        return Result(title, False, _sentence(error, subject.entry.path))


def _sentence(error: BaseException, path: Path | None) -> str:
    """An error as one line, with the last line of the plugin that it passed through."""
    meant = isinstance(error, Broken | ValueError | ImportError) and errors.is_deliberate(error)
    text = errors.sentence(error) if meant else errors.named(error)
    while error.__cause__ is not None:  # a constructor's error is told with the option that it refuses
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if path is not None and frame.filename == str(path)]
    return f"{text} ({path.name}, line {own[-1]})" if path is not None and own else text


def _imports(subject: Subject) -> str:
    subject.load()
    return subject.entry.origin


def _builds(subject: Subject) -> str:
    model = subject.model = subject.build()
    if model.trainable and not model.own_training and parameter_count(model) == 0:
        raise Broken("it has no parameters to train: set `trainable = False` in the class")
    if model.role not in ("system", "floor", "ceiling"):
        raise Broken(f"role must be 'system', 'floor' or 'ceiling', not {model.role!r}")
    if model.chunking not in ("any", "song"):
        raise Broken(f"chunking must be 'any' or 'song', not {model.chunking!r}")
    if not isinstance(model.stride_samples, int) or model.stride_samples < 1:
        raise Broken(f"stride_samples must be a whole number of at least 1, not {model.stride_samples!r}")
    size = model.chunk_samples
    if size is not None and (not isinstance(size, int) or size < model.stride_samples or model.chunking == "song"):
        raise Broken(
            f"chunk_samples must be None, or a whole number of at least a stride ({model.stride_samples}) where "
            f"chunking is 'any', not {size!r}"
        )
    if strange := set(model.networks()) - set(model.targets):
        raise Broken(f"networks() names {', '.join(sorted(strange))}, which is no target of the model")
    return f"{', '.join(model.targets)} at {model.sample_rate} Hz, {model.channels} channel(s)"


def _targets(subject: Subject, names: tuple[str, ...]) -> str:
    if "targets" not in subject.options:
        raise Skipped("its constructor takes no targets")
    try:
        model = subject.build(targets=list(names))
    except ValueError as refusal:  # a model may be for two sources alone, if it says so
        if not errors.is_deliberate(refusal.__cause__ or refusal):
            raise
        raise Skipped(errors.sentence(refusal)) from refusal
    if model.targets != list(names):
        raise Broken(f"built with targets={list(names)}, its targets are {model.targets}")
    subject.separate(subject.batch(1, 0.1, model), model)
    return ""


def _channels(subject: Subject, count: int) -> str:
    if "channels" not in subject.options:
        raise Skipped("its constructor takes no channels")
    try:
        model = subject.build(channels=count)
    except ValueError as refusal:  # a model may be for mono or stereo alone, if it says so
        if not errors.is_deliberate(refusal):
            raise
        raise Skipped(errors.sentence(refusal)) from refusal
    if model.channels != count:
        raise Broken(f"built with channels={count}, its channels are {model.channels}")
    subject.separate(subject.batch(1, 0.1, model), model)
    return ""


def _any_length(subject: Subject) -> str:
    rate = subject.model.sample_rate
    # No stride divides a prime; the last is longer than a recipe's chunks.
    lengths = (1, round(0.1 * rate), 10007, _prime_below(15 * rate))
    for samples in lengths:
        estimates = subject.separate(subject.batch(1, samples / rate))
        if not estimates.is_floating_point():
            raise Broken(f"forward returned {estimates.dtype}: estimates are real, floating-point waveforms")
    subject.separate(subject.batch(2, 0.1))
    return f"{', '.join(map(str, lengths))} samples"


def _prime_below(number: int) -> int:
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number -= 1
    return number


def _finite(subject: Subject) -> str:
    gains = {"silence": 0.0, "very quiet noise": 1e-6, "noise": 1.0, "noise far beyond full scale": 100.0}
    for name, gain in gains.items():
        batch = subject.batch(1, 0.1)
        estimates = subject.separate(Batch(batch.mixture * gain, batch.references * gain))
        require_finite(estimates, f"estimates of {name}")
    return ", ".join(gains)


def _batch_invariance(subject: Subject) -> str:
    batch = subject.batch(2, 0.2)
    for signals in batch:
        signals[1] *= 0.1  # items of one level would hide that they are normalized together
    together = subject.separate(batch)
    largest = 0.0
    for i in range(2):
        alone = subject.separate(Batch(batch.mixture[i : i + 1], batch.references[i : i + 1]))
        largest = max(largest, difference(together[i : i + 1], alone))
    if not largest <= BATCH_TOLERANCE:
        raise Broken(
            f"an item's estimates depend on the rest of its batch (they differ by {largest:.1e} of the peak): in "
            "evaluation mode nothing may be normalized or averaged over the batch"
        )
    return f"within {largest:.1g}"


def _repeatable(subject: Subject) -> str:
    batch, other = subject.batch(1, 0.1), subject.batch(1, 0.13)
    mixture = batch.mixture.clone()
    first = subject.separate(batch).clone()
    if not torch.equal(mixture, batch.mixture):
        raise Broken("forward changes the mixture that it is given: work on a copy (`x = x - y`, not `x -= y`)")
    subject.separate(other)
    away = difference(subject.separate(batch), first)
    if not away <= REPEAT_TOLERANCE:
        raise Broken(
            f"the same mixture gives other estimates the second time (they differ by {away:.1e} of the peak): in "
            "evaluation mode forward may neither draw random numbers nor keep state between calls"
        )
    return ""


def _separates(subject: Subject) -> str:
    from msbench.separation.model_calls import adaptation
    from msbench.separation.pipeline import separate

    model = subject.model
    rate, seconds = 44100, 0.6
    channels = 2 if model.channels <= 2 else model.channels
    signals = 0.1 * torch.randn(len(model.targets) + 1, channels, round(seconds * rate))
    stems = separate(
        model, signals.sum(0), rate, chunk_seconds=0.25, references=signals[:-1] if model.needs_references else None
    )
    if list(stems) != model.targets:
        raise Broken(f"separate returned {', '.join(stems)}, not {', '.join(model.targets)}")
    for target, stem in stems.items():
        if stem.shape != signals.shape[1:]:
            raise Broken(f"{target} came out as {tuple(stem.shape)} for a mixture of {tuple(signals.shape[1:])}")
        require_finite(stem, target)
    return "; ".join(adaptation(model, rate, channels).values()) or f"{channels} channels at {rate} Hz as they are"


FIRST: tuple[tuple[str, Check], ...] = (("imports", _imports), ("builds", _builds))
FORWARD: tuple[tuple[str, Check], ...] = (
    ("a single target", partial(_targets, names=("vocals",))),
    ("four targets", partial(_targets, names=("vocals", "drums", "bass", "other"))),
    ("mono", partial(_channels, count=1)),
    ("stereo", partial(_channels, count=2)),
    ("any length", _any_length),
    ("finite estimates", _finite),
    ("batch invariance", _batch_invariance),
    ("same again", _repeatable),
)
WHOLE: tuple[tuple[str, Check], ...] = (
    ("an optimizer step", optimizer_step),
    ("save and load", checkpoint_round_trip),
    ("separates stereo at 44.1 kHz", _separates),
    ("bfloat16", bfloat16),
    ("device", device),
)
