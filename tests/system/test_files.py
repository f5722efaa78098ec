"""A file or folder takes its final name whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from msbench.system import files
from msbench.system.files import appending, refuse_links


def test_text_and_json_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a.txt", "é\n")
    files.write_json(tmp_path / "deep" / "b.json", {"ö": 1})
    assert (tmp_path / "a.txt").read_text("utf-8") == "é\n"
    assert json.loads((tmp_path / "deep" / "b.json").read_text("utf-8")) == {"ö": 1}
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.txt", "b.json", "deep"]


def test_what_was_there_stays_until_the_end_and_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as part:
            part.write_text("half")
            assert path.read_text() == "old"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("held", [False, True])
def test_a_folder_takes_the_place_of_another(tmp_path: Path, held: bool) -> None:
    path = tmp_path / "site"
    if held:
        path.mkdir()
        (path / "old.html").write_text("old")
    with files.replacing(path, mark="old.html") as part:
        part.mkdir()
        (part / "new.html").write_text("new")
    assert [p.name for p in tmp_path.rglob("*")] == ["site", "new.html"]


def test_a_folder_without_the_mark_is_somebody_elses(tmp_path: Path) -> None:
    thesis = tmp_path / "site" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with (
        pytest.raises(FileExistsError, match=r"site is there, and msbench has not written it: move it elsewhere"),
        files.replacing(tmp_path / "site", mark="old.html") as part,
    ):
        part.mkdir()
    assert list(tmp_path.rglob("*")) == [thesis.parent, thesis]


def test_a_folder_that_fails_leaves_the_other(tmp_path: Path) -> None:
    path = tmp_path / "site"
    path.mkdir()
    (path / "old.html").write_text("old")

    def fail() -> None:
        with files.replacing(path) as part:
            part.mkdir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [p.name for p in tmp_path.rglob("*")] == ["site", "old.html"]


def test_two_writers_never_share_a_temporary_name_and_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".json")  # 255 bytes, the longest name of most file systems
    first, second = files.part_name(path), files.part_name(path)
    assert first != second
    files.write_text(path, "")
    assert path.exists()


def test_only_the_parts_of_dead_processes_are_cleared(tmp_path: Path) -> None:
    path = tmp_path / "song [1]"
    script = (
        f"from pathlib import Path; from msbench.system.files import part_name; part_name(Path({str(path)!r})).mkdir()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    alive = files.part_name(path)
    alive.mkdir()
    elsewhere = tmp_path / f".song [1].0123abcd.{os.getpid()}@another-{platform.node()}.part"
    elsewhere.mkdir()
    assert len(list(tmp_path.iterdir())) == 3
    files.clear_parts(path)
    assert set(tmp_path.iterdir()) == {alive, elsewhere}


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"msbench")
    assert files.sha256_of(tmp_path / "x") == hashlib.sha256(b"msbench").hexdigest()


def test_nothing_is_appended_through_a_link(tmp_path: Path) -> None:
    with appending(tmp_path / "log.txt") as log:
        log.write("a\n")
    with appending(tmp_path / "log.txt") as log:
        log.write("b\n")
    assert (tmp_path / "log.txt").read_text() == "a\nb\n"
    (tmp_path / "link").symlink_to(tmp_path / "log.txt")
    with (
        pytest.raises(ValueError, match="link is a link, and what is written there goes elsewhere"),
        appending(tmp_path / "link"),
    ):
        pass


def test_a_folder_of_ours_with_links_in_it_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    refuse_links(run)  # not there yet
    (run / "logs").mkdir(parents=True)
    (run / "best.ckpt").symlink_to(tmp_path)
    refuse_links(run)
    (tmp_path / "linked").symlink_to(run)
    (run / "logs" / "x").symlink_to(tmp_path)
    for folder in (run, tmp_path / "linked"):
        with pytest.raises(ValueError, match="is a link"):
            refuse_links(folder)
