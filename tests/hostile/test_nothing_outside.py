"""Whatever a table or a prepared list calls its songs, nothing outside the output is written, changed or removed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from msbench.cli.app import main
from msbench.data.loading.unlabelled import read_list
from msbench.model.checkpoint_file import KEY
from msbench.runs.suite import read_suite
from tests.data.songs import noise, write, write_musdb18hq
from tests.hostile.commands import SUITE, write_scene

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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    write_scene(folder)
    return folder


@pytest.fixture
def here(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scene to work in, and somebody's work next to it."""
    (tmp_path / "victim" / "precious").mkdir(parents=True)
    (tmp_path / "victim" / "precious" / "thesis.txt").write_text("years of work")
    (tmp_path / "victim.txt").write_text("years of work")
    shutil.copytree(template, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "here" / "plugins"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'here' / 'bin'}:{os.environ['PATH']}")
    return tmp_path / "here"


def outside(here: Path, *also: str) -> dict[str, bytes]:
    """What lies next to the scene, and what of it a command has to leave alone."""
    found = {name: held for name, held in state(here.parent).items() if not name.startswith("here/")}
    return found | {name: (here / name).read_bytes() for name in also}


def link(name: str, target: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    if Path(name).is_dir():
        shutil.rmtree(name)
    Path(name).unlink(missing_ok=True)
    Path(name).symlink_to(Path(target).resolve())


# Links that came with a folder, each of a place that a command writes to: refused, or replaced by a file of ours.
LINKS = {
    "separate": (["separate", "good.ckpt", "song.wav", "-o", "out"], ["out/song/voice.wav"]),
    "board build": (["board", "build", "board"], ["board/board.md", "board/board.png", "board/board.csv"]),
    "board import": (["board", "import", "sisec18", "sisec.csv", "board"], ["board/reported/sisec18.json"]),
    "silences": (["data", "silences", "good.ckpt", "songs/train", "--device", "cpu"], ["songs/train/silences.json"]),
    "verify": (["data", "verify", "folder", "--root", "songs"], ["songs/manifest.json", "songs/.msbench-verify"]),
    "fit": (
        ["fit", "-c", "recipe.yaml", "--output", "out"],
        ["out/config.yaml", "out/state.json", "out/best.ckpt", "out/run.lock", "out/logs/version_0/metrics.csv"],
    ),
    "new": (["new", "my_net", "-o", "out"], ["out/my_net.py", "out/my_net.yaml", "out/test_my_net.py"]),
    "dry run": (
        ["submit", "board/suite.yaml", "--cluster", "profile.yaml", "--dry-run"],
        ["board/jobs/dry-run/aggregate.sh", "board/jobs/dry-run/evaluate-1.cells"],
    ),
}
# The same of folders.
FOLDERS = {
    "separate": ["out/song"],
    "board build": ["board/site"],
    "board import": ["board/reported"],
    "fit": ["out/logs"],
    "dry run": ["board/jobs/dry-run", "board/jobs/dry-run/logs", "board/jobs"],
}


@pytest.mark.parametrize(
    ("command", "name", "target"),
    [
        *((command, name, "../victim.txt") for command in LINKS for name in LINKS[command][1]),
        *((command, name, "../victim") for command in FOLDERS for name in FOLDERS[command]),
    ],
)
def test_links(command: str, name: str, target: str, here: Path) -> None:
    Path("sisec.csv").write_text("method,track,target,frames,SDR,ISR,SIR,SAR\nA,x,vocals,1,1,1,1,1\n")
    link(name, target)
    before = outside(here)
    assert main(LINKS[command][0]) in (0, 2)
    assert outside(here) == before


@pytest.mark.parametrize("name", ["../x", "../../victim/x", "/tmp/x", ".", "a/b", "a\nb"])
def test_names_in_a_recipe(name: str, here: Path) -> None:
    before = outside(here)
    argv = ["fit", "-c", "recipe.yaml", "--output", "out", "--checkpoint.filename", name]
    assert main(argv) == 2
    assert not Path("out").exists()
    assert main(["new", name, "-o", "out"]) == 2
    assert outside(here) == before


def test_another_folder_for_checkpoints_is_passed_over(here: Path) -> None:
    before = outside(here)
    assert main(["fit", "-c", "recipe.yaml", "--output", "out", "--checkpoint.dirpath", "../victim"]) == 0
    assert Path("out/best.ckpt").is_file()
    assert outside(here) == before


@pytest.mark.parametrize("name", ["../victim", "/tmp/victim", "..", "a\nb", "a/b"])
def test_names_in_a_checkpoint(name: str, here: Path) -> None:
    content = torch.load("good.ckpt", weights_only=True)
    content[KEY]["options"]["targets"] = [name, "band"]
    torch.save(content, "good.ckpt")
    before = outside(here)
    assert main(["separate", "good.ckpt", "song.wav", "-o", "out"]) == 2
    assert main(["evaluate", "good.ckpt", "--data", "folder", "--root", "songs.csv", "-o", "out"]) == 2
    assert outside(here) == before


@pytest.mark.parametrize("field", ["board: ../victim", "models: [{model: mixture, label: ../../victim}]"])
@pytest.mark.parametrize("command", [["bench"], ["submit", "--cluster", "profile.yaml", "--dry-run"]])
def test_names_in_a_suite(field: str, command: list[str], here: Path) -> None:
    kept = [line for line in SUITE.splitlines() if not line.startswith((field.split(":", maxsplit=1)[0], "  -"))]
    Path("board/suite.yaml").write_text("\n".join([*(kept if "models" in field else SUITE.splitlines()[1:]), field]))
    before = outside(here)
    assert main([command[0], "board/suite.yaml", *command[1:]]) == 2
    assert outside(here) == before


@pytest.mark.parametrize("name", ["board/runs/CELL/state.json", "board/runs/CELL", "board/records"])
def test_links_in_a_suites_folder(name: str, here: Path) -> None:
    cell = read_suite("board/suite.yaml").cells[0].name
    link(name.replace("CELL", cell), "../victim.txt" if name.endswith(".json") else "../victim")
    before = outside(here)
    assert main(["bench", "board/suite.yaml"]) == 2
    assert outside(here) == before


def test_a_board_of_links_is_looked_at_alone(here: Path) -> None:
    link("board/records/stolen.json", "../victim.txt")
    before = outside(here, "board/records/one.json")
    assert main(["board", "review", "board", "--against", "before"]) == 0
    assert main(["board", "check", "board"]) == 1
    assert outside(here, "board/records/one.json") == before


def test_a_script_of_somebody_in_the_folder_of_dry_runs(here: Path) -> None:
    theirs = Path("board/jobs/dry-run/mine.sh")
    theirs.parent.mkdir(parents=True)
    theirs.write_text("#!/bin/bash\necho mine\n")
    theirs.with_suffix(".cells").write_text("mine\n")
    before = outside(here, f"{theirs}", f"{theirs.with_suffix('.cells')}")
    for _ in range(2):  # the second replaces what the first has written
        assert main(["submit", "board/suite.yaml", "--cluster", "profile.yaml", "--dry-run"]) == 0
    assert outside(here, f"{theirs}", f"{theirs.with_suffix('.cells')}") == before
    assert Path("board/jobs/dry-run/aggregate.sh").is_file()


@pytest.mark.parametrize("name", ["../../victim/song.wav", "/etc/passwd", "a/../../song.wav"])
def test_a_list_of_silences(name: str, here: Path) -> None:
    song = {"state": {"bytes": 1}, "seconds": 3.0, "silent": {"voice": [[0.0, 3.0]], "band": []}}
    listed = {"targets": ["voice", "band"], "songs": {name: song}}
    Path("songs/train/silences.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match=r"silences.json cannot be read: delete it"):
        read_list(Path("songs/train"))
    listed["songs"] = {"a/b.wav": {**song, "seconds": "x"}}
    Path("songs/train/silences.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match=r"silences.json cannot be read: delete it"):
        read_list(Path("songs/train"))
