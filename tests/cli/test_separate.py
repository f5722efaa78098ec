"""`msbench separate` on several files: a bad one stops no other, and a bug is not taken for a bad file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import msbench
from msbench.cli.app import main

MODEL = '''
from msbench import Separator

class Tiny(Separator):
    """A tiny model."""

    trainable = False

    def __init__(self, targets=("voice", "band"), sample_rate=8000, channels=1):
        super().__init__(targets, sample_rate, channels)

    def forward(self, mixture):
        BODY
        return mixture.unsqueeze(1).expand(-1, 2, -1, -1)
'''


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name in ("a", "c"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * np.ones(8000), 8000)
    (tmp_path / "b.wav").write_bytes(b"no sound")
    return [str(tmp_path / f"{name}.wav") for name in "abc"]


def separate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, files: list[str]) -> int:
    (tmp_path / "tiny.py").write_text(MODEL.replace("BODY", body))
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))
    return main(["separate", "tiny", *files, "-o", str(tmp_path / "out"), "--device", "cpu"])


def stems(folder: Path) -> list[str]:
    return sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob("voice.wav"))


def test_a_bad_file_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nothing").mkdir()
    given = [str(tmp_path / "nothing"), str(tmp_path / "absent.wav"), *files]
    assert separate(tmp_path, monkeypatch, "pass", given) == 2
    nothing, absent, bad, last = capsys.readouterr().err.splitlines()
    assert nothing == f"msbench: {tmp_path / 'nothing'} holds no audio file: name the folder of the songs"
    assert absent == f"msbench: no audio file {tmp_path / 'absent.wav'}: correct the path"
    assert f"cannot read {tmp_path / 'b.wav'} as audio" in bad
    assert last == "msbench: 3 of 5 inputs failed, as listed above"
    assert stems(tmp_path / "out") == ["a", "c"]


@pytest.mark.parametrize("body", ["int('x')", "{}['voice']", "open('absent.wav')"])
def test_a_bug_of_a_model_is_no_bad_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    capsys: pytest.CaptureFixture[str],
    body: str,
) -> None:
    assert separate(tmp_path, monkeypatch, body, files) == 1
    assert "--debug" in capsys.readouterr().err


def test_debug_shows_where_each_file_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(tmp_path, monkeypatch, "int('x')", [*files, "--debug"]) == 1
    said = capsys.readouterr().err
    assert said.count("tiny.py") == 2
    assert "sndfile" in said


def test_a_bug_in_one_song_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "b.wav", np.zeros(800), 8000)
    assert separate(tmp_path, monkeypatch, "1 / int(mixture.shape[-1] > 800)", files) == 1
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"msbench: {tmp_path / 'b.wav'}: ZeroDivisionError")
    assert last == "msbench: 1 of 3 inputs failed, as listed above"
    assert stems(tmp_path / "out") == ["a", "c"]


def test_a_refusal_of_a_model_is_told_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(tmp_path, monkeypatch, "raise ValueError('too short')", files) == 2
    said = capsys.readouterr().err
    assert "3 of 3 inputs failed" in said
    assert f"msbench: {tmp_path / 'a.wav'}: too short\n" in said


def test_a_model_that_gives_nan_on_one_song(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "b.wav", np.zeros(8000), 8000)
    assert separate(tmp_path, monkeypatch, "mixture = mixture / mixture.abs().amax()", files) == 2
    assert f"msbench: {tmp_path / 'b.wav'}: Tiny gave NaN" in capsys.readouterr().err
    assert stems(tmp_path / "out") == ["a", "c"]


def test_names_that_a_terminal_cannot_show(tmp_path: Path, files: list[str]) -> None:
    """Neither in a terminal's encoding nor text at all, nor free of markup and escape sequences."""
    names = ["Café [bold].wav", os.fsdecode(b"latin\xe9.wav"), "red\x1b[31m.wav", "n" * 250 + ".wav", "...wav"]
    for name in names:
        (tmp_path / name).write_bytes((tmp_path / "a.wav").read_bytes())
    (tmp_path / os.fsdecode(b"bad\xe9.wav")).write_bytes(b"no sound")
    (tmp_path / "tiny.py").write_text(MODEL.replace("BODY", "pass"))
    given = [*files, *(tmp_path / name for name in [*names, os.fsdecode(b"bad\xe9.wav")])]
    command = [sys.executable, "-m", "msbench.cli", "separate", "tiny", *given, "-o", tmp_path / "out"]
    setting = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "MSBENCH_PLUGINS": tmp_path / "tiny.py"}
    done = subprocess.run(command, capture_output=True, env={**os.environ, **setting}, check=False)
    said = done.stderr.decode("ascii").splitlines()
    assert done.returncode == 2, said
    assert len(said) == 3
    assert "bad\\udce9.wav" in said[1]
    assert sorted(os.listdir(tmp_path / "out")) == sorted(["a", "c", *(Path(n).stem for n in names[:-1]), "...wav"])
    shown = done.stdout.decode("ascii").splitlines()
    assert len(shown) == 2 * (len(names) + 2)
    assert not any("\x1b" in line for line in shown)


def test_a_model_that_has_to_be_trained_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.py").write_text(MODEL.replace("trainable = False", "").replace("BODY", "pass"))
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))
    assert main(["separate", "tiny", files[0], "-o", str(tmp_path / "out")]) == 2
    sentence = "msbench: 'tiny' has to be trained first: give its checkpoint (msbench separate runs/.../best.ckpt), "
    sentence += "or published weights (msbench list weights)\n"
    assert capsys.readouterr().err == sentence
    assert not (tmp_path / "out").exists()


def test_an_oracle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    oracle = MODEL.replace("trainable = False", "trainable = False\n    needs_references = True")
    (tmp_path / "tiny.py").write_text(oracle.replace("BODY", "pass").replace("mixture):", "mixture, references):"))
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))
    assert main(["separate", "tiny", files[0], "-o", str(tmp_path / "out")]) == 2
    assert "'tiny' needs the true stems of a song: score it, msbench evaluate tiny" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["", "-o", "out"], ["a.wav", "-o", ""]])
def test_an_empty_path_is_not_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["separate", "mixture", *arguments])
    assert ended.value.code == 2
    assert "a path is empty: give the file or folder" in capsys.readouterr().err


def test_a_full_disk_ends_the_batch(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "tiny.py").write_text(MODEL.replace("BODY", "pass"))
    command = ["separate", "tiny", *files[::2], "-o", str(tmp_path / "out"), "--plugin", str(tmp_path / "tiny.py")]
    limited = ["bash", "-c", 'ulimit -f 10; exec "$@"', "x", sys.executable, "-m", "msbench.cli", *command]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    full, last = done.stderr.splitlines()
    assert "No space left while writing" in full
    assert last == "msbench: 1 of 2 inputs failed, as listed above; 1 not tried"
    assert not (tmp_path / "out").exists()


def test_what_is_done_and_what_is_loud_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / f"{name}.wav") for name in "abc"]
    for file, level in zip(files, (0.1, 1.5, 2.0), strict=True):
        soundfile.write(file, level * np.ones(8000), 8000, subtype="FLOAT")
    assert separate(tmp_path, monkeypatch, "pass", [*files[:2], "--format", "flac"]) == 0
    loud = f"msbench: stems beyond full scale, {tmp_path / 'b.wav'} by 3.5 dB: flac does not hold that: --clip rescale"
    assert capsys.readouterr().err == f"{loud} turns all stems of such a song down together\n"
    assert separate(tmp_path, monkeypatch, "pass", [*files, "--format", "flac"]) == 0
    done, loud = capsys.readouterr().err.splitlines()
    assert done == "msbench: 2 songs of 3 separated before, left as they are (--force separates them again)"
    assert "c.wav by 6.0 dB" in loud
    assert separate(tmp_path, monkeypatch, "pass", [*files, "--format", "flac", "--clip", "clamp"]) == 2
    assert "a/voice.flac and 5 other files would be overwritten" in capsys.readouterr().err
    more = ["--format", "flac", "--clip", "rescale", "--force"]
    assert separate(tmp_path, monkeypatch, "pass", [*files, *more]) == 0
    (loud,) = capsys.readouterr().err.splitlines()
    assert "2 songs do, " in loud
    assert loud.endswith("c.wav by 6.0 dB the most: all stems of such a song were turned down together")
    assert soundfile.read(tmp_path / "out" / "c" / "band.flac")[0].max() == pytest.approx(1, abs=1e-6)
    assert separate(tmp_path, monkeypatch, "pass", [*files, "--name", "f/{track}-{target}"]) == 0
    assert not capsys.readouterr().err  # wav32f holds it


def test_names_of_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--name", "{model}/{target}/{track}", "--residual", "rest"]
    assert separate(tmp_path, monkeypatch, "pass", [files[0], *more]) == 0
    written = [Path(line).relative_to(tmp_path / "out").as_posix() for line in capsys.readouterr().out.splitlines()]
    assert written == ["tiny/voice/a.wav", "tiny/band/a.wav", "tiny/rest/a.wav"]
    for path, name in (("tiny-1a2b/best.ckpt", "tiny-1a2b"), ("tiny-1a2b/mine.ckpt", "mine")):
        msbench.save(msbench.load("tiny"), tmp_path / path)
        assert main(["separate", str(tmp_path / path), files[0], "-o", str(tmp_path / "out"), *more]) == 0
        assert capsys.readouterr().out.count(f"/out/{name}/") == 3
