"""How a model is called on chunks: batched, on its device, with its channel count adapted around it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from msbench.audio.streams import Placed
from msbench.model.separator import Separator, separate_batch


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


def estimates_of(model: Separator, pieces: Iterable[Placed], batch_size: int, device: torch.device) -> Iterator[Placed]:
    """Run the model: chunks (G, C, n) to estimates (S, C, n), batched where they are of one length."""
    batch: list[Placed] = []
    for placed in chain(pieces, [None]):
        if batch and (placed is None or len(batch) == batch_size or placed[1].shape != batch[0][1].shape):
            first = batch[0][1]
            # A whole song is nobody else's and not copied; other chunks are views that a model must not write into.
            owned = len(batch) == 1 and first.flags.owndata
            signals = torch.from_numpy(first[None] if owned else np.stack([samples for _, samples in batch]))
            # By numpy the estimates leave inference mode: as its tensors, nobody could train on them.
            with torch.inference_mode():
                estimates = _adapted(model, signals.to(device)).to("cpu", torch.float32).numpy()
            # Said here, where the place in the audio is known: the crossfades would spread it.
            if not np.isfinite(estimates).all():
                raise ValueError(
                    f"{type(model).__name__} gave NaN or infinite samples from {batch[0][0] / model.sample_rate:.1f} s "
                    "on: its weights are broken, use another checkpoint"
                )
            yield from zip((start for start, _ in batch), estimates, strict=True)
            batch = []
        if placed is not None:
            batch.append(placed)


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
    short = 0 if model.chunk_samples is None else model.chunk_samples - time
    if short > 0:  # a short song, or a last chunk that could not start where it would have been full
        return _adapted(model, torch.nn.functional.pad(signals, (0, short)))[..., :time]
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
