"""What cannot be read as YAML is said with its file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msbench.system.errors import is_bad_input
from msbench.system.yaml_files import read_yaml


def test_yaml_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: é\nseeds: [1, 2.5]\n", "utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"title": "é", "seeds": [1, 2.5]}
    (tmp_path / "empty.yaml").write_text("")
    assert read_yaml(tmp_path / "empty.yaml") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\nb: [1\nc: 2\n", "is not YAML: line 3: "),
        (b"a: 1\nb: @x\n", "is not YAML: line 2: found character that cannot start any token"),
        (b"a: 1\nb: !!python/name:os.system x\n", "is not YAML: line 2: could not determine a constructor"),
        (b"a: 1\n\xff\n", "is not UTF-8: line 2: "),
        (b"a: \x01\n", "is not YAML: .*control characters are not allowed"),
        (b"a: 2020-13-45\n", "is not YAML: month must be in 1..12"),
        (b"[" * 100_000, "line 1: values lie more than 64 levels deep"),
        (b"models: [a]\nx: 1\nmodels: [b]\n", "line 3: the key 'models' comes twice: remove one"),
        (b"a: {b: 1,\n b: 2}\n", "line 2: the key 'b' comes twice"),
        (b"1: a\ntrue: b\n", "line 2: the key True comes twice"),
        (b"a: 1" + b":1" * 100_000, "line 1: a number of 200001 characters is too long"),
        (b"a: 1\nb: !!timestamp x", "line 2: 'x' is no timestamp: remove the tag"),
        (b"a: !!bool x", "line 1: 'x' is no bool"),
        (b"a: !!int ''", "line 1: '' is no int"),
        (b"a: 0x" + b"f" * 5000, "line 1: a number of 5002 characters is too long"),
        (b"a: !" + b"x" * 100_000 + b" 1", "is not YAML: "),
        (b"a: [" + b"1, " * 200_001 + b"]", "line 1: it holds more than 200,000 values"),
        (b"a: &a [*a]", "line 1: the alias .*a stands for nothing before it"),
        (b"a: " + b"x" * (4 * 2**20), "a.yaml is larger than 4 MiB"),
        (b"a: 2001-01-01T00:00:00+99:00", "is not YAML"),
    ],
)
def test_what_is_no_yaml_is_bad_input_with_a_place(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600 + len(str(path))
    assert is_bad_input(caught.value)


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*absent\.yaml") as caught:
        read_yaml(tmp_path / "absent.yaml")
    assert is_bad_input(caught.value)
    with pytest.raises(IsADirectoryError, match="is a folder") as folder:
        read_yaml(tmp_path)
    assert is_bad_input(folder.value)


def test_what_is_merged_may_be_overruled(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(tmp_path / "a.yaml")["b"] == {"x": 3, "y": 2}


def test_names_are_the_text_that_stands_there(tmp_path: Path) -> None:
    text = """
label: 2024-01-05
seeds: [&one 1]
rows: [no, 007, {label: 1.50, seed: 1, set: {label: 1}}, {label: *one}, {label: }, {label: ~}, [1]]
roots: {1: 2, no: yes}
"""
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml", ("label", "rows.*", "rows.*.label", "roots.*")) == {
        "label": "2024-01-05",
        "seeds": [1],
        "rows": [
            "no",
            "007",
            {"label": "1.50", "seed": 1, "set": {"label": 1}},
            {"label": "1"},
            {"label": None},
            {"label": None},
            [1],
        ],
        "roots": {"1": "2", "no": "yes"},
    }


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    for name in ("pipe", "zero", "loop"):
        with pytest.raises(ValueError, match=f"{name}.yaml is no regular file"):
            read_yaml(tmp_path / f"{name}.yaml")
