"""What strangers may send: records, YAML, tables and audio with a few changes each, all drawn from a seed."""

from __future__ import annotations

import copy
import io
import random
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from msbench.model.checkpoint_file import KEY, PREFIX

ROOT = Path(__file__).parents[2]
VALUES: list[Any] = [None, True, False, 0, -1, 5, 1e308, -1e308, 10**400, 0.1]
VALUES += ["", " ", "x", "=1+1", "<b>", "a\nb", "\x1b[31m", "../x", "\u202e", "x" * 5000, "[/x]", "{{ 7*7 }}"]
VALUES += ["gain", "SDR", "reason", ";targets=", "bsseval-v4;targets=,,"]
VALUES += [[], {}, [None], [[1]], {"x": None}, ["x"] * 200, {str(i): i for i in range(200)}]

YAML_VALUES = ["null", "~", "yes", "0", "-1", "1e999", ".inf", ".nan", "9" * 400, "0x" + "f" * 200, "1:" * 200 + "1"]
YAML_VALUES += [
    "2026-13-45",
    "2026-01-01",
    "''",
    '"\\0"',
    "[" * 3000,
    "{" * 90 + "}" * 90,
    "[]",
    "{}",
    "{1: 2}",
    "[[]]",
]
YAML_VALUES += [
    "!!python/object/apply:os.system [touch canary]",
    "!!binary x",
    "!x y",
    "&a [*a]",
    "*nothing",
    "<<",
    "|",
]
YAML_VALUES += [
    "../../x",
    "/etc/passwd",
    "a/b",
    "x" * 5000,
    "'a\n  b'",
    "@PYTHON@",
    "$(touch canary)",
    "\u202ex",
    "\x1b",
]
YAML_VALUES += ["? [a]\n", "- ", "a: b: c", "{a: 1, a: 2}", "{[1]: 2}", "!!set {a}", "!!timestamp x", "!!int ''"]

CELLS = ["", " ", ".", "..", "../x", "/x", "a/b", "a\\b", "x" * 300, "x" * 200_000, '"', '""', "'", "\0", "\r", "\n"]
CELLS += [
    "=1+1",
    "mixture",
    "rest",
    "\x1b[31m",
    "\u202e",
    "\ud7ff",
    "nan",
    "-1",
    ".hidden",
    "voice.wav",
    "songs.csv",
    ",,,",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value's inner values are."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in inner for found in ((*path, key), *places(each, (*path, key)))]


def mutate(made: dict[str, Any], rng: random.Random) -> None:
    """Replace, remove, rename or move one value of what JSON holds."""
    *way, last = rng.choice(places(made))
    place: Any = made
    for step in way:
        place = place[step]
    kind = rng.randrange(4)
    if kind == 0:
        del place[last]
    elif kind == 1 and isinstance(place, dict):
        place[str(rng.choice(VALUES))[:100]] = place.pop(last)
    elif kind == 2:
        place[last] = copy.deepcopy(rng.choice(list(made.values())))
    else:
        place[last] = copy.deepcopy(rng.choice(VALUES))


def mutated_bytes(content: bytes, rng: random.Random, within: int | None = None) -> bytes:
    """Bytes with one change among the first `within`: one set, some removed, repeated or inserted, or the rest cut."""
    place = rng.randrange(max(1, min(within or len(content), len(content))))
    length = rng.choice((1, 1, 2, 4, 100))
    kind = rng.randrange(5)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + length :]
    if kind == 2:
        return content[: place + length] + content[place:]
    if kind == 3:
        return content[:place] + rng.randbytes(length) + content[place:]
    return content[:place] + rng.randbytes(length) + content[place + length :]


def mutated_yaml(text: str, rng: random.Random) -> bytes:
    """A YAML text with one to four changes: of a value, a key, a line or a few bytes."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(lines))
        line, kind = lines[place], rng.randrange(6)
        if kind <= 1 and ":" in line:
            lines[place] = f"{line.partition(':')[0]}: {rng.choice(YAML_VALUES)}"
        elif kind == 2:
            lines[place] = line.replace(line.strip(), rng.choice(YAML_VALUES), 1)
        elif kind == 3:
            lines.insert(place, rng.choice(lines))
        elif kind == 4 and len(lines) > 1:
            del lines[place]
        else:
            lines[place] = " " * rng.randrange(5) + line.lstrip()
    content = "\n".join(lines).encode()
    return mutated_bytes(content, rng) if rng.random() < 0.2 else content


def mutated_table(text: str, rng: random.Random) -> bytes:
    """A CSV with one to four changes: of a cell, a row, or a few bytes."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row, kind = rng.randrange(len(rows)), rng.randrange(7)
        if kind <= 1 and rows[row]:
            rows[row][rng.randrange(len(rows[row]))] = rng.choice(CELLS)
        elif kind == 2:
            rows.insert(row, list(rng.choice(rows)))
        elif kind >= 5 and rows[row]:  # everywhere, so that the table may stay whole
            old, new = rng.choice(rows[row]), rng.choice(CELLS)
            rows = [[new if cell == old else cell for cell in each] for each in rows]
        elif kind == 3 and len(rows) > 1:
            del rows[row]
        else:
            rows[row].insert(rng.randrange(len(rows[row]) + 1), rng.choice(CELLS))
    content = "\n".join(",".join(row) for row in rows).encode()
    return mutated_bytes(content, rng) if rng.random() < 0.2 else content


def mutated_audio(content: bytes, rng: random.Random) -> bytes:
    """An audio file with one to four changes, most of them in its header, or cut short."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(4)
        if kind == 0:  # a count, a size or a rate
            number = rng.choice((0, 1, 3, 0x7F, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF))
            place = rng.randrange(4, 64)
            content = content[:place] + struct.pack("<I", number) + content[place + 4 :]
        elif kind == 1:
            content = mutated_bytes(content, rng)
        else:
            content = mutated_bytes(content, rng, within=64)
    return content


SIZES = (-1, 0, 1, 7, 10**4, 10**6, 10**9, 10**12, 10**18, 2**63 - 1, 10**400, 1.5, 1e300)


def mutated_checkpoint(content: bytes, rng: random.Random, canary: Path) -> bytes:
    """A checkpoint with a change of its options, of what it says of itself, of a tensor, of an entry, or of bytes."""
    kind = rng.randrange(6)
    if kind == 5:
        return mutated_bytes(content, rng)
    if kind == 4:
        return _with_odd_entries(content, rng, canary)
    held = torch.load(io.BytesIO(content), weights_only=True)
    if kind <= 1:  # the options alone: sizes and loops
        options = held[KEY]["options"]
        for _ in range(rng.choice((1, 1, 2))):
            options[rng.choice([*options, "window_samples", "hop_samples", "dropout", "depth"])] = rng.choice(
                SIZES if rng.random() < 0.7 else VALUES
            )
    elif kind == 2:
        about = {key: value for key, value in held.items() if key != "state_dict"}
        mutate(about, rng)
        held = {**about, "state_dict": held["state_dict"]}
    else:
        _change_tensor(held["state_dict"], rng)
        if rng.random() < 0.3:
            held[KEY]["options"]["filters"] = rng.choice(SIZES)
    file = io.BytesIO()
    try:
        torch.save(held, file)
    except (RuntimeError, OverflowError):  # no file holds it
        return content
    return file.getvalue()


def _change_tensor(weights: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(sorted(weights))
    tensor = weights[name]
    changes = (
        lambda: torch.zeros(1).expand(rng.choice((10**6, 10**9, 10**15))),
        lambda: torch.empty(tensor.shape, device="meta"),
        lambda: torch.empty(10**12, device="meta"),
        lambda: tensor.float().to_sparse() if tensor.ndim else tensor,
        lambda: tensor.to(rng.choice((torch.float16, torch.complex64, torch.bool, torch.int8, torch.float64))),
        lambda: torch.full_like(tensor.float(), rng.choice((float("nan"), float("inf"), 1e38, -1.0, 0.0))),
        lambda: tensor.flatten()[:0],
        lambda: tensor[None],
        lambda: torch.nn.Parameter(tensor.float()),
        lambda: rng.choice(VALUES),
    )
    changed = rng.choice(changes)()
    kind = rng.randrange(4)
    if kind == 0:
        weights[f"{PREFIX}{str(rng.choice(VALUES))[:100]}"] = weights.pop(name)
    elif kind == 1 and rng.random() < 0.3:
        del weights[name]
    else:
        weights[name] = changed


def _with_odd_entries(content: bytes, rng: random.Random, canary: Path) -> bytes:
    """The archive with an entry changed, renamed, packed, doubled or left out; the sums of what is in it are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = rng.randrange(len(entries))
    name, held = entries[place]
    kind = rng.randrange(7)
    if kind == 0:
        del entries[place]
    elif kind == 1:
        entries[place] = (name, mutated_bytes(held, rng) if held else b"x")
    elif kind == 2:
        entries[place] = (f"{rng.choice(('../', '/', 'x/', ''))}{name}{rng.choice(('', 'x', '/'))}", held)
    elif kind == 3:
        entries.insert(rng.randrange(len(entries)), (name, mutated_bytes(held, rng) if held else b"x"))
    elif kind == 4:
        entries[place] = (name, bytes(2**26))
    elif kind == 5:
        code = b"cposix\nsystem\n(X" + struct.pack("<I", len(f"touch {canary}")) + f"touch {canary}".encode() + b"tR0"
        entries = [
            (each, inner[:2] + code + inner[2:] if each.endswith("data.pkl") else inner) for each, inner in entries
        ]
    else:  # one byte of the pickle, which is most of what a file of weights says
        entries = [(each, mutated_bytes(inner, rng) if each.endswith("data.pkl") else inner) for each, inner in entries]
    file = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if kind == 4 or rng.random() < 0.1 else zipfile.ZIP_STORED
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packed) as archive:
        warnings.simplefilter("ignore")  # of two entries of one name
        for each, inner in entries:
            archive.writestr(each, inner)
    return file.getvalue()
