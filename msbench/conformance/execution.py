"""The part of `msbench check` that concerns how a model runs: precision, compilation, another device, its costs."""

from __future__ import annotations

import time
import warnings

import torch

from msbench.conformance.subject import Broken, Skipped, Subject, difference, require_finite
from msbench.conformance.training import first_criterion
from msbench.losses.criterion import mean_loss
from msbench.model.costs import macs_per_second, parameter_count
from msbench.model.separator import Batch
from msbench.system.errors import named
from msbench.system.wording import quantity

DEVICE_TOLERANCE = 1e-2  # convolutions run in TF32 on a GPU
COMPILED_TOLERANCE = 1e-3  # fused kernels sum in another order


def bfloat16(subject: Subject) -> str:
    """Under autocast, as `--trainer.precision bf16-mixed` runs it: estimates, loss and gradients are finite."""
    model = subject.model
    batch = subject.batch(2, 0.1)  # two items, without which batch normalization may have too few values
    alone = Batch(batch.mixture[:1], batch.references[:1])
    exact = subject.separate(alone)
    # Without oneDNN, whose transposed convolutions in bfloat16 at times give NaN on CPUs with AMX (torch 2.11).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that switch warns of TF32 on Intel GPUs
        # Autocast twice: within one, torch 2.4 keeps the weights that it cast for inference, which have no gradient.
        with torch.backends.mkldnn.flags(enabled=False), torch.autocast("cpu", torch.bfloat16):
            estimates = subject.separate(alone)
        with torch.backends.mkldnn.flags(enabled=False), torch.autocast("cpu", torch.bfloat16):
            if model.trainable:
                model.train().zero_grad()
                value = mean_loss(model.loss(batch, first_criterion(model).of(batch.mixture)))
                if value.requires_grad:
                    value.backward()
    require_finite(estimates, "estimates in bfloat16")
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            require_finite(parameter.grad, f"gradient of {name} in bfloat16")
    model.zero_grad()
    return f"within {difference(estimates.float(), exact):.1g} of float32"


def compiles(subject: Subject) -> str:
    """torch.compile gives the same estimates, of two lengths."""
    model = subject.model.eval()
    compiled = torch.compile(model)
    started = time.perf_counter()
    largest = 0.0
    for seconds in (0.5, 0.7):
        batch = subject.batch(1, seconds)
        expected = subject.separate(batch)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that complex numbers are left to eager kernels
            estimates = compiled(batch.mixture, *((batch.references,) if model.needs_references else ()))
        largest = max(largest, difference(estimates, expected))
    if not largest <= COMPILED_TOLERANCE:
        raise Broken(f"compiled it gives other estimates (they differ by {largest:.1e} of the peak)")
    return f"within {largest:.1g}, in {time.perf_counter() - started:.0f} s"


def device(subject: Subject) -> str:
    """A GPU, if there is one, gives the CPU's estimates."""
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
        raise Broken(f"{named(error)}{f' ({stays})' if stays else ''}") from error
    finally:
        subject.model.to("cpu")
    away = difference(there.cpu(), here)
    if not away <= DEVICE_TOLERANCE:
        raise Broken(f"on the GPU it gives other estimates (they differ by {away:.1e} of the peak)")
    return f"{torch.cuda.get_device_name()}, within {away:.0e} of the CPU"


def costs(subject: Subject) -> str:
    """Parameters, MACs and the real-time factor."""
    model = subject.model
    batch = subject.batch(1, 0.5)
    subject.separate(batch)  # the first call of some kernels builds them
    started = time.perf_counter()
    subject.separate(batch)
    factor = (time.perf_counter() - started) / (batch.mixture.shape[-1] / model.sample_rate)
    macs = macs_per_second(model)
    counted = "" if macs is None else f"{_count(macs)} matrix and convolution MACs per second of audio, "
    threads = torch.get_num_threads()
    return (
        f"{_count(parameter_count(model))} parameters, {counted}real-time factor {factor:.2g} on the CPU "
        f"({threads} thread{'s' if threads > 1 else ''})"
    )


def _count(value: float) -> str:
    return quantity(value) if value >= 1000 else f"{value:.0f}"
