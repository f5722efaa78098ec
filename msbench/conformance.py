"""`msbench check`: whether a model keeps the plugin contract, one result a check, each as it ends.

Signals are seeded noise, and each check starts from the same random state: two runs say the same.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from msbench import plugin_source, registry
from msbench.conformance_subject import Broken, Skipped, Subject, difference, require_finite
from msbench.conformance_training import checkpoint_round_trip, loss_checks, optimiser_step
from msbench.separator import Batch, parameter_count

BATCH_TOLERANCE = 1e-4  # of the largest sample: kernels sum in another order for another batch
REPEAT_TOLERANCE = 1e-5
DEVICE_TOLERANCE = 1e-2  # convolutions run in TF32 on a GPU

Check = Callable[[Subject], str]  # returns what there is to say; raises Broken, Skipped, or whatever the plugin raises


class Result(NamedTuple):
    """One check: what was checked, whether it holds, and why not or what was measured."""

    name: str
    passed: bool
    detail: str


def check(name: str) -> Iterator[Result]:
    """Check a registered model in its default configuration against the contract of `msbench.separator`.

    Args:
        name: Of the model.

    Yields:
        A result as each check ends. A check that raises has failed, with its error as one sentence, and the others go
        on; only a model that cannot be imported or built ends here.

    Raises:
        KeyError: If no model has that name.
    """
    subject = Subject(registry.find("models", name))
    for title, run in FIRST:
        result = _result(title, run, subject)
        yield result
        if not result.passed:
            return
    for title, run in (*FORWARD, *loss_checks(subject), *WHOLE):
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
    plain = isinstance(error, Broken | ValueError | ImportError) and str(error)
    text = str(error).splitlines()[0] if plain else plugin_source.sentence(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if path is not None and frame.filename == str(path)]
    return f"{text} ({path.name}, line {own[-1]})" if path is not None and own else text


def _imports(subject: Subject) -> str:
    subject.load()
    return subject.entry.origin


def _builds(subject: Subject) -> str:
    model = subject.model = subject.build()
    if model.trainable and parameter_count(model) == 0:
        raise Broken("it has no parameters to train: set `trainable = False` in the class")
    if model.role not in ("system", "floor", "ceiling"):
        raise Broken(f"role must be 'system', 'floor' or 'ceiling', not {model.role!r}")
    if not isinstance(model.stride_samples, int) or model.stride_samples < 1:
        raise Broken(f"stride_samples must be a whole number of at least 1, not {model.stride_samples!r}")
    return f"{', '.join(model.targets)} at {model.sample_rate} Hz, {model.channels} channel(s)"


def _single_target(subject: Subject) -> str:
    if "targets" not in subject.options:
        raise Skipped("its constructor takes no targets")
    model = subject.build(targets=["vocals"])
    if model.targets != ["vocals"]:
        raise Broken(f"built with targets=['vocals'], its targets are {model.targets}")
    subject.separate(subject.batch(1, 0.1, model), model)
    return ""


def _mono(subject: Subject) -> str:
    if "channels" not in subject.options:
        raise Skipped("its constructor takes no channels")
    model = subject.build(channels=1)
    if model.channels != 1:
        raise Broken(f"built with channels=1, its channels are {model.channels}")
    subject.separate(subject.batch(1, 0.1, model), model)
    return ""


def _any_length(subject: Subject) -> str:
    rate = subject.model.sample_rate
    lengths = (1, round(0.1 * rate), 10007, round(1.37 * rate))  # 10007 is a prime: no stride divides it
    for samples in lengths:
        estimates = subject.separate(subject.batch(1, samples / rate))
        if not estimates.is_floating_point():
            raise Broken(f"forward returned {estimates.dtype}: estimates are real, floating-point waveforms")
    subject.separate(subject.batch(2, 0.1))
    return f"{', '.join(map(str, lengths))} samples"


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
        signals[1] *= 0.1  # items of one level would hide that they are normalised together
    together = subject.separate(batch)
    largest = 0.0
    for i in range(2):
        alone = subject.separate(Batch(batch.mixture[i : i + 1], batch.references[i : i + 1]))
        largest = max(largest, difference(together[i : i + 1], alone))
    if not largest <= BATCH_TOLERANCE:
        raise Broken(
            f"an item's estimates depend on the rest of its batch (they differ by {largest:.1e} of the peak): in "
            "evaluation mode nothing may be normalised or averaged over the batch"
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


def _device(subject: Subject) -> str:
    left = [name for name, _ in subject.plain_tensors()]
    stays = f"{', '.join(left)}: a plain tensor does not move, register_buffer makes it" if left else ""
    if not torch.cuda.is_available():
        raise Skipped(f"no GPU here{f'; {stays}' if stays else ''}")
    batch = subject.batch(1, 0.2)
    here = subject.separate(batch)
    try:
        subject.model.to("cuda")
        there = subject.separate(Batch(*(signals.cuda() for signals in batch)))
        if there.device.type != "cuda":
            raise Broken(f"on a GPU its estimates come back on {there.device}")
    except RuntimeError as error:
        raise Broken(f"{plugin_source.sentence(error)}{f' ({stays})' if stays else ''}") from error
    finally:
        subject.model.to("cpu")
    away = difference(there.cpu(), here)
    if not away <= DEVICE_TOLERANCE:
        raise Broken(f"on the GPU it gives other estimates (they differ by {away:.1e} of the peak)")
    return f"{torch.cuda.get_device_name()}, within {away:.0e} of the CPU"


def _separates(subject: Subject) -> str:
    from msbench.separation import adaptation, separate

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


def _costs(subject: Subject) -> str:
    """Counted as the growth from one length to its double: what is spent on padding to a whole stride cancels."""
    model = subject.model
    stride = model.stride_samples
    samples = stride * -(-model.sample_rate // (4 * stride))
    short, long = (subject.batch(1, n / model.sample_rate) for n in (samples, 2 * samples))
    macs = [_macs(subject, batch) for batch in (short, long)]
    started = time.perf_counter()
    subject.separate(long)
    elapsed = time.perf_counter() - started
    seconds = samples / model.sample_rate
    return (
        f"{_quantity(parameter_count(model))} parameters, {_quantity((macs[1] - macs[0]) / seconds)} matrix and "
        f"convolution MACs per second of audio, real-time factor {elapsed / (2 * seconds):.2g} on the CPU "
        f"({torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''})"
    )


def _macs(subject: Subject, batch: Batch) -> float:
    # A fused LSTM or GRU is one operation that the counter does not know; without oneDNN it is made of products.
    recurrent = any(isinstance(module, nn.RNNBase) for module in subject.model.modules())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that switch warns of TF32 on Intel GPUs
        with torch.backends.mkldnn.flags(enabled=not recurrent), FlopCounterMode(display=False) as counter:
            subject.separate(batch)
    return counter.get_total_flops() / 2


def _quantity(value: float) -> str:
    """1234567 as '1.23 M'."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:.0f}"


FIRST: tuple[tuple[str, Check], ...] = (("imports", _imports), ("builds", _builds))
FORWARD: tuple[tuple[str, Check], ...] = (
    ("a single target", _single_target),
    ("mono", _mono),
    ("any length", _any_length),
    ("finite estimates", _finite),
    ("batch invariance", _batch_invariance),
    ("same again", _repeatable),
)
WHOLE: tuple[tuple[str, Check], ...] = (
    ("an optimiser step", optimiser_step),
    ("save and load", checkpoint_round_trip),
    ("device", _device),
    ("separates stereo at 44.1 kHz", _separates),
    ("costs", _costs),
)
