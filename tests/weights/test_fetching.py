"""Downloads that break off, are wrong, or cannot be kept: one sentence, and nothing half there."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from msbench.cli.app import main
from msbench.weights import fetching
from msbench.weights.catalogue import Weights, WeightsFile
from tests.weights.publisher import Publisher

CONTENT = bytes(range(256)) * 100


def weights_of(*files: dict[str, Any]) -> Weights:
    about = {"model": "tiny", "targets": ("voice",), "sample_rate": 8000, "licence": "", "citation": "", "source": ""}
    return Weights(name="w", family="f", origin="o", files=tuple(WeightsFile(**file) for file in files), **about)


@pytest.fixture
def weights(publisher: Publisher) -> Weights:
    publisher.files["a.th"] = CONTENT
    return weights_of({**publisher.file("a.th"), "bytes": len(CONTENT)})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once(publisher: Publisher, weights: Weights, cache: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    assert fetching.missing(weights) == list(weights.files)
    (path,) = fetching.fetch(weights, lambda *done: seen.append(done))
    assert path == cache / "w" / "a.th"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("a.th", len(CONTENT), len(CONTENT))
    assert fetching.fetch(weights) == fetching.require(weights) == [path]
    assert len(publisher.asked) == 1
    assert names(cache) == ["a.th"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(publisher: Publisher, weights: Weights, cache: Path, ranges: bool) -> None:
    publisher.cut, publisher.ranges = 1000, ranges
    with pytest.raises(RuntimeError, match="ended after 1,000 of 25,600 bytes: give the same command again"):
        fetching.fetch(weights)
    assert names(cache) == ["a.th.part"]
    publisher.cut = None
    (path,) = fetching.fetch(weights)
    assert path.read_bytes() == CONTENT
    assert publisher.asked == [None, "bytes=1000-"]
    assert names(cache) == ["a.th"]


def test_one_whose_end_had_come_is_taken(publisher: Publisher, cache: Path) -> None:
    publisher.files["a.th"] = CONTENT
    weights = weights_of(publisher.file("a.th", 8))  # of no known size, so that the server is asked for the rest
    (cache / "w").mkdir(parents=True)
    (cache / "w" / "a.th.part").write_bytes(CONTENT)
    assert fetching.fetch(weights)[0].read_bytes() == CONTENT
    assert publisher.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "a SHA-256 of 22c27b0"),
        ({"sha256": "0" * 8}, "and the publisher's begins with 00000000"),
        ({"sha256": None, "bytes": len(CONTENT) + 1}, "ended after"),
        ({"sha256": None, "bytes": 100}, "bytes, and the publisher's 100"),
    ],
)
def test_another_file_is_not_kept(publisher: Publisher, cache: Path, change: dict[str, Any], said: str) -> None:
    publisher.files["a.th"] = CONTENT
    weights = weights_of({**publisher.file("a.th"), **change})
    with pytest.raises(RuntimeError, match=said):
        fetching.fetch(weights)
    assert names(cache) == (["a.th.part"] if "ended" in said else [])


def test_what_the_server_does_not_have(publisher: Publisher, cache: Path) -> None:
    weights = weights_of({"url": f"{publisher.address}/b.th", "sha256": "0" * 64})
    with pytest.raises(RuntimeError, match=r"'w' are not fetched: http://127.0.0.1:\d+/b.th answers 404"):
        fetching.fetch(weights)
    assert names(cache) == []


def test_without_a_network(cache: Path) -> None:
    weights = weights_of({"url": "http://127.0.0.1:9/b.th", "sha256": "01234567"})
    with pytest.raises(RuntimeError, match=r"cannot be reached .*without one, download http://127.0.0.1:9/b") as told:
        fetching.fetch(weights)
    assert f"(SHA-256 begins with 01234567) by other means to {cache / 'w' / 'b.th'}" in str(told.value)
    assert names(cache) == []
    with pytest.raises(FileNotFoundError, match="'w' are not here: msbench weights get w, or download http"):
        fetching.require(weights)


def test_a_full_disk(weights: Weights, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, block: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    download = fetching._download
    monkeypatch.setattr(fetching, "_download", lambda w, file, output, p: download(w, file, Full(output), p))
    with pytest.raises(RuntimeError, match=r"cannot hold a.th \(No space left on device\): make room, or set MSBENCH"):
        fetching.fetch(weights)
    assert names(cache) == []


def test_a_folder_that_cannot_be_written(weights: Weights, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file, as tests may run as root, whom no folder refuses")
    with pytest.raises(RuntimeError, match=r"cannot hold a.th \(Not a directory\)"):
        fetching.fetch(weights)


def test_another_process_that_was_faster(
    publisher: Publisher, weights: Weights, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends while this one waits for its lock."""

    def lock(file: BinaryIO, kind: int) -> None:
        part = cache / "w" / "a.th.part"
        if not (cache / "w" / "a.th").exists():
            part.write_bytes(CONTENT)
            part.rename(cache / "w" / "a.th")

    monkeypatch.setattr("fcntl.lockf", lock)
    assert fetching.fetch(weights)[0].read_bytes() == CONTENT
    assert publisher.asked == []
    assert names(cache) == ["a.th"]


def test_the_cache_is_in_the_home_folder_by_default(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSBENCH_CACHE")
    monkeypatch.setenv("HOME", "/home/me")
    assert fetching.paths_of(weights) == [Path("/home/me/.cache/msbench/weights/w/a.th")]


def test_the_command_says_it_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "get", "htdemuc"]) == 2
    assert "unknown weights 'htdemuc'. Did you mean htdemucs" in capsys.readouterr().err
