"""One case of each kind that strangers' files are of: a mutated file, and the code of ours that reads it.

A case returns where the file was read; what it raises is judged by `refusal`.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import yaml

from msbench.audio.reading import AudioReader
from msbench.cluster.profile import read_profile
from msbench.data.opening import open_dataset
from msbench.records.record import read as read_record
from msbench.runs.naming import name_cells
from msbench.runs.suite_file import read_suite_file
from msbench.system import errors
from msbench.system.names import plain_name
from msbench.training.recipes import request
from tests.data.songs import noise, write, write_musdb18hq
from tests.hostile.mutations import ROOT, mutate, mutated_audio, mutated_bytes, mutated_table, mutated_yaml
from tests.leaderboard.boards import record

LONGEST_SENTENCE = 3000  # characters; errors.LONGEST of each part of it, and the place
SUITE = (
    (ROOT / "leaderboards" / "demo" / "suite.yaml").read_text()
    + """\
  - {recipe: unet_small, label: wide, set: {model.lr: 0.001, trainer.max_epochs: 2}, resources: {gpus: 1, hours: 2}}
  - {model: mixture, label: a}
  - &base {model: oracle_irm, label: b}
  - {<<: *base, label: c}
split: test
backend: fast
metrics: [si-sdr]
resources: {nodes: 1, cpus: 2}
roots: {demo: data}
"""
)
SWEEP = """\
datasets: [demo]
seeds: [0, 1]
inference: {overlap: 0.1}
models:
  - recipe: unet_small
    study: depth
    sweep:
      separator.depth: [3, 4]
      data.stretch: {none: null, some: [0.7, 1.3]}
      augmentation: {plain: {}, pitch: {data.pitch_semitones: [-2, 2], inference.overlap: 0.5}}
    zip: {data.batch_size: [4, 8], data.chunks_per_epoch: [120, 240]}
    label: 'd{separator.depth}-{data.stretch}-{augmentation}-{data.batch_size}'
    baseline: {separator.depth: 4, data.stretch: none, augmentation: plain, data.batch_size: 4}
    set: {trainer.max_epochs: 2}
  - {recipe: wave_unet_small, study: depth, label: other, inference: {chunk_seconds: 7}}
  - study: nets
    sweep:
      recipe: [unet_small, film_unet_small]
      inference.batch_size: {one: 1, two: 2}
    baseline: unet_small-batch_size_one
  - model: oracle_irm
    sweep: {separator.alpha: [1, 2.0]}
"""
PROFILE = (ROOT / "slurm" / "clusters" / "example.yaml").read_text()
RECIPE = (ROOT / "plugins" / "unet_small.yaml").read_text()


def refusal(call: Callable[[], object]) -> str | None:
    """The sentence of bad input that a call ends with, None where it ends well; any other error goes on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except Exception as error:
            if not errors.is_deliberate(error):
                raise
            sentence = errors.sentence(error)
            assert 0 < len(sentence) < LONGEST_SENTENCE
            assert sentence.isprintable()
            return sentence
    return None


def prepare(folder: Path) -> None:
    """What the cases of a folder change copies of."""
    for i, name in enumerate(("voice", "band")):
        write(folder / f"{name}.wav", noise(i, 800))
    write(folder / "song.flac", noise(2, 800))
    from msbench.data.upkeep.prepare import plan

    write_musdb18hq(folder / "hq", train=1, frames=800)
    plan(open_dataset("musdb18hq", folder / "hq"), folder / "fast").run(1)


def suite(rng: random.Random, folder: Path) -> None:
    path = folder / "suite.yaml"
    path.write_bytes(mutated_yaml(SUITE, rng))
    read_suite_file(path)
    name_cells(path)


def sweep(rng: random.Random, folder: Path) -> None:
    path = folder / "suite.yaml"
    if rng.random() < 0.3:
        path.write_bytes(mutated_yaml(SWEEP, rng))
    else:  # what is still YAML goes deeper
        made = yaml.safe_load(SWEEP)
        for _ in range(rng.choice((1, 1, 2, 4))):
            mutate(made["models"][rng.randrange(4)], rng)
        path.write_text(yaml.safe_dump(made, sort_keys=False, allow_unicode=True))
    file = read_suite_file(path)
    for study in file.studies:
        for label, factors in study.cells.items():
            plain_name(label, "the label")
            assert all(value is None or isinstance(value, str | int | float) for value in factors.values())
        assert study.baseline in study.cells
    name_cells(path)


def profile(rng: random.Random, folder: Path) -> None:
    path = folder / "profile.yaml"
    path.write_bytes(mutated_yaml(PROFILE, rng))
    read_profile(path)


def recipe(rng: random.Random, folder: Path) -> None:
    path = folder / "recipe.yaml"
    path.write_bytes(mutated_yaml(RECIPE, rng))
    request(["--config", str(path)])


def table(rng: random.Random, folder: Path) -> None:
    path = folder / "songs.csv"
    rows = [
        f"{split},song {i},{name},{name}.wav"
        for split in ("train", "test")
        for i in (1, 2)
        for name in ("voice", "band")
    ]
    path.write_bytes(mutated_table("\n".join(("split,track,target,path", *rows)), rng))
    data = open_dataset("folder", path)
    for split in data.splits:
        for track in data.tracks(split):
            for name in (split, track.name, *track.stems):
                plain_name(name, "the name", 240)


def prepared_list(rng: random.Random, folder: Path) -> None:
    path = folder / "fast" / "msbench-prepared.json"
    before = path.read_bytes()
    held = json.loads(before)
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutate(held, rng)
    content = json.dumps(held).encode()
    path.write_bytes(mutated_bytes(content, rng) if rng.random() < 0.2 else content)
    try:
        data = open_dataset("musdb18hq", folder / "fast")
        for split in data.splits:
            data.fingerprint(split)
            for track in data.tracks(split):
                assert all(file.resolve().is_relative_to(folder.resolve()) for file in track.files.values())
    finally:
        path.write_bytes(before)


def audio(rng: random.Random, folder: Path) -> None:
    source = folder / rng.choice(("voice.wav", "song.flac"))
    path = folder / f"odd{source.suffix}"
    path.write_bytes(mutated_audio(source.read_bytes(), rng))
    with AudioReader(path) as reader:
        for block in reader.blocks():
            assert block.shape[0] == reader.channels


def board_record(rng: random.Random, folder: Path) -> None:
    made = record("model")
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutate(made, rng)
    content = json.dumps(made).encode()
    path = folder / "record.json"
    path.write_bytes(mutated_bytes(content, rng) if rng.random() < 0.2 else content)
    read_record(path)


KINDS: dict[str, Callable[[random.Random, Path], None]] = {
    "suite": suite,
    "sweep": sweep,
    "profile": profile,
    "recipe": recipe,
    "table": table,
    "prepared list": prepared_list,
    "audio": audio,
    "record": board_record,
}
