"""`msbench data show`: the part asked for and no more, on true scales, whatever the track is called or holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from msbench.cli.app import main
from msbench.data.dataset import Dataset
from msbench.data.opening import open_dataset
from msbench.data.track import Track
from msbench.data.upkeep.figures import estimates_figure, find_track, save, shown_part, track_figure

RATE = 8000


def write(folder: Path, **stems: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, samples in stems.items():
        soundfile.write(folder / f"{stem}.wav", samples, RATE, subtype="FLOAT")


def tone(frames: int = 4 * RATE, hertz: float = 1000.0, level: float = 0.5) -> np.ndarray:
    return np.float32(level) * np.sin(2 * np.pi * hertz * np.arange(frames) / RATE).astype(np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "own" / "train" / "Old Song", voice=tone(), band=tone(hertz=300))
    write(tmp_path / "own" / "test" / "New Song", voice=tone(), band=tone(hertz=300))
    return tmp_path / "own"


def opened(root: Path) -> Dataset:
    return open_dataset("folder", root)


def drawn(root: Path, name: str, seconds: float = 1.0) -> Any:
    data = opened(root)
    track = find_track(data, name)
    return track_figure(data, track, shown_part(track, None, seconds))


def titles(figure: Any) -> list[str]:
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def spectra(figure: Any) -> list[np.ndarray]:
    return [axis.collections[0].get_array().reshape(1025, -1) for axis in figure.axes if axis.get_yscale() == "log"]


# The command


def test_command_writes_a_png(root: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "new" / "song.png"
    command = ["data", "show", "folder", "New Song", "--root", str(root), "--seconds", "0.5", "-o", str(path)]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in path.parent.iterdir()] == ["song.png"]


def test_command_draws_estimates(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["data", "show", "folder", "New Song", "--root", str(root), "--estimates", "estimates"]
    assert main(command) == 2, "no such folder"
    write(tmp_path / "estimates" / "test" / "New Song", voice=tone(level=0.4))
    assert main(command) == 0
    assert Path("folder-test-New Song.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Now Song"], "has no track 'Now Song'. Did you mean 'New Song'"),
        (["New Song", "--split", "train"], "split 'train' of dataset 'folder' at .* Did you mean 'Old Song'"),
        (["xyz"], "has no track 'xyz'. It has 2 others"),
        (["New Song", "--split", "tast"], "has no split 'tast': it has train, test"),
        (["New Song", "--seconds", "0"], "--seconds must be above 0, not 0"),
        (["New Song", "--seconds", "nan"], "--seconds must be above 0, not nan"),
        (["New Song", "--start", "4"], "--start must be within track 'New Song', from 0 to 4.00 s, not 4"),
        (["New Song", "--start", "-1"], "--start must be within .*, not -1"),
    ],
)
def test_bad_arguments(root: Path, arguments: list[str], sentence: str, capsys: Any) -> None:
    assert main(["data", "show", "folder", *arguments, "--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(sentence, error), error


def test_name_in_several_splits(root: Path) -> None:
    write(root / "train" / "New Song", voice=tone(), band=tone())
    with pytest.raises(ValueError, match="splits train, test each have a track 'New Song': choose with --split"):
        find_track(opened(root), "New Song")
    assert find_track(opened(root), "New Song", "test").split == "test"


def test_other_tracks_are_not_opened(root: Path) -> None:
    (root / "test" / "Broken").mkdir()
    for stem in ("voice", "band"):
        (root / "test" / "Broken" / f"{stem}.wav").write_bytes(b"")
    assert find_track(opened(root), "New Song").name == "New Song"
    with pytest.raises(ValueError, match="zero length"):
        find_track(opened(root), "Broken")


# The part


def test_part(root: Path) -> None:
    track = find_track(opened(root), "New Song")  # of 4 s
    assert shown_part(track, None, 1.0) == (12000, 20000)
    assert shown_part(track, None, 10.0) == (0, 32000)
    assert shown_part(track, 3.5, 1.0) == (28000, 32000)
    assert shown_part(track, 0.0, 1e-9) == (0, 1)


def test_no_more_is_read_than_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "test" / "Long", voice=tone(600 * RATE), band=tone(600 * RATE))
    read, asked = Track.read, []

    def watched(self: Track, target: str, start: int = 0, frames: int | None = None) -> np.ndarray:
        asked.append((start, frames))
        return read(self, target, start, frames)

    monkeypatch.setattr(Track, "read", watched)
    drawn(tmp_path, "Long", 2.0)
    around = 3 * 2048  # samples of the windows at both ends
    assert min(start for start, _ in asked) >= 299 * RATE - around
    assert max(start + frames for start, frames in asked) <= 301 * RATE + around
    asked.clear()
    drawn(tmp_path, "Long", 600.0)
    assert max(frames for _, frames in asked) < 300_000, "memory grows with the part"


# What is drawn


def test_levels_are_of_a_sine_of_full_scale(root: Path) -> None:
    figure = drawn(root, "New Song")
    assert titles(figure) == ["mixture", "band", "voice"]
    mixture, _, voice = spectra(figure)
    bin_of = round(1000 / (RATE / 2) * 1024)
    assert voice[bin_of].min() == pytest.approx(20 * np.log10(0.5), abs=0.05)
    assert voice[bin_of + 100].max() < -90
    assert mixture[bin_of].min() == pytest.approx(20 * np.log10(0.5), abs=0.1)
    scales = {
        collection.get_clim() for axis in figure.axes for collection in axis.collections if axis.get_yscale() == "log"
    }
    assert scales == {(-85.0, -5.0)}


def test_blocks_leave_no_seam(tmp_path: Path) -> None:
    write(tmp_path / "test" / "Song", voice=tone(30 * RATE), band=tone(30 * RATE))
    (_, _, voice) = spectra(drawn(tmp_path, "Song", 20.0))
    assert voice.shape == (1025, 800)
    assert voice[256].max() - voice[256].min() < 1e-3


def test_sdr_of_the_part(root: Path) -> None:
    data = opened(root)
    track = find_track(data, "New Song")
    made = np.stack([tone(hertz=300) * 0, tone(level=0.45)])[:, None]  # the band is missing, 10 % of the voice
    figure = estimates_figure(data, track, shown_part(track, 1, 2), ["band", "voice"], lambda a, b: made[..., a:b])
    assert "band: SDR 0.00 dB in this part" in titles(figure)
    assert "voice: SDR 20.00 dB in this part" in titles(figure)
    assert titles(figure).count("difference") == 2
    reference, estimate, difference = spectra(figure)[3:]
    np.testing.assert_allclose(difference[256], reference[256] - 20, atol=0.01)
    np.testing.assert_allclose(estimate[256], reference[256] + 20 * np.log10(0.9), atol=0.01)


def test_silence_and_equality_have_no_number(tmp_path: Path) -> None:
    write(tmp_path / "test" / "Song", voice=tone(), band=np.zeros(4 * RATE, np.float32))
    data = opened(tmp_path)
    track = find_track(data, "Song")
    assert titles(track_figure(data, track, (0, RATE))) == ["mixture", "band (silent)", "voice"]
    made = np.stack([tone(), tone()])[:, None]
    found = titles(estimates_figure(data, track, (0, RATE), ["band", "voice"], lambda a, b: made[..., a:b]))
    assert found[0] == "band: reference silent, no SDR"
    assert "voice: SDR infinite, no difference" in found


@pytest.mark.parametrize(
    ("name", "frames"), [("Änne – Über $x^2", 1), ("日本語", 40), ("A$AP and $B$", 2049), ("long " * 40, 4000)]
)
def test_any_name_and_length(tmp_path: Path, recwarn: Any, name: str, frames: int) -> None:
    write(tmp_path / "test" / name.strip(), voice=tone(frames), band=np.zeros(frames, np.float32))
    save(drawn(tmp_path, name.strip()), tmp_path / "song.png")
    assert not [str(warning.message) for warning in recwarn]


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    bad = tone()
    bad[2 * RATE] = np.nan
    write(tmp_path / "test" / "Song", voice=bad, band=tone())
    with pytest.raises(ValueError, match=r"mixture of 'Song' holds NaN or infinity near .* s: write the file again"):
        drawn(tmp_path, "Song")


def test_a_picture_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Failing:
        def savefig(self, path: Path, **options: Any) -> None:
            path.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save(Failing(), tmp_path / "song.png")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
