"""Whatever a table or a prepared list calls its songs, nothing outside the output is written, changed or removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msbench.cli.app import main
from tests.data.songs import noise, write, write_musdb18hq

NAMES = ("../../victim", "../victim", "/tmp/victim", "a/../../victim", ".", "..", "a\\b", "x" * 300)


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def scene(root: Path, split: str = "test", track: str = "song", target: str = "voice") -> Path:
    """A table of one song with such names, and somebody's work next to it."""
    (root / "victim" / "precious").mkdir(parents=True)
    (root / "victim" / "precious" / "thesis.txt").write_text("years of work")
    for i, name in enumerate(("voice", "band")):
        write(root / f"{name}.wav", noise(i))
    rows = [(split, track, target, "voice.wav"), (split, track, "band", "band.wav")]
    table = root / "songs.csv"
    table.write_text("split,track,target,path\n" + "".join(",".join(row) + "\n" for row in rows))
    return table


@pytest.mark.parametrize("column", ["split", "track", "target"])
@pytest.mark.parametrize("name", NAMES)
def test_a_table(column: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = scene(tmp_path, **{column: name})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before, data = state(tmp_path), ["--root", str(table)]
    assert main(["data", "prepare", "folder", *data, "-o", "out/prepared"]) == 2
    assert main(["evaluate", "mixture", "--data", "folder", *data, "--metrics", "none", "-o", "out/e"]) == 2
    assert main(["evaluate", "--estimates", "..", "--data", "folder", *data, "-o", "out/f"]) == 2
    assert main(["data", "show", "folder", name, *data, "-o", "out/g.png"]) == 2
    assert state(tmp_path) == before


def test_a_folder_that_prepare_has_not_written(tmp_path: Path) -> None:
    table = scene(tmp_path)
    theirs = tmp_path / "out" / "test" / "song" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    before = state(tmp_path)
    assert main(["data", "prepare", "folder", "--root", str(table), "-o", str(tmp_path / "out")]) == 2
    assert state(tmp_path) == before


def test_a_link_out_of_the_output(tmp_path: Path) -> None:
    table = scene(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test").symlink_to(tmp_path / "victim")
    before = state(tmp_path)
    assert main(["data", "prepare", "folder", "--root", str(table), "-o", str(tmp_path / "out")]) == 2
    data = ["--data", "folder", "--root", str(table), "--metrics", "none"]
    assert main(["evaluate", "mixture", *data, "-o", str(tmp_path / "out")]) == 2
    assert state(tmp_path) == before


@pytest.mark.parametrize("place", ["split", "track", "folder", "file"])
def test_a_prepared_list(place: str, tmp_path: Path) -> None:
    root = write_musdb18hq(tmp_path / "hq")
    assert main(["data", "prepare", "musdb18hq", "--root", str(root), "-o", str(tmp_path / "fast")]) == 0
    path = tmp_path / "fast" / "msbench-prepared.json"
    held = json.loads(path.read_text())
    test = held["splits"].pop("test")
    name, track = test["tracks"].popitem()
    track["folder"] = "../victim" if place == "folder" else track["folder"]
    track["files"]["vocals"]["file"] = "../../victim.wav" if place == "file" else "vocals.wav"
    test["tracks"]["../../victim" if place == "track" else name] = track
    held["splits"]["../../victim" if place == "split" else "test"] = test
    path.write_text(json.dumps(held))
    before, data = state(tmp_path), ["--data", "musdb18hq", "--root", str(tmp_path / "fast")]
    assert main(["evaluate", "mixture", *data, "--metrics", "none", "-o", str(tmp_path / "out" / "e")]) == 2
    assert state(tmp_path) == before
