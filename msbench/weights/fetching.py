"""Files of published weights: where they lie, and their download, which can be broken off at any time.

A file has its name once it is whole and its SHA-256 is that of the catalog. Until then it is a part next to that, at
whose end the next call goes on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from msbench.public import VERSION
from msbench.system.errors import one_line
from msbench.system.files import sha256_of
from msbench.weights.catalogue import Weights, WeightsFile

Progress = Callable[[str, int, int | None], None]  # (the file's name, bytes that are there, bytes of the whole)

BLOCK_BYTES = 2**20
TIMEOUT = 30.0  # seconds without a byte
LARGEST = 2**36  # bytes of a file whose size nobody says
_PART = ".part"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


def folder_of(weights: Weights) -> Path:
    """Where the files of these weights lie: in $MSBENCH_CACHE/weights/NAME, ~/.cache/msbench where that is not set."""
    cache = os.environ.get("MSBENCH_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "msbench") / "weights" / weights.name


def paths_of(weights: Weights) -> list[Path]:
    """The path of each file, whether it is there or not."""
    return [folder_of(weights) / file.name for file in weights.files]


def missing(weights: Weights) -> list[WeightsFile]:
    """The files that are not there."""
    return [file for file, path in zip(weights.files, paths_of(weights), strict=True) if not path.is_file()]


def require(weights: Weights) -> list[Path]:
    """The paths of the files.

    Raises:
        FileNotFoundError: If one is not there; the message says where it is to be had.
    """
    for file in missing(weights):
        command = f"msbench weights get {weights.name}"
        raise FileNotFoundError(f"the weights '{weights.name}' are not here: {command}, or {_by_hand(weights, file)}")
    return paths_of(weights)


def fetch(weights: Weights, progress: Progress | None = None) -> list[Path]:
    """Download what is not there.

    Args:
        weights: Whose files.
        progress: Called for each block.

    Returns:
        The paths of all files.

    Raises:
        RuntimeError: If a file cannot be had or written, or is not what the catalog says. What has come of it is kept
            if the rest can be fetched later.
    """
    for file in missing(weights):
        _fetch(weights, file, progress)
    return paths_of(weights)


def _by_hand(weights: Weights, file: WeightsFile) -> str:
    return f"download {file.url} ({file.hash_words}) by other means to {folder_of(weights) / file.name}"


def _fetch(weights: Weights, file: WeightsFile, progress: Progress | None) -> None:
    path = folder_of(weights) / file.name
    part = path.with_name(path.name + _PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part) as output:
            if path.is_file():  # another process has fetched it meanwhile
                return
            _download(weights, file, output, progress)
            _check(weights, file, part)
            part.replace(path)
    except OSError as error:
        raise RuntimeError(
            f"{path.parent} cannot hold {file.name} ({error.strerror or one_line(str(error))}): make room, or set "
            "MSBENCH_CACHE to a folder that can be written"
        ) from error


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The part, open at its end, once no other process writes it; one that is empty is not left behind."""
    while True:
        with part.open("ab") as file:
            _lock(file)
            if not (part.is_file() and os.path.samestat(os.fstat(file.fileno()), part.stat())):
                continue  # another process has renamed or removed it meanwhile
            try:
                yield file
            finally:
                if part.is_file() and part.stat().st_size == 0:
                    part.unlink()
            return


def _lock(file: BinaryIO) -> None:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise


def _download(weights: Weights, file: WeightsFile, output: BinaryIO, progress: Progress | None) -> None:
    begun = output.tell()
    if file.bytes is not None and begun >= file.bytes:
        return
    try:
        with _answer(file, begun) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:  # the server sends the whole
                output.truncate(begun := 0)
            length = answer.headers.get("Content-Length")
            whole = file.bytes or (begun + int(length) if length and length.isdecimal() else None)
            done = begun
            while block := answer.read(BLOCK_BYTES):
                output.write(block)
                done += len(block)
                if done > (whole or LARGEST):
                    break
                if progress is not None:
                    progress(file.name, done, whole)
            output.flush()
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and begun:
            return  # all of it has come before: the hash tells
        raise RuntimeError(
            f"{_not_fetched(weights, file)} answers {error.code} {one_line(error.reason, 80)}"
        ) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RuntimeError(
            f"{_not_fetched(weights, file)} cannot be reached ({one_line(str(reason), 200)}): with a network, give the "
            f"same command again; without one, {_by_hand(weights, file)}"
        ) from error
    if whole is not None and done < whole:
        raise RuntimeError(
            f"the download of {file.url} ended after {done:,} of {whole:,} bytes: give the same command again, it goes "
            "on from there"
        )


def _not_fetched(weights: Weights, file: WeightsFile) -> str:
    return f"the weights '{weights.name}' are not fetched: {file.url}"


def _answer(file: WeightsFile, begun: int) -> contextlib.AbstractContextManager[http.client.HTTPResponse]:
    headers = {"User-Agent": f"msbench/{VERSION}", "Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={begun}-"
    request = urllib.request.Request(file.url, headers=headers)
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    return answer


def _check(weights: Weights, file: WeightsFile, part: Path) -> None:
    """Refuse and remove what is not the publisher's file."""
    found, size = sha256_of(part), part.stat().st_size
    fault = None
    if file.sha256 is not None and not found.startswith(file.sha256):
        fault = f"a SHA-256 of {found}, and the publisher's {file.hash_words.removeprefix('SHA-256 ')}"
    elif file.bytes is not None and size != file.bytes:
        fault = f"{size:,} bytes, and the publisher's {file.bytes:,}"
    if fault is not None:
        part.unlink()
        raise RuntimeError(
            f"{file.url} gave a file with {fault}: it is not kept; give the same command again, or "
            f"{_by_hand(weights, file)}"
        )
