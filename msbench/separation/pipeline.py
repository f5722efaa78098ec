"""Separation of any audio with any separator: whatever the length, rate and channel count, in bounded memory.

One pipeline of generators serves arrays and files. Blocks of samples are resampled to the model's rate as a stream,
cut into overlapping chunks of one size, separated, joined by crossfades, and resampled back to exactly the length of
the input. A model whose `chunking` is "song" gets the whole as one chunk; its memory grows with the song, and a song
that does not fit is refused before it is separated. For one that `normalizes_songs`, a song is read to its end before
the first chunk. Each model of an ensemble has a pipeline of its own; what they give is combined as a stream. Between
the model's calls everything is float32 numpy; shapes use the letters of `msbench.model.separator`, and G = 1 for a
mixture alone or 1 + S where an oracle's references travel with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msbench.audio.reading import BLOCK_FRAMES
from msbench.audio.spool import Spool
from msbench.audio.streams import resampled
from msbench.model.separator import Separator
from msbench.separation.chunks import ChunkPlan, Piece, Placed, chunks, whole
from msbench.separation.inference import DEFAULTS, Inference
from msbench.separation.input_stream import CheckedBlocks, InputStream
from msbench.separation.joining import joined
from msbench.separation.model_calls import adaptation, estimates_of, evaluating
from msbench.separation.normalization import NormalizedSong
from msbench.separation.output import Output
from msbench.separation.passes import aligned, averaged, passes_of
from msbench.system.memory import free_bytes

COMBINED_SECONDS = 3.0  # at a time, of the estimates of an ensemble's models

Progress = Callable[[float, float | None], None]  # (seconds done, seconds in all where known)


def separate(
    model: Separator,
    mixture: Tensor | np.ndarray,
    sample_rate: int,
    *,
    references: Tensor | np.ndarray | None = None,
    two_stems: str | None = None,
    residual: str | None = None,
    progress: Progress | None = None,
    **inference: Any,
) -> dict[str, Tensor]:
    """Separate a waveform of any length, rate and channel count.

    A mono model takes each channel by itself, which keeps the stereo image; a stereo model takes a mono signal twice,
    and the mean of its two channels is the estimate. `adaptation` says what is done.

    Args:
        model: In evaluation mode while it runs.
        mixture: (C, T), or (T,) for mono; floating point, full scale at one.
        sample_rate: Of the mixture, in Hz.
        references: (S, C, T) in the order of the model's targets; used by oracles (`needs_references`) alone.
        two_stems: A target that is given with all the rest of the mixture, "no_<target>", in place of all targets.
        residual: Name of one more stem, the mixture less all estimates.
        progress: Called with the seconds done and the seconds in all.
        inference: How the model is run, the fields of `Inference`: `chunk_seconds` (10.0), `overlap` (0.25), `window`
            ("crossfade"), `shifts` (0), `tta` (none), `precision` ("float32"), `compile` (False), `batch_size` (1) and
            `device` (where the model is).

    Returns:
        {target: (C, T)}, on the CPU; with `two_stems` or `residual` their stems too.

    Raises:
        ValueError: If an argument is out of its range, a sample is not finite, the shapes do not fit, or the model
            cannot be adapted to the channel count.
        TypeError: If a keyword is unknown.
    """
    chosen = Inference.of(inference, others=("references", "two_stems", "residual", "progress"))
    output = Output(two_stems=two_stems, residual=residual)
    signal = _signal(mixture, "the mixture", 1)
    if model.needs_references and references is not None:
        stems = _signal(references, "the references", len(model.targets))
        if stems.shape[1:] != signal.shape[1:]:
            raise ValueError(f"references {stems.shape} do not fit a mixture {signal.shape[1:]}: give (S, C, T)")
        signal = np.concatenate([signal, stems])
    channels, time = signal.shape[1:]
    blocks = (signal[..., start : start + BLOCK_FRAMES] for start in range(0, time, BLOCK_FRAMES))
    seconds = time / sample_rate if sample_rate > 0 else None
    stream = InputStream(blocks, sample_rate, channels, seconds)
    estimates = {stem: torch.empty(channels, time) for stem in output.stems(model.targets)}
    done = 0
    for block in separate_blocks(model, stream, chosen, progress):
        here = slice(done, done + next(iter(block.values())).shape[-1])
        for stem, samples in output.parts(signal[0, :, here], block).items():
            estimates[stem][:, here] = torch.from_numpy(samples)
        done = here.stop
    return estimates


def separate_blocks(
    model: Separator, stream: InputStream, inference: Inference = DEFAULTS, progress: Progress | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Separate a stream: what `separate` and `separate_files` run on.

    Args:
        model: As for `separate`.
        stream: The mixture, with the references where the model needs them.
        inference: How the model is run.
        progress: Called with the seconds done, and the seconds in all where they are known.

    Returns:
        An iterator of {target: (C, frames)} in order, in all as many frames as came in.

    Raises:
        ValueError: As for `separate`; at once for an argument, while iterating for the samples.
    """
    rate = stream.sample_rate
    adaptation(model, rate, stream.channels)  # a model that cannot take these channels is refused here, not at a chunk
    plan = ChunkPlan.of(model, inference.chunk_seconds, inference.overlap, inference.window)
    passes = [] if model.combines() else passes_of(model, stream.channels, inference)
    source = CheckedBlocks(stream)

    def separated() -> Iterator[dict[str, np.ndarray]]:
        with evaluating(model, inference.device) as device:

            def stems_of(song: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
                if model.chunking == "song":
                    pieces = whole(_fitting(song, model, stream, len(passes)))
                    return (estimate for _, estimate in estimates_of(model, pieces, inference, device))
                return joined(estimates_of(model, chunks(song, plan), inference, device), plan)

            samples = resampled(source, rate, model.sample_rate)
            if model.combines():
                stems = _combined(model, samples, stream, inference, device)
            elif model.normalizes_songs:
                song = NormalizedSong(samples)
                stems = song.restored(averaged(song, passes, stems_of))
            else:
                stems = averaged(samples, passes, stems_of)
            done = 0
            for block in _as_long_as(source, resampled(stems, model.sample_rate, rate)):
                yield dict(zip(model.targets, block, strict=True))
                done += block.shape[-1]
                if progress:  # once the source has ended its length is known, whatever a header said
                    progress(done / rate, source.samples / rate if source.ended else stream.seconds)

    return separated()


def _combined(
    model: Separator, song: Iterator[np.ndarray], stream: InputStream, inference: Inference, device: torch.device
) -> Iterator[np.ndarray]:
    """Estimates (S, C, frames) of an ensemble: each of its models separates the song (1, C, frames) as it does alone.

    Args:
        model: The ensemble.
        song: At its rate.
        stream: What the song comes from.
        inference: How each model is run.
        device: Where the ensemble is.
    """

    def combined(piece: Piece) -> Placed:
        estimates = torch.from_numpy(piece.samples).to(device)
        with torch.inference_mode():
            return piece.start, model.combined(estimates.split(counts)).to("cpu", torch.float32).numpy()

    members = model.combines()
    counts = [len(member.targets) for member in members]
    # On the grid of frames, as bins of spectra may be combined: those within an eighth of a chunk from its ends are
    # left out, since they see zeros there.
    step = max(1, round(COMBINED_SECONDS / 2 * model.sample_rate) // model.stride_samples) * model.stride_samples
    plan = ChunkPlan(2 * step, step, model.stride_samples)
    with Spool() as spool:
        copies = [replace(stream, blocks=spool.copy(song), sample_rate=model.sample_rate) for _ in members]
        own = inference.within(model)
        found = [_stacked(member, each, own) for member, each in zip(members, copies, strict=True)]
        together = (np.concatenate(blocks) for blocks in aligned(found))
        yield from joined(map(combined, chunks(together, plan)), plan)


def _stacked(model: Separator, stream: InputStream, inference: Inference) -> Iterator[np.ndarray]:
    """The estimates (S, C, frames) of a model, in blocks as short as those of its input: chunks are long to hold."""
    for block in separate_blocks(model, stream, inference):
        stems = [block[target] for target in model.targets]
        for start in range(0, stems[0].shape[-1], BLOCK_FRAMES):
            yield np.stack([stem[:, start : start + BLOCK_FRAMES] for stem in stems])


def _fitting(blocks: Iterable[np.ndarray], model: Separator, stream: InputStream, passes: int) -> Iterator[np.ndarray]:
    """Pass on the blocks (G, C, frames) of a song that is taken whole, as long as there is memory for all of it."""
    free = free_bytes()
    frames, expected = 0, 0 if stream.seconds is None else round(stream.seconds * model.sample_rate)
    for block in blocks:
        frames += block.shape[-1]
        rows = (block.shape[0] + len(model.targets)) * block.shape[1]
        # Each further pass keeps its song and its estimates until the mean is made.
        needed = (model.song_memory + passes - 1) * np.dtype(np.float32).itemsize * rows * max(frames, expected)
        if free is not None and needed > free:
            seconds = max(frames, expected) / model.sample_rate
            raise ValueError(
                f"{type(model).__name__} takes a song whole, and {stream.name} of {seconds:.0f} s needs some "
                f"{needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free: cut it into parts, run fewer "
                "jobs, or use a machine with more memory"
            )
        yield block


def _signal(waveform: Tensor | np.ndarray, name: str, stems: int) -> np.ndarray:
    """A waveform (C, T), (T,) or (stems, C, T) as a float32 array (stems, C, T)."""
    given = waveform.detach().cpu().numpy() if isinstance(waveform, Tensor) else np.asarray(waveform)
    if given.dtype.kind != "f":
        raise ValueError(f"{name} must be floating point with a full scale of one, not {given.dtype}")
    samples = np.atleast_2d(given)[np.newaxis] if stems == 1 and given.ndim < 3 else given
    if samples.ndim != 3 or samples.shape[0] != stems or 0 in samples.shape:
        shape = "(C, T)" if stems == 1 else f"({stems}, C, T)"
        raise ValueError(f"{name} must be {shape} with at least one sample, not {given.shape}")
    # soundfile and librosa give (T, C): taken as it is, each sample would be a channel.
    if samples.shape[1] > max(samples.shape[2], 64):
        raise ValueError(f"{name} of shape {given.shape} has more channels than samples: transpose it to (C, T)")
    return samples.astype(np.float32, copy=False)


def _as_long_as(source: CheckedBlocks, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut what resampling back gives beyond the input's length, a sample or so, and skip empty blocks."""
    done = 0
    for block in blocks:
        left = max(0, source.samples - done) if source.ended else None  # until then the output lags behind
        kept = block[..., :left]
        done += kept.shape[-1]
        if kept.shape[-1]:
            yield kept
