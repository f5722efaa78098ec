"""What strangers' text files may hold is bounded before a parser sees them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from msbench.system import bounded


def bomb(levels: int) -> str:
    """YAML of some 50 bytes per level that stands for 10 to the power of the levels."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


def test_what_people_write_passes() -> None:
    for text in ("", "a: 1", "- &x {b: [1, 2]}\n- *x\n", "a: 'b: [[[['", bomb(4)):
        bounded.check_yaml(text)
    bounded.check_json(json.dumps({"a": ["[[[[" * 100, '\\"[' * 100, {"b": [[]]}]}), deepest=5)


def test_too_deep() -> None:
    for text in ("[" * 100_000, "a: " + "{b: " * 100_000, "- " * 5000, "? " * 5000):
        with pytest.raises(ValueError, match=r"line 1: values lie more than 64 levels deep"):
            bounded.check_yaml(text)
    for text in ("[" * 100_000, '{"a":' * 100_000, '{"a": "]]]]", "b": ' + "[" * 100):
        with pytest.raises(ValueError, match=r"values lie more than 64 levels deep"):
            bounded.check_json(text)


def test_too_many() -> None:
    with pytest.raises(ValueError, match=r"line 6: it holds more than 1,000,000 values"):
        bounded.check_yaml(bomb(9))
    with pytest.raises(ValueError, match=r"line 1: the alias \*a stands for nothing before it"):
        bounded.check_yaml("&a [*a]")
    with pytest.raises(ValueError, match=r"more than 1,000,000 values"):
        bounded.check_json("[" + "1," * 1_000_001 + "1]")


def test_what_is_no_yaml_is_left_to_the_parser_to_say() -> None:
    with pytest.raises(yaml.YAMLError):
        bounded.check_yaml("a: [1")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("grün")
    assert bounded.read_text(path) == "grün"
    with pytest.raises(ValueError, match=r"a.json is larger than 0 MiB"):
        bounded.read_text(path, longest=2)
    path.write_bytes(b"a\nb\xe9")
    with pytest.raises(ValueError, match=r"a.json is not UTF-8: line 2"):
        bounded.read_text(path)
    with pytest.raises(FileNotFoundError, match=r"no file .*absent"):
        bounded.read_text(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(ValueError, match="is no regular file"):
            bounded.read_text(tmp_path / name)
