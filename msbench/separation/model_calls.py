"""How a model is called on chunks: batched, on its device, with its channel count adapted around it.

A batch size of "auto" is found at the first chunk, which goes alone: as many chunks as fit, by what that one took, into
half of the memory that is free then, at most 16. On a GPU that is the memory of CUDA. Elsewhere it is what the process
has taken at its highest, so the number is too small rather than too large; it is one where the system does not tell.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msbench.model.separator import Separator, separate_batch
from msbench.separation.chunks import Piece, Placed
from msbench.separation.inference import PRECISIONS, Inference, refuse_precision
from msbench.system import errors
from msbench.system.memory import free_bytes, peak_bytes, resident_bytes

MOST_AT_A_TIME = 16  # chunks, with a batch size of "auto"


def adaptation(model: Separator, sample_rate: int, channels: int) -> dict[str, str]:
    """What is done around a model for it to take audio of this rate and channel count, for the record; {} if nothing.

    >>> adaptation(Separator(["vocals"], sample_rate=8192, channels=1), sample_rate=44100, channels=2)
    {'resampled': '44100 -> 8192 -> 44100 Hz', 'channels': 'each of 2 channels by itself'}

    Raises:
        ValueError: If the model cannot take that many channels.
    """
    done = {}
    if sample_rate != model.sample_rate:
        done["resampled"] = f"{sample_rate} -> {model.sample_rate} -> {sample_rate} Hz"
    if channels == model.channels:
        pass
    elif model.channels == 1:
        done["channels"] = f"each of {channels} channels by itself"
    elif (channels, model.channels) == (1, 2) and model.stereo_only:
        raise ValueError(f"{type(model).__name__} compares the channels of stereo audio, and this is mono: use another")
    elif (channels, model.channels) == (1, 2):
        done["channels"] = "copied to 2 channels, estimates averaged"
    else:
        raise ValueError(
            f"{type(model).__name__} works on {model.channels} channels and the audio has {channels}: "
            f"mix it to {'1 or 2' if model.channels == 2 else model.channels} channels first"
        )
    return done


def estimates_of(
    model: Separator, pieces: Iterable[Piece], inference: Inference, device: torch.device
) -> Iterator[Placed]:
    """Run the model: chunks (G, C, n) to estimates (S, C, n), batched where they are of one length."""
    call = _caller(model, inference, device)
    size = 1 if inference.batch_size == "auto" else inference.batch_size
    fitted = inference.batch_size != "auto"
    batch: list[Piece] = []
    for piece in chain(pieces, [None]):
        if batch and (piece is None or len(batch) == size or piece.samples.shape != batch[0].samples.shape):
            first = batch[0]
            # A whole song is nobody else's and not copied; other chunks are views that a model must not write into.
            owned = len(batch) == 1 and first.samples.flags.owndata
            signals = torch.from_numpy(first.samples[None] if owned else np.stack([each.samples for each in batch]))
            if fitted:
                estimates = call(signals)
            else:
                estimates, size, fitted = *_measured(call, signals, device), True
            # Said here, where the place in the audio is known: the crossfades would spread it.
            if not np.isfinite(estimates).all():
                cause = "its weights are broken, use another checkpoint"
                if inference.precision != "float32":
                    cause = f"its weights are broken or {inference.precision} is too coarse for it, try float32"
                raise ValueError(
                    f"{type(model).__name__} gave NaN or infinite samples from "
                    f"{max(0, first.start) / model.sample_rate:.1f} s on: {cause}"
                )
            for each, estimate in zip(batch, estimates, strict=True):
                yield each.start, estimate[..., each.before : each.before + each.frames]
            batch = []
        if piece is not None:
            batch.append(piece)


def _caller(model: Separator, inference: Inference, device: torch.device) -> Callable[[Tensor], np.ndarray]:
    """What separates a batch (B, G, C, n) to (B, S, C, n), as the options say.

    Raises:
        ValueError: If the device cannot compute at that precision.
    """
    dtype = PRECISIONS[inference.precision]
    refuse_precision(inference.precision, device)
    run = _compiled(model) if inference.compile else model

    def call(signals: Tensor) -> np.ndarray:
        # By numpy the estimates leave inference mode: as its tensors, nobody could train on them.
        with torch.inference_mode(), _lower(device, dtype):
            return _adapted(run, signals.to(device)).to("cpu", torch.float32).numpy()

    def told(signals: Tensor) -> np.ndarray:
        try:
            with warnings.catch_warnings():
                if inference.compile:
                    warnings.simplefilter("ignore")  # that complex numbers are left to eager kernels
                return call(signals)
        except Exception as error:
            if errors.is_deliberate(error) or isinstance(error, torch.OutOfMemoryError):
                raise
            what = "be compiled by torch.compile" if inference.compile else f"be run at {inference.precision}"
            way = "leave compile out" if inference.compile else "use float32"
            raise ValueError(
                f"{type(model).__name__} cannot {what} on {device} ({errors.one_line(str(error), 200)}): {way}"
            ) from error

    return told if inference.compile or inference.precision != "float32" else call


def _lower(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


@lru_cache(maxsize=16)  # kept for the next song; of an ensemble, all of its models
def _compiled(model: Separator) -> Any:
    return torch.compile(model)


def _measured(call: Callable[[Tensor], np.ndarray], signals: Tensor, device: torch.device) -> tuple[np.ndarray, int]:
    """The estimates of one chunk, and how many like it fit into half of the memory that is free."""
    on_card = device.type == "cuda"
    if on_card:
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if on_card else resident_bytes()
    estimates = call(signals)
    taken: int | None
    free: int | None
    if on_card:
        taken = torch.cuda.max_memory_allocated(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0]
    else:
        taken = None if before is None else peak_bytes() - before
        free = free_bytes()
    if taken is None or free is None:
        return estimates, 1
    least = 2 * (signals.nbytes + estimates.nbytes)
    return estimates, max(1, min(MOST_AT_A_TIME, free // 2 // max(taken, least)))


@contextlib.contextmanager
def evaluating(model: Separator, device: str | torch.device | None) -> Iterator[torch.device]:
    """Evaluation mode, and each part of the model in its own mode again afterwards; gives the device."""
    training = {module: module.training for module in model.modules()}  # a caller may have frozen some parts
    if device is not None:
        model.to(device)
    held = next(chain(model.parameters(), model.buffers()), torch.empty(0))  # a floor has neither, and runs on the CPU
    model.eval()
    try:
        yield held.device if device is None else torch.device(device)
    finally:
        for module, mode in training.items():
            module.training = mode


def _adapted(model: Separator, signals: Tensor) -> Tensor:
    """Separate (B, G, C, n) to (B, S, C, n), whatever the model's channel count; `adaptation` has allowed it."""
    batch, group, channels, time = signals.shape
    if channels == model.channels:
        inner = signals
    elif model.channels == 1:
        # Channels become items of the batch: each is separated by itself, which keeps the stereo image.
        inner = signals.transpose(1, 2).reshape(batch * channels, group, 1, time)
    else:
        inner = signals.expand(-1, -1, model.channels, -1)
    estimates = separate_batch(model, inner[:, 0].contiguous(), inner[:, 1:].contiguous() if group > 1 else None)
    if channels == model.channels:
        return estimates
    if model.channels == 1:
        return estimates.reshape(batch, channels, -1, time).transpose(1, 2)
    return estimates.mean(dim=2, keepdim=True)
