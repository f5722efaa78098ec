"""The demo set: 14 short songs composed and synthesized here from a seed, in the folder layout of MUSDB18-HQ.

    root/{train,valid,test}/<song>/{mixture,drums,bass,other,vocals}.wav

Each song has its own key, mode, tempo, chords, drum pattern, bass line, melody, timbres, panning and levels; it
depends on (seed, song) alone. The mixture is the sum of the four stems to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from msbench.data.demo.instruments import CHORD_STYLES, Hit, Note, bass, chords, drums, voice
from msbench.system.bounded import read_json
from msbench.system.files import part_of
from msbench.system.threads import processors

VERSION = 1  # raise with every change that can be heard
SAMPLE_RATE = 44100
SONG_SECONDS = 12.0  # rounded to whole bars
STEMS = ("drums", "bass", "other", "vocals")
MANIFEST = "demo.json"
SONGS = (
    ("train", "Amber Ferry - Paper Lanterns"),
    ("train", "Copper Orchard - Second Tide"),
    ("train", "Fern & Gable - Slow Arithmetic"),
    ("train", "Granite Choir - Little Engines"),
    ("train", "Harbour Moths - Window Seat"),
    ("train", "Juniper Static - Borrowed Coat"),
    ("train", "Kite Season - Northbound"),
    ("train", "Lowland Radio - Salt and Cinder"),
    ("valid", "Marble Foxes - Half the Moon"),
    ("valid", "Ninth Meadow - Tin Roof"),
    ("test", "Opal Transit - Glass Weather"),
    ("test", "Quiet Turbines - Ladder Song"),
    ("test", "Rook Parade - Easy Gravity"),
    ("test", "Velvet Tram - Morning Arcade"),
)

MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10)}
PROGRESSIONS = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 5, 4), (0, 2, 3, 4), (3, 0, 4, 5), (0, 6, 5, 6))
# One bar of sixteen steps: x loud, o soft, . silent.
DRUM_PATTERNS = (
    {"kick": "x.......x.x.....", "snare": "....x.......x..o", "hat": "x.o.x.o.x.o.x.o."},
    {"kick": "x...x...x...x...", "snare": "....x.......x...", "hat": "o.x.o.x.o.x.o.x."},
    {"kick": "x..x......x.....", "snare": "....x..o.o..x...", "hat": "xoxoxoxoxoxoxoxo"},
    {"kick": "x.....x...x.....", "snare": "....x.......x...", "hat": "x.xxx.xxx.xxx.xx"},
    {"kick": "x..x..x...x..x..", "snare": "....x.......x.o.", "hat": "x.o.x.o.x.o.x.o."},
)
# Strokes of one bar: (step, length in steps, scale degrees above the chord's root).
BASS_LINES = (
    tuple((step, 2, 0) for step in range(0, 16, 2)),
    ((0, 6, 0), (6, 2, 0), (8, 4, 0), (12, 4, 4)),
    ((0, 3, 0), (3, 3, 0), (6, 2, 4), (8, 3, 0), (11, 3, 0), (14, 2, 2)),
    ((0, 4, 0), (4, 4, 2), (8, 4, 4), (12, 4, 2)),
    ((0, 8, 0), (8, 6, 0), (14, 2, 4)),
)
# Syllables of two sung bars: (step of 32, length in steps); what is left at the end is for breathing.
PHRASES = (
    ((0, 4), (4, 2), (6, 6), (12, 4), (16, 4), (20, 4), (24, 5)),
    ((0, 2), (2, 2), (4, 4), (8, 8), (16, 2), (18, 2), (20, 9)),
    ((2, 2), (4, 4), (8, 3), (11, 5), (16, 6), (22, 2), (24, 6)),
    ((0, 6), (6, 2), (8, 4), (12, 3), (16, 3), (19, 3), (22, 8)),
)


@dataclass(frozen=True)
class Composition:
    """What a composer fixes before the first note."""

    key: int  # MIDI pitch class of the tonic
    scale: tuple[int, ...]
    step_seconds: float  # a sixteenth
    bars: int
    degrees: tuple[int, ...]  # of the chords, one a bar, repeated
    style: str  # of the chords

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.bars * 16 * self.step_seconds

    def pitch_class(self, degree: int) -> int:
        return self.key + self.scale[degree % 7]

    def bar_chords(self) -> Iterator[tuple[float, int]]:
        """Start in seconds and scale degree of each bar's chord."""
        for bar in range(self.bars):
            yield bar * 16 * self.step_seconds, self.degrees[bar % len(self.degrees)]


def write_demo(root: Path, *, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the demo set to the folder `root`; return at once if it is there already.

    Args:
        root: A folder that does not exist yet, is empty, or holds this very set.
        seed: Every song follows from it.
        progress: Called with (songs written, songs in all) after each song.

    Returns:
        root

    Raises:
        FileExistsError: If something else is at `root`.
    """
    root = Path(root)
    if _is_complete(root, seed):
        return root
    with part_of(root) as part:
        # Threads: NumPy and libsndfile release the lock, and a spawned process would import the caller's script again.
        with ThreadPoolExecutor(min(4, processors())) as pool:
            songs = [pool.submit(write_song, part, index, seed=seed) for index in range(len(SONGS))]
            try:
                for done, song in enumerate(songs, 1):
                    song.result()
                    if progress is not None:
                        progress(done, len(songs))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        files = {str(path.relative_to(part)): path.stat().st_size for path in sorted(part.rglob("*.wav"))}
        manifest = {"version": VERSION, "seed": seed, "bytes": files}
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        _move(part, root, seed)
    return root


def write_song(root: Path, index: int, *, seed: int = 0) -> Path:
    """Write song `index` of `SONGS` below `root`; its folder."""
    split, name = SONGS[index]
    folder = root / split / name
    folder.mkdir(parents=True, exist_ok=True)
    for stem, samples in song_stems(index, seed=seed).items():
        soundfile.write(folder / f"{stem}.wav", samples, SAMPLE_RATE, subtype="PCM_16")
    return folder


def song_stems(index: int, *, seed: int = 0) -> dict[str, NDArray[np.int16]]:
    """The mixture and the stems of song `index` of `SONGS`, each (time, channels) as written to the files."""
    streams = SeedSequence(seed, spawn_key=(index,)).spawn(6)
    composer, drummer, bassist, band, singer, engineer = map(default_rng, streams)
    song = _compose(index, composer)
    length = song.duration
    stems = {
        "drums": drums(_drum_part(song, drummer), length, SAMPLE_RATE, drummer),
        "bass": bass(_bass_part(song, bassist), length, SAMPLE_RATE, bassist),
        "other": chords(_chord_part(song, band), song.style, length, SAMPLE_RATE, band),
        "vocals": voice(_voice_part(song, singer), length, SAMPLE_RATE, singer),
    }
    for stem in stems.values():
        np.multiply(stem, 10 ** (engineer.uniform(-1.5, 1.5) / 20) / np.sqrt(np.mean(stem**2)), out=stem)
        fade = np.linspace(1, 0, SAMPLE_RATE // 50, dtype=np.float32)
        np.multiply(stem[:, -fade.size :], fade, out=stem[:, -fade.size :])
    # One gain for all that keeps the mixture and each stem 1 dB below full scale.
    peak = max(float(np.abs(x).max()) for x in (*stems.values(), sum(stems.values())))
    scale = 10 ** (-1 / 20) * 32767 / peak
    pcm = {name: np.rint(stem.T * scale).astype(np.int16) for name, stem in stems.items()}
    return {"mixture": np.sum(list(pcm.values()), axis=0, dtype=np.int16), **pcm}


def _compose(index: int, rng: Generator) -> Composition:
    beats_per_minute = rng.uniform(88, 136)
    step = 60 / beats_per_minute / 4
    return Composition(
        key=int(rng.integers(12)),
        scale=MODES[str(rng.choice(list(MODES)))],
        step_seconds=step,
        bars=round(SONG_SECONDS / (16 * step)),
        degrees=PROGRESSIONS[rng.integers(len(PROGRESSIONS))],
        style=CHORD_STYLES[index % len(CHORD_STYLES)],  # each style is trained on, and tested
    )


def _drum_part(song: Composition, rng: Generator) -> list[Hit]:
    """A pattern with human timing, an open hat closing every other bar and a fill at the end."""
    pattern = DRUM_PATTERNS[rng.integers(len(DRUM_PATTERNS))]
    swing = rng.choice((0.0, 0.0, 0.2)) * song.step_seconds
    hits = []
    for bar in range(song.bars):
        for sound, steps in pattern.items():
            for step, mark in enumerate(steps):
                fill = bar == song.bars - 1 and step >= 12
                if mark == "." or (fill and sound != "kick"):
                    continue
                start = (16 * bar + step) * song.step_seconds + swing * (step % 2) + rng.normal(0, 0.003)
                played = "open_hat" if sound == "hat" and bar % 2 and step == 14 else sound
                hits.append(Hit(start, played, (1.0 if mark == "x" else 0.45) * rng.uniform(0.85, 1)))
    for step, sound in zip(range(12, 16), ("snare", "snare", "tom", "tom"), strict=True):
        hits.append(Hit((16 * (song.bars - 1) + step) * song.step_seconds, sound, rng.uniform(0.7, 1)))
    return hits


def _bass_part(song: Composition, rng: Generator) -> list[Note]:
    line = BASS_LINES[rng.integers(len(BASS_LINES))]
    lowest = 28  # E1, a bass guitar's
    notes = []
    for start, degree in song.bar_chords():
        for step, length, above in line:
            pitch = lowest + (song.pitch_class(degree + above) - lowest) % 12
            at, held = start + step * song.step_seconds, 0.95 * length * song.step_seconds
            notes.append(Note(at, held, pitch, rng.uniform(0.85, 1)))
    return notes


def _chord_part(song: Composition, rng: Generator) -> list[Note]:
    """Triads and sevenths in the closest position above a lowest note: held, struck, or broken."""
    lowest = int(rng.integers(52, 56))
    step = song.step_seconds
    seventh = rng.random() < 0.4
    order = rng.permutation((0, 1, 2, 3, 1, 2, 0, 3))
    notes = []
    for start, degree in song.bar_chords():
        degrees = (degree, degree + 2, degree + 4, degree + 6)[: 4 if seventh else 3]
        pitches = sorted(lowest + (song.pitch_class(d) - lowest) % 12 for d in degrees)
        if song.style == "pad":
            notes += [Note(start, 16 * step, pitch) for pitch in pitches]
        elif song.style == "organ":
            notes += [Note(start + at * step, held * step, p) for at, held in ((0, 6), (6, 10)) for p in pitches]
        elif song.style == "plucked":
            strum = [(at, i) for at in (0, 3, 6, 10, 12) for i in range(len(pitches))]
            notes += [Note(start + at * step + 0.012 * i, 4 * step, pitches[i], rng.uniform(0.7, 1)) for at, i in strum]
        else:
            ladder = [*pitches, *(p + 12 for p in pitches)]
            broken = [ladder[i] for i in (*order, *order[::-1])]
            notes += [Note(start + i * step, 3 * step, p, rng.uniform(0.7, 1)) for i, p in enumerate(broken)]
    return notes


def _voice_part(song: Composition, rng: Generator) -> list[Note]:
    """Phrases of two bars: small steps along the scale, chord tones on the beats, a breath at the end."""
    motifs = [PHRASES[i] for i in rng.permutation(len(PHRASES))[:2]]
    lowest = int(rng.integers(57, 62))
    ladder = [p for p in range(lowest, lowest + 15) if (p - song.key) % 12 in song.scale]
    place = len(ladder) // 2
    notes = []
    for phrase in range(-(-song.bars // 2)):
        for step, length in motifs[phrase % 2]:
            bar = 2 * phrase + step // 16
            if bar >= song.bars:
                break
            place = int(np.clip(place + rng.choice((-2, -1, -1, 0, 1, 1, 2)), 0, len(ladder) - 1))
            degree = song.degrees[bar % len(song.degrees)]
            tones = {song.pitch_class(degree + d) % 12 for d in (0, 2, 4)}
            if step % 4 == 0:
                place = min(range(len(ladder)), key=lambda i: (ladder[i] % 12 not in tones, abs(i - place)))
            start = (32 * phrase + step) * song.step_seconds
            notes.append(Note(start, length * song.step_seconds, ladder[place], rng.uniform(0.8, 1)))
    return notes


def _is_complete(root: Path, seed: int) -> bool:
    """Whether `root` holds this set; False where nothing is there yet.

    Raises:
        FileExistsError: If something else is there.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        manifest = read_json(root / MANIFEST)
        found = {name: (root / name).stat().st_size for name in manifest["bytes"]}
        if (manifest["version"], manifest["seed"], manifest["bytes"]) == (VERSION, seed, found):
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise FileExistsError(f"{root} exists and is not the demo set of seed {seed}: choose another folder, or remove it")


def _move(part: Path, root: Path, seed: int) -> None:
    try:
        part.rename(root)
    except OSError:
        if not _is_complete(root, seed):  # another process may have written the same set meanwhile
            raise
