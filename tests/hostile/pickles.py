"""Files in the place of a checkpoint: with code, with counts that cannot be, of wrong types, or broken."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from msbench.model.checkpoint_file import KEY, RUN


class Code:
    """What runs a command of the system where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def zipped(pickled: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file of torch's format around any pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return file.getvalue()


def checkpoints(canary: Path) -> dict[str, bytes]:
    """The files by what is wrong with them; but for its fault, one of wrong types is of a model without weights."""
    itself: dict[str, Any] = {}
    itself["itself"] = itself
    good = {KEY: {"name": "mixture", "options": {}}, "state_dict": {}}
    whole = saved(good)
    odd: dict[str, Any] = {
        "name of another type": {**good, KEY: {"name": ["mixture"], "options": {}}},
        "options of another type": {**good, KEY: {"name": "mixture", "options": [1]}},
        "options with numbers for keys": {**good, KEY: {"name": "mixture", "options": {1: 2}}},
        "options that hold themselves": {**good, KEY: {"name": "mixture", "options": {"targets": itself}}},
        "options with a tensor": {**good, KEY: {"name": "mixture", "options": {"targets": torch.zeros(3)}}},
        "weights that are text": {**good, "state_dict": {"separator.w": "x"}},
        "weights without names": {**good, "state_dict": {1: torch.zeros(1)}},
        "weights that do not fit": {**good, "state_dict": {"separator.w": torch.zeros(1)}},
        "a tensor that claims to be huge": {**good, "state_dict": {"separator.w": torch.zeros(1).expand(10**15)}},
        "training of another type": {**good, "training": [1]},
        "run of another type": {**good, RUN: "x"},
        "counts of another type": {**good, "seed": "x", "epoch": [], "global_step": {}},
        "itself": itself,
        "a list": [1],
        "nothing": None,
    }
    code = pickle.dumps({KEY: Code(canary)}, 2)
    deep = b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."
    return {
        "code": zipped(code),
        "code, bare": code,
        "code, of the newest protocol": zipped(pickle.dumps(Code(canary), 5)),
        "code among weights": zipped(pickle.dumps({**good, "state_dict": {"separator.w": Code(canary)}}, 2)),
        "eval": zipped(b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R."),
        "an instance": zipped(b"(ios\nsystem\n."),
        "a text of 2**31 bytes": zipped(b"\x80\x02X\xff\xff\xff\x7fx."),
        "bytes of 2**62": zipped(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x."),
        "an integer of 2**31 bytes": zipped(b"\x80\x02\x8b\xff\xff\xff\x7fx."),
        "a frame of 2**62": zipped(b"\x80\x04\x95" + (2**62).to_bytes(8, "little") + b"."),
        "a memo of 2**31": zipped(b"\x80\x02]r\xff\xff\xff\x7f."),
        "50,000 levels": zipped(deep),
        "no stop": zipped(b"\x80\x02]]]"),
        "an empty stack": zipped(b"\x80\x02."),
        "no pickle": zipped(b"x"),
        "protocol 99": zipped(b"\x80\x63]."),
        "a bomb": zipped(b"\x80\x02X" + (2**26).to_bytes(4, "little") + bytes(2**26) + b".", zipfile.ZIP_DEFLATED),
        "an empty archive": b"PK\x05\x06" + bytes(18),
        "cut": whole[: len(whole) // 2],
        "without its end": whole[:-30],
        "empty": b"",
        "zeros": bytes(1000),
        "a web page": b"<!DOCTYPE html><html>not found</html>",
        "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 100\n",
        **{kind: saved(content) for kind, content in odd.items()},
    }
