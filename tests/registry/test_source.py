"""A plugin's source is judged without an import; whatever a file holds, a listing goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench import registry
from msbench.registry import source


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"class A(:\n", "SyntaxError"),
        (b"a = '\xff'\n", "is not UTF-8: line 1"),
        (b"a = 1\0\n", "null bytes"),
        (b"a = " + b"(" * 100_000 + b"\n", "SyntaxError|RecursionError|MemoryError"),
    ],
)
def test_a_file_that_is_no_python_is_listed_as_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    path = tmp_path / "broken.py"
    path.write_bytes(content)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(path))
    entry = registry.entries("models")["broken"]
    error = registry.error_of(entry)
    assert error is not None
    assert any(each in error for each in said.split("|")), error
    assert "\n" not in error
    assert registry.summary_of(entry) == ""
    assert "unet" in registry.entries("models")
    assert not [entry for entry in registry.entries("datasets").values() if entry.origin == str(path)]


def test_a_folder_called_like_a_file_is_broken_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.py").mkdir()
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path))
    assert "is no regular file" in str(registry.error_of(registry.entries("models")["folder"]))


def test_what_a_file_declares_is_read_from_its_bases_and_arguments(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "class BigNet(Separator): pass\nclass SmallNet(msbench.SpectrogramSeparator): pass\n"
        "class Songs(Dataset): pass\nclass _Base(Separator): pass\n"
        "def odd(estimates, references, p=1): pass\ndef helper(a, b): pass\n"
    )
    assert source.declared(path) == {
        "losses": {"odd": "odd"},
        "models": {"big_net": "BigNet", "small_net": "SmallNet"},
        "datasets": {"mine": "Songs"},
    }


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("import torch\nclass A(torch.nn.Module):\n    '''A.'''\n", None),
        ("from msbench import Separator\nclass A(Separator): pass\n", None),
        ("import not_installed_at_all\nclass A: pass\n", "No module named 'not_installed_at_all'"),
        ("from msbench import Separatr\nclass A(Separatr): pass\n", "Separatr"),
        ("class B: pass\n", "defines no 'A'"),
        ("X = print('called')\nclass A: pass\n", source.UNSURE),
        ("class A(Unknown): pass\n", source.UNSURE),
    ],
)
def test_the_verdict_on_an_import(tmp_path: Path, text: str, verdict: str | None) -> None:
    path = tmp_path / "a.py"
    path.write_text(text)
    found = source.verdict(path, "A")
    assert found == verdict if verdict in (None, source.UNSURE) else verdict in str(found)
