"""MIR-1K in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msbench.data.opening import open_dataset
from msbench.data.upkeep.prepare import plan
from msbench.evaluation.run import evaluate
from tests.data.layouts.published import FRAMES, names, samples, store, write_mir1k
from tests.data.songs import noise

AT_0_DB = "targets: {vocals: [voice], accompaniment: [music]}\noptions: {at_0_db: true}\n"


def test_mir1k(tmp_path: Path) -> None:
    data = open_dataset("mir1k", write_mir1k(tmp_path / "MIR-1K"))
    found = names(data)
    assert found["train"] == ["abjones_1_01", "amy_1_01"]
    assert found["valid"] == ["abjones_5_08", "amy_9_09"]
    assert found["test"] == ["Kenshin_1_01", "ariel_2_07"]
    assert len(found["all"]) == 6
    assert data.tracks("all")[0].sample_rate == 16000


def test_mir1k_mixed_at_0_db(tmp_path: Path) -> None:
    root = write_mir1k(tmp_path / "MIR-1K")
    store(root / "Wavfile" / "amy_2_01.wav", noise(9, FRAMES) * np.array([1, 0], np.int16), 16000)  # she does not sing
    raw = open_dataset("mir1k", root)
    assert raw.version == "1"
    raw_fingerprint = raw.fingerprint("test")
    (root / "stem_map.yaml").write_text(AT_0_DB)
    data = open_dataset("mir1k", root)
    assert data.version == "1 at 0 dB"
    assert data.targets == raw.targets == ("vocals", "accompaniment")
    assert data.fingerprint("test") != raw_fingerprint
    for track, as_recorded in zip(data.tracks("all"), raw.tracks("all"), strict=True):
        voice, music = track.read("vocals"), track.read("accompaniment")
        np.testing.assert_array_equal(voice, as_recorded.read("vocals"))
        assert track.name == "amy_2_01" or np.sum(voice**2) == pytest.approx(np.sum(music**2), rel=1e-5)
        np.testing.assert_allclose(track.read("mixture"), voice + music, atol=1e-6)
    silent = next(track for track in data.tracks("train") if track.name == "amy_2_01")
    assert np.any(silent.read("accompaniment"))
    prepared = plan(data, tmp_path / "prepared").run(progress=lambda done, total: None)
    assert (prepared.version, prepared.fingerprint("test")) == (data.version, data.fingerprint("test"))
    first = prepared.tracks("test")[0]
    np.testing.assert_allclose(first.read("accompaniment"), data.tracks("test")[0].read("accompaniment"), atol=1e-6)


def test_mir1k_0db_is_mixed_as_huang_et_al(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their code divides both channels by their norms and adds them: s1./sqrt(sum(s1.^2)) + s2./sqrt(sum(s2.^2))."""
    write_mir1k(tmp_path / "mir1k")
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path))  # found where mir1k is
    data = open_dataset("mir1k_0db")
    raw = open_dataset("mir1k")
    assert (data.name, data.version, raw.version) == ("mir1k_0db", "1 at 0 dB", "1")
    assert data.fingerprint("test") != raw.fingerprint("test")
    for track in data.tracks("all"):
        music, voice = samples(tmp_path / "mir1k" / "Wavfile" / f"{track.name}.wav").astype(float)
        theirs = voice / np.sqrt(np.sum(voice**2)) + music / np.sqrt(np.sum(music**2))
        np.testing.assert_allclose(track.read("mixture")[0], np.sqrt(np.sum(voice**2)) * theirs, atol=1e-6)
        assert np.sum(track.read("vocals") ** 2) == pytest.approx(np.sum(track.read("accompaniment") ** 2), rel=1e-5)


def test_records_say_that_mir1k_was_mixed_at_0_db(tmp_path: Path) -> None:
    """The mixture as the estimate is at 0 dB SNR to either, then."""
    record = evaluate("mixture", "mir1k_0db", root=write_mir1k(tmp_path / "MIR-1K"), metrics=["snr"])
    assert (record["dataset"]["name"], record["dataset"]["version"]) == ("mir1k_0db", "1 at 0 dB")
    scores = [score for track in record["scores"].values() for score in track.values()]
    ratios = [value for score in scores for metric, value in score.items() if metric.startswith("snr")]
    assert len(ratios) == 4  # two clips of two targets
    np.testing.assert_allclose(ratios, 0, atol=1e-4)


def test_mir1k_at_0_db_with_a_broken_clip(tmp_path: Path) -> None:
    root = write_mir1k(tmp_path / "MIR-1K")
    (root / "stem_map.yaml").write_text(AT_0_DB)
    (root / "Wavfile" / "ariel_2_07.wav").write_bytes(b"not audio")
    tracks, faults = open_dataset("mir1k", root).readable_tracks("test")
    assert [track.name for track in tracks] == ["Kenshin_1_01"]
    assert list(faults) == ["ariel_2_07"]


def test_mir1k_channels(tmp_path: Path) -> None:
    data = open_dataset("mir1k", write_mir1k(tmp_path / "MIR-1K"))
    music, voice = samples(data.root / "Wavfile" / "Kenshin_1_01.wav")
    track = next(track for track in data.tracks("test") if track.name == "Kenshin_1_01")
    np.testing.assert_array_equal(track.read("vocals"), voice[None])
    np.testing.assert_array_equal(track.read("accompaniment"), music[None])
