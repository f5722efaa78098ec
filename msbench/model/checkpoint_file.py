"""The file of a checkpoint: what is in it, read without running any code, and what a file is that is none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch

from msbench.system.bounded import DEEPEST, MOST

KEY = "msbench_separator"  # where a checkpoint holds {"name", "options"} of its model
RUN = "msbench_run"  # and what a training must find again to go on
PREFIX = "separator."  # of the model's weights among those of the LightningModule

BY_FIT = "give one that `msbench fit` wrote"
_HEAD_BYTES = 512  # that tell what kind of file it is


def content_of(path: str | Path) -> tuple[dict[str, Any], str]:
    """What a checkpoint holds, and its SHA-256.

    Both are of one open file: a training that goes on may put another in its place meanwhile.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint of ours; the message says what it is instead.
    """
    if Path(path).is_dir():
        best = Path(path) / "best.ckpt"
        raise ValueError(
            f"{path} is a folder: give {best if best.is_file() else 'a checkpoint in it, such as best.ckpt'}"
        )
    content, sha256 = read_pickled(path, BY_FIT)
    fault = _fault_of(content)
    if fault is not None:
        raise ValueError(f"{path} is not a checkpoint of msbench: {fault}")
    return content, sha256


def read_pickled(
    path: str | Path, wanted: str = "give the file that its publisher offers", stand_ins: Sequence[str] = ()
) -> tuple[Any, str]:
    """What a file of `torch.save` holds, and its SHA-256. No code of it is run.

    Args:
        path: The file.
        wanted: What to do about a file of another kind, for the message.
        stand_ins: Dotted names of classes that it may name. Each is read as an `Inert`, and none is imported.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, damaged, or holds code; the message says so.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint {path}: correct the path")
    with Path(path).open("rb") as file:
        fault = _no_checkpoint(file.read(_HEAD_BYTES), wanted)
        if fault is not None:
            raise ValueError(f"{path} is not a checkpoint: {fault}")
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        with _allowed(stand_ins):
            return _unpickled(file, path, wanted), sha256


class Inert:
    """What stands for an object of a class that is not imported: it keeps what it is made of, and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


@contextlib.contextmanager
def _allowed(names: Sequence[str]) -> Iterator[None]:
    """Let torch take an inert class for each name; torch keeps such permissions for the whole process."""
    before = torch.serialization.get_safe_globals()
    inert: list[Any] = []
    for name in names:
        module, _, attribute = name.rpartition(".")
        inert.append(type(attribute, (Inert,), {"__module__": module, "__qualname__": attribute}))
    torch.serialization.add_safe_globals(inert)
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _fault_of(content: Any) -> str | None:
    """What is missing in a checkpoint or of another type than `msbench fit` writes it; None where all is well."""
    registered = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(registered, dict) or not {"name", "options"} <= registered.keys():
        return "it does not say which model it holds; give one that `msbench fit` wrote"
    weights = content.get("state_dict")
    if not isinstance(weights, dict):
        return "it holds no weights"
    about = (content.get(key) for key in ("training", RUN))
    faults = {
        "its weights are not tensors with names": not all(map(_is_weight, weights.items())),
        "its model's name is no text": not isinstance(registered["name"], str),
        "its model's options are not what JSON can hold": not _is_plain(registered["options"]),
        "its seed, epoch or step is no whole number": not all(
            isinstance(content.get(key), int | None) for key in ("seed", "epoch", "global_step")
        ),
        "what it says of its training is not what JSON can hold": not all(v is None or _is_plain(v) for v in about),
    }
    return next((fault for fault, found in faults.items() if found), None)


def _is_weight(item: tuple[Any, Any]) -> bool:
    """Whether it is a parameter by name; what is not the model's own may hold other things."""
    key, value = item
    return isinstance(key, str) and (not key.startswith(PREFIX) or is_stored(value))


def is_stored(value: Any) -> bool:
    """Whether it is a tensor whose values are in the file; those of the meta device and sparse ones claim any shape."""
    is_plain = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout is torch.strided
    return is_plain and value.device.type == "cpu" and not value.is_quantized


def _is_plain(value: Any) -> bool:
    """Whether a dict can be written as JSON, as all that goes into records and configurations must be.

    A value that a pickle holds many times counts each time: 40 lists that hold the next one twice are 2**40 values.
    """
    count, open_values = 0, [(value, 0)]
    while open_values:
        each, depth = open_values.pop()
        inner = list(each.values()) if isinstance(each, dict) else each if isinstance(each, list | tuple) else []
        if isinstance(each, dict) and not all(isinstance(key, str) for key in each):
            return False
        count += 1 + len(inner) + (len(each) if isinstance(each, str) else 0)
        if count > MOST or depth > DEEPEST:
            return False
        open_values += [(one, depth + 1) for one in inner]
    try:
        return isinstance(value, dict) and bool(json.dumps(value))
    except (TypeError, ValueError):  # an object, an integer of more digits than Python turns into text
        return False


def _no_checkpoint(head: bytes, wanted: str) -> str | None:
    """What a file is that is taken for a checkpoint most often, by its first bytes; None where it may be one."""
    begin = head.lstrip().lower()
    if not head:
        return "it is empty: copy or download it again"
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer to one: run `git lfs pull`"
    if begin.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page: download the file itself"
    if head.startswith((b"RIFF", b"fLaC", b"OggS", b"ID3")):
        return "it is an audio file"
    return None if head.startswith((b"PK", b"\x80")) else f"it has another format; {wanted}"


def _archive_fault(file: BinaryIO) -> str | None:
    """What is wrong with an archive as a whole: torch stores what it writes as it is, so that none is larger inside."""
    size = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            is_bomb = sum(entry.file_size for entry in archive.infolist()) > size
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError):
        return "it is cut short or damaged"
    finally:
        file.seek(0)
    return "it unpacks to more than its own size" if is_bomb else None


def _unpickled(file: BinaryIO, path: str | Path, wanted: str) -> Any:
    fault = _archive_fault(file) if file.read(2) == b"PK" else None
    if fault is not None:
        raise ValueError(f"{path} is not a checkpoint that can be read: {fault}: copy it again")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice for a pickle that it does not know
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    # A file that is cut, or of another program, makes unpickling fail in any way. Torch's own words advise to run the
    # code in the file (weights_only=False): they are not passed on, not even as the cause of this error.
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|Unsupported global:?)\s+(?!GLOBAL)([\w.]+)", str(error))
        if named is None:
            fault = "it is damaged or has another format"
        else:
            fault = f"it holds code ({named[1]}), which is not run"
    except Exception as error:
        cut = "central directory" in str(error) or isinstance(error, EOFError)
        fault = "it is cut short" if cut else f"it is damaged ({type(error).__name__})"
    raise ValueError(f"{path} is not a checkpoint that can be read: {fault}: copy it again, or {wanted}")
