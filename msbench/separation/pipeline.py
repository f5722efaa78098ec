"""Separation of any audio with any separator: whatever the length, rate and channel count, in bounded memory.

One pipeline of generators serves arrays and files. Blocks of samples are resampled to the model's rate as a stream,
cut into overlapping chunks of one size, separated, joined by crossfades, and resampled back to exactly the length of
the input. Between the model's calls everything is float32 numpy; shapes use the letters of
`msbench.model.separator`, and G = 1 for a mixture alone or 1 + S where an oracle's references travel with it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msbench.audio import files as audio
from msbench.audio.streams import ChunkPlan, Placed, chunks, joined, resampled
from msbench.model.separator import Separator, separate_batch

Progress = Callable[[float, float | None], None]  # (seconds done, seconds in all where known)


def separate(
    model: Separator,
    mixture: Tensor | np.ndarray,
    sample_rate: int,
    *,
    chunk_seconds: float = 10.0,
    overlap: float = 0.25,
    batch_size: int = 1,
    references: Tensor | np.ndarray | None = None,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Separate a waveform of any length, rate and channel count.

    A mono model takes each channel by itself, which keeps the stereo image; a stereo model takes a mono signal twice,
    and the mean of its two channels is the estimate. `adaptation` says what is done.

    Args:
        model: Put in evaluation mode meanwhile.
        mixture: (C, T), or (T,) for mono; floating point, full scale at one.
        sample_rate: Of the mixture, in Hz.
        chunk_seconds: Length of the pieces that the model is given; one that cannot hold a stride of the model grows.
        overlap: Share of a chunk that it has in common with the next, 0 to 0.5. A quarter of the overlap at each side
            is left out of the estimate, so a model that looks at most that far gives what it gives on the whole.
        batch_size: Chunks in one call of the model.
        references: (S, C, T) in the order of the model's targets; used by oracles (`needs_references`) alone.
        device: Where the model is moved to and runs; where it is by default.
        progress: Called with the seconds done and the seconds in all.

    Returns:
        {target: (C, T)}, on the CPU.

    Raises:
        ValueError: If an argument is out of its range, a sample is not finite, the shapes do not fit, or the model
            cannot be adapted to the channel count.
    """
    signal = _signal(mixture, "the mixture", 1)
    if model.needs_references and references is not None:
        stems = _signal(references, "the references", len(model.targets))
        if stems.shape[1:] != signal.shape[1:]:
            raise ValueError(f"references {stems.shape} do not fit a mixture {signal.shape[1:]}: give (S, C, T)")
        signal = np.concatenate([signal, stems])
    channels, time = signal.shape[1:]
    stream = separate_blocks(
        model,
        (signal[..., start : start + audio.BLOCK_FRAMES] for start in range(0, time, audio.BLOCK_FRAMES)),
        sample_rate,
        channels,
        chunk_seconds=chunk_seconds,
        overlap=overlap,
        batch_size=batch_size,
        device=device,
        progress=progress,
        total_seconds=time / sample_rate if sample_rate > 0 else None,
    )
    estimates = {target: torch.empty(channels, time) for target in model.targets}
    done = 0
    for block in stream:
        for target, samples in block.items():
            estimates[target][:, done : done + samples.shape[-1]] = torch.from_numpy(samples)
        done += samples.shape[-1]
    return estimates


def separate_file(
    model: Separator,
    path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    extension: str = "wav",
    chunk_seconds: float = 10.0,
    overlap: float = 0.25,
    batch_size: int = 1,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Separate an audio file into `<output_dir>/<file's stem>/<target>.<extension>`, in bounded memory.

    The files appear under these names once all of them are complete. Options as for `separate`.

    Args:
        extension: "wav" (32-bit float, nothing clips) or "flac" (24 bits, clips beyond full scale).

    Returns:
        {target: path of its file}.

    Raises:
        FileNotFoundError, OSError: If the file is not there, or the disk is full; see `msbench.audio`.
        ValueError: If the file is no audio, corrupt or empty, and as for `separate`.
    """
    folder = Path(output_dir) / Path(path).stem
    paths = audio.stem_paths(folder, model.targets, extension)
    if Path(path).resolve() in [stem.resolve() for stem in paths.values()]:
        raise ValueError(f"a stem would overwrite the mixture {path}: give another output folder")
    with audio.AudioReader(path) as reader:
        stream = separate_blocks(
            model,
            reader.blocks(),
            reader.sample_rate,
            reader.channels,
            chunk_seconds=chunk_seconds,
            overlap=overlap,
            batch_size=batch_size,
            device=device,
            progress=progress,
            total_seconds=reader.seconds,
            name=str(path),
        )
        shape = (reader.sample_rate, reader.channels)
        with audio.stem_writer(folder, model.targets, *shape, extension=extension, frames=reader.frames) as write:
            for block in stream:
                write(block)
    return paths


def separate_blocks(
    model: Separator,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    channels: int,
    *,
    chunk_seconds: float = 10.0,
    overlap: float = 0.25,
    batch_size: int = 1,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
    total_seconds: float | None = None,
    name: str = "the mixture",
) -> Iterator[dict[str, np.ndarray]]:
    """Separate a stream: what `separate` and `separate_file` run on. Options as for `separate`.

    Args:
        blocks: Float arrays (C, any number of frames) in order, or (1 + S, C, frames), the mixture first, for an
            oracle. They are taken one at a time, as they are needed.
        sample_rate: Of the blocks, in Hz.
        channels: Of the blocks.
        total_seconds: For `progress`, where it is known.
        name: What an error calls the input.

    Returns:
        An iterator of {target: (C, frames)} in order, in all as many frames as came in.

    Raises:
        ValueError: As for `separate`; at once for an argument, while iterating for the samples.
    """
    if sample_rate < 1 or batch_size < 1:
        raise ValueError(f"sample_rate and batch_size must be at least 1, not {sample_rate} and {batch_size}")
    adaptation(model, sample_rate, channels)
    plan = ChunkPlan.of(chunk_seconds, overlap, model.sample_rate, model.stride_samples)
    source = _Source(blocks, channels, sample_rate, name)

    def stream() -> Iterator[dict[str, np.ndarray]]:
        with _evaluating(model, device) as where:
            pieces = chunks(resampled(source, sample_rate, model.sample_rate), plan)
            stems = joined(_estimates(model, pieces, batch_size, where), plan)
            done = 0
            for block in _as_long_as(source, resampled(stems, model.sample_rate, sample_rate)):
                yield dict(zip(model.targets, block, strict=True))
                done += block.shape[-1]
                if progress:  # once the source has ended its length is known, whatever a header said
                    progress(done / sample_rate, source.samples / sample_rate if source.ended else total_seconds)

    return stream()


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
    elif (channels, model.channels) == (1, 2):
        done["channels"] = "copied to 2 channels, estimates averaged"
    else:
        raise ValueError(
            f"{type(model).__name__} works on {model.channels} channels and the audio has {channels}: "
            f"mix it to {'1 or 2' if model.channels == 2 else model.channels} channels first"
        )
    return done


def _signal(waveform: Tensor | np.ndarray, name: str, stems: int) -> np.ndarray:
    """A waveform (C, T), (T,) or (stems, C, T) as a float32 array (stems, C, T)."""
    given = waveform.detach().cpu().numpy() if isinstance(waveform, Tensor) else np.asarray(waveform)
    if given.dtype.kind != "f":
        raise ValueError(f"{name} must be floating point with a full scale of one, not {given.dtype}")
    samples = np.atleast_2d(given)[np.newaxis] if stems == 1 and given.ndim < 3 else given
    if samples.ndim != 3 or samples.shape[0] != stems or 0 in samples.shape:
        shape = "(C, T)" if stems == 1 else f"({stems}, C, T)"
        raise ValueError(f"{name} must be {shape} with at least one sample, not {given.shape}")
    if samples.shape[1] > max(samples.shape[2], 64):
        raise ValueError(f"{name} of shape {given.shape} has more channels than samples: transpose it to (C, T)")
    return samples.astype(np.float32, copy=False)


class _Source:
    """The input blocks as (G, C, frames), checked and counted."""

    def __init__(self, blocks: Iterable[np.ndarray], channels: int, sample_rate: int, name: str) -> None:
        self._blocks, self._channels, self._rate, self._name = blocks, channels, sample_rate, name
        self.samples = 0
        self.ended = False

    def __iter__(self) -> Iterator[np.ndarray]:
        for given in self._blocks:
            block = np.asarray(given, dtype=np.float32)[(None,) * (3 - np.ndim(given))]
            if block.shape[1] != self._channels:
                raise ValueError(f"{self._name} has a block {np.shape(given)}, not ({self._channels}, frames)")
            finite = np.isfinite(block)
            if not finite.all():
                at = self.samples + int(np.argmin(finite.all(axis=(0, 1))))
                raise ValueError(
                    f"{self._name} has NaN or infinite samples, the first at {at / self._rate:.3f} s: repair it or cut "
                    "them out"
                )
            self.samples += block.shape[-1]
            yield block
        if self.samples == 0:
            raise ValueError(f"{self._name} has zero length: give audio with at least one sample")
        self.ended = True


def _estimates(model: Separator, pieces: Iterable[Placed], batch_size: int, device: torch.device) -> Iterator[Placed]:
    """Run the model: chunks (G, C, n) to estimates (S, C, n), batched where they are of one length."""
    batch: list[Placed] = []
    for placed in chain(pieces, [None]):
        if batch and (placed is None or len(batch) == batch_size or placed[1].shape != batch[0][1].shape):
            signals = torch.from_numpy(np.stack([samples for _, samples in batch]))
            with torch.inference_mode():
                estimates = _adapted(model, signals.to(device)).to("cpu", torch.float32).numpy()
            if not np.isfinite(estimates).all():
                raise ValueError(
                    f"{type(model).__name__} gave NaN or infinite samples from {batch[0][0] / model.sample_rate:.1f} s "
                    "on: its weights are broken, use another checkpoint"
                )
            yield from zip((start for start, _ in batch), estimates, strict=True)
            batch = []
        if placed is not None:
            batch.append(placed)


def _adapted(model: Separator, signals: Tensor) -> Tensor:
    """Separate (B, G, C, n) to (B, S, C, n), whatever the model's channel count; `adaptation` has allowed it."""
    batch, group, channels, time = signals.shape
    if channels == model.channels:
        inner = signals
    elif model.channels == 1:
        inner = signals.transpose(1, 2).reshape(batch * channels, group, 1, time)
    else:
        inner = signals.expand(-1, -1, model.channels, -1)
    estimates = separate_batch(model, inner[:, 0].contiguous(), inner[:, 1:].contiguous() if group > 1 else None)
    if channels == model.channels:
        return estimates
    if model.channels == 1:
        return estimates.reshape(batch, channels, -1, time).transpose(1, 2)
    return estimates.mean(dim=2, keepdim=True)


def _as_long_as(source: _Source, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut what the way back to the input's rate gives beyond the input's length, a sample or so, and skip nothings."""
    done = 0
    for block in blocks:
        left = max(0, source.samples - done) if source.ended else None  # until then the output lags behind the input
        kept = block[..., :left]
        done += kept.shape[-1]
        if kept.shape[-1]:
            yield kept


@contextlib.contextmanager
def _evaluating(model: Separator, device: str | torch.device | None) -> Iterator[torch.device]:
    """Evaluation mode, and each part of the model in its own mode again afterwards; gives the device."""
    training = {module: module.training for module in model.modules()}
    if device is not None:
        model.to(device)
    held = next(chain(model.parameters(), model.buffers()), torch.empty(0))
    model.eval()
    try:
        yield held.device if device is None else torch.device(device)
    finally:
        for module, mode in training.items():
            module.training = mode
