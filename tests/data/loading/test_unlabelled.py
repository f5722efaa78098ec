"""Songs without stems: which part is remixed with which stem, that nothing else changes, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from msbench.data.layouts.musdb18hq import MUSDB18HQ
from msbench.data.loading.chunks import ChunkDataset
from msbench.data.loading.effects import effects_of
from msbench.data.loading.module import SeparationData
from msbench.data.loading.unlabelled import RemixedBatch, RemixedChunks
from msbench.data.track import Track
from tests.data.loading.test_chunks import chunks_of
from tests.data.songs import RATE, STEMS, noise, write, write_musdb18hq

CHUNK_SECONDS = 0.05
SAMPLES = 400
COUNT = 150
SILENT = {
    "a.wav": {"vocals": [[0.1, 0.2], [0.5, 0.54]], "drums": [[0.0, 0.02]], "bass": [], "other": []},
    "more/b.wav": {"vocals": [[0.7, 1.0]], "drums": [], "bass": [[0.25, 0.4]], "other": []},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_musdb18hq(tmp_path_factory.mktemp("labelled") / "hq")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    for seed, name in enumerate(SILENT, 100):
        write(folder / name, noise(seed))
    write_list(folder, SILENT)
    return folder


def write_list(folder: Path, silent: dict[str, Any], targets: tuple[str, ...] = STEMS) -> None:
    songs = {
        name: {"state": {"bytes": (folder / name).stat().st_size}, "seconds": 1.0, "silent": spans}
        for name, spans in silent.items()
    }
    (folder / "silences.json").write_text(json.dumps({"targets": targets, "songs": songs}))


def labelled(root: Path, targets: tuple[str, ...] = STEMS, channels: int = 2, **options: Any) -> ChunkDataset:
    tracks = [song for song in MUSDB18HQ(root).tracks("train") if isinstance(song, Track)]
    chunks: ChunkDataset = chunks_of(tracks, targets, CHUNK_SECONDS, seed=3, channels=channels, **options)
    return chunks


def assert_equal(first: RemixedBatch, second: RemixedBatch) -> None:
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


AUGMENTED = {"remix": True, "gain_db": (-6.0, 3.0), "channel_swap": True, "polarity": True}


@pytest.mark.parametrize("options", [{}, AUGMENTED], ids=["plain", "augmented"])
def test_a_remixed_chunk_is_a_stem_and_a_part_without_it(root: Path, folder: Path, options: dict[str, Any]) -> None:
    plain = labelled(root, **options)
    chunks = RemixedChunks(plain, folder, 0.5)
    songs = {name: soundfile.read(folder / name, dtype="float32")[0].T for name in SILENT}
    starts: dict[tuple[str, str], set[int]] = {}
    for number in range(COUNT):
        mixture, references, known = chunks[number]
        torch.testing.assert_close(mixture, references.sum(0), rtol=0, atol=1e-6)
        if known < 0:
            assert_equal(chunks[number], RemixedBatch(*plain[number], known))
            continue
        target = STEMS[known]
        assert torch.equal(references[known], plain[number].references[known])
        (rest,) = [reference for i, reference in enumerate(references) if i != known and reference.any()]
        found = 0
        for name, song in songs.items():
            for start in np.flatnonzero(song[0] == rest[0, 0].item()):
                if not np.array_equal(song[:, start : start + SAMPLES], rest.numpy()):
                    continue
                starts.setdefault((name, target), set()).add(int(start))
                found += 1
        assert found == 1
    assert starts.keys() == {("a.wav", "vocals"), ("more/b.wav", "vocals"), ("more/b.wav", "bass")}
    assert all(800 <= start <= 1200 for start in starts["a.wav", "vocals"])
    assert all(5600 <= start <= 7600 for start in starts["more/b.wav", "vocals"])
    assert all(2000 <= start <= 2800 for start in starts["more/b.wav", "bass"])
    assert all(max(places) - min(places) > 150 for places in starts.values())


def test_effects_on_mixtures_change_remixed_ones_too(root: Path, folder: Path) -> None:
    effects = effects_of({"noise": {"share": 1, "stems": ["mixture"]}})
    plain, chunks = (RemixedChunks(labelled(root, effects=x), folder, 0.5) for x in ((), effects))
    for number in range(8):
        assert torch.equal(chunks[number].references, plain[number].references)
        assert 0 < (chunks[number].mixture - plain[number].mixture).abs().max() < 0.1


def test_share_and_targets_are_even(root: Path, folder: Path) -> None:
    chunks = RemixedChunks(labelled(root), folder, 0.25)
    known = [int(chunks[number].known) for number in range(800)]
    assert 160 < sum(i >= 0 for i in known) < 240
    assert 70 < known.count(STEMS.index("vocals")) < 130
    assert 70 < known.count(STEMS.index("bass")) < 130


def test_a_chunk_is_a_function_of_its_number(root: Path, folder: Path) -> None:
    first, second = (RemixedChunks(labelled(root, **AUGMENTED), folder, 0.5) for _ in range(2))
    for number in (7, 3, 7, 0):
        second[number + 1]
        assert_equal(first[number], second[number])


def test_another_rate_and_channel_count(root: Path, folder: Path) -> None:
    song = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)  # 1 s at 16 kHz, mono
    soundfile.write(folder / "a.wav", song, 16000, subtype="FLOAT")
    write_list(folder, {"a.wav": {"vocals": [[0.5, 1.0]]}}, ("vocals",))
    chunks = RemixedChunks(labelled(root, ("vocals",)), folder, 0.5)
    known = next(chunk for chunk in map(chunks.__getitem__, range(20)) if chunk.known >= 0)
    rest = (known.mixture - known.references[0])[:, 10:-10].numpy()
    assert known.references.shape == (1, 2, SAMPLES)
    spectrum = np.abs(np.fft.rfft(rest[0] * np.hanning(rest.shape[1])))
    assert abs(np.argmax(spectrum) * RATE / rest.shape[1] - 440) < 25
    assert np.allclose(rest[0], rest[1], atol=1e-6)


def test_one_bad_file_does_not_end_a_training(root: Path, folder: Path) -> None:
    plain = labelled(root)
    chunks = RemixedChunks(plain, folder, 0.9)
    number = next(n for n in range(20) if chunks[n].known >= 0)
    for name in SILENT:
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"wav .*; until then a labelled chunk takes its place"):
        assert_equal(chunks[number], RemixedBatch(*plain[number], torch.tensor(-1)))


# Refusals


def test_refusals(root: Path, folder: Path) -> None:
    def refused(match: str, kind: type[Exception] = ValueError, **options: Any) -> None:
        with pytest.raises(kind, match=match) as raised:
            RemixedChunks(labelled(root, **options), folder, 0.5)
        assert "\n" not in str(raised.value)

    refused(
        "needs one target, or targets that add up to the mixture: vocals, drums do not", targets=("vocals", "drums")
    )
    write_list(folder, SILENT, ("vocals", "drums"))
    refused("knows the silences of vocals, drums, not of the model's target 'bass': make it again")
    write_list(folder, {"a.wav": {target: [[0.5, 0.54]] if target == "bass" else [] for target in STEMS}})
    refused(r"longest silence is 0.04 s \(bass\), so shorten data.chunk_seconds, list them with a higher")
    write_list(folder, SILENT)
    (folder / "a.wav").write_bytes(b"another")
    refused(r"a.wav is missing, or not the file that silences.json tells of", FileNotFoundError)
    (folder / "a.wav").unlink()
    refused(r"a.wav is missing", FileNotFoundError)
    (folder / "silences.json").write_text('{"songs": []}')
    refused("silences.json cannot be read: delete it and run `msbench data silences` again")
    (folder / "silences.json").unlink()
    refused("has no silences.json: make it with `msbench data silences CHECKPOINT", FileNotFoundError)
    folder.rename(folder.with_name("gone"))
    refused("data.unlabelled: no folder .*songs: correct the path", FileNotFoundError)


def test_a_channel_count_that_cannot_be_made(root: Path, folder: Path) -> None:
    soundfile.write(folder / "a.wav", np.zeros((RATE, 3)), RATE)
    write_list(folder, SILENT)
    with pytest.raises(ValueError, match=r"track 'a.wav' of split 'unlabelled' has 3 channels and the model 2"):
        RemixedChunks(labelled(root), folder, 0.5)


# Batches


def data_of(root: Path, **options: Any) -> SeparationData:
    settings: dict[str, Any] = {
        "dataset": "musdb18hq",
        "root": root,
        "targets": list(STEMS),
        "sample_rate": RATE,
        "channels": 2,
        "chunk_seconds": CHUNK_SECONDS,
        "chunks_per_epoch": 16,
        "batch_size": 4,
    }
    return SeparationData(**(settings | options))


def test_workers_change_nothing(root: Path, folder: Path) -> None:
    batches = {}
    for workers in (0, 2):
        data = data_of(root, unlabelled=folder, unlabelled_share=0.5, workers=workers)
        data.setup("fit")
        batches[workers] = [RemixedBatch(*batch) for batch in data.train_dataloader()]
        data.teardown("fit")
    for one, two in zip(batches[0], batches[2], strict=True):
        assert_equal(one, two)
    known = torch.cat([batch.known for batch in batches[0]])
    assert known.shape == (16,)
    assert 0 < (known >= 0).sum() < 16


def test_without_it_all_is_as_it_was(root: Path, folder: Path) -> None:
    plain, remixed = data_of(root), data_of(root, unlabelled=folder)
    for data in (plain, remixed):
        data.setup("fit")
    assert all(len(batch) == 2 for batch in plain.train_dataloader())
    assert all(len(batch) == 2 for batch in remixed.val_dataloader())
    assert plain.training_data().keys() == {"datasets", "tracks", "hours", "dropped"}
    described = remixed.training_data()
    assert described["datasets"] == ["musdb18hq", "songs (unlabelled)"]
    assert described["unlabelled_hours"] == pytest.approx(2 / 3600, abs=1e-4)
    assert described["hours"] == plain.training_data()["hours"]


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_share_is_between_0_and_1(root: Path, share: float) -> None:
    with pytest.raises(ValueError, match=r"data\.unlabelled_share must be above 0 and below 1, not"):
        data_of(root, unlabelled_share=share)


def test_a_second_setup_refuses_again(root: Path, tmp_path: Path) -> None:
    data = data_of(root, unlabelled=tmp_path / os.urandom(4).hex())
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match=r"data\.unlabelled: no folder"):
            data.setup("fit")


def test_a_slip_takes_no_labelled_chunk(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = RemixedChunks(labelled(root), folder, 0.999)
    original = Track.read

    def slip(track: Track, *at: Any) -> np.ndarray:
        return np.zeros(3).reshape(2, 2) if track.split == "unlabelled" else original(track, *at)

    monkeypatch.setattr(Track, "read", slip)
    with pytest.raises(ValueError, match="cannot reshape"):
        chunks[0]
