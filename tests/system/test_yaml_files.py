"""What cannot be read as YAML is said with its file and line."""

from __future__ import annotations

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
        (b"[" * 20_000, "nested too deeply|is not YAML"),
    ],
)
def test_what_is_no_yaml_is_bad_input_with_a_place(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert is_bad_input(caught.value)


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*absent\.yaml") as caught:
        read_yaml(tmp_path / "absent.yaml")
    assert is_bad_input(caught.value)
    with pytest.raises(IsADirectoryError, match="is a folder") as folder:
        read_yaml(tmp_path)
    assert is_bad_input(folder.value)
