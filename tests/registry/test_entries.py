from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from msbench import registry
from msbench.cli.app import main
from tests.tiny import write_model

ROOT = Path(__file__).parents[2]
OURS = {"unet", "conv_tasnet", "oracle_irm", "oracle_ibm", "mixture", "mixture_share"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, name: str, entry_points: str, **modules: str) -> None:
    """A stranger's installed distribution: its metadata and its modules."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, source in modules.items():
        (site / f"{module}.py").write_text(source)


def test_what_is_installed_is_what_pyproject_declares() -> None:
    """First, because whatever is registered since would fail elsewhere, without a hint why."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    installed = {group: dict[str, str]() for group in project["entry-points"]}
    for entry in metadata.distribution("msbench").entry_points:
        if entry.group in installed:
            installed[entry.group][entry.name] = entry.value
    assert installed == project["entry-points"], (
        "run make sync: the installed entry points are older than pyproject.toml"
    )


def test_our_models_come_by_entry_points() -> None:
    found = registry.entries("models")
    assert set(found) >= OURS
    assert all(registry.error_of(found[name]) is None for name in OURS)


@pytest.mark.parametrize("command", [["list", "models"], ["--help"], ["list", "losses"], ["list", "datasets"]])
def test_answers_without_torch(command: list[str]) -> None:
    code = f"import sys; from msbench.cli import main\ntry: main({command})\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'lightning', 'pandas'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"unknown model 'unett'. Did you mean unet.*\? There are .*reinstalling"):
        registry.load("models", "unett")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import missing_package\n", "ModuleNotFoundError: No module named 'missing_package'"),
        ("from msbench import Separater\n", "cannot import name 'Separater'"),
        ("class Other: pass\n", "defines no 'Model'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise RuntimeError('no licence')\n", "RuntimeError: no licence"),
        ("class Model(Undefined): pass\n", "NameError"),
        ("x = 1 / 0\n", "ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", "SystemExit"),
        ("from pathlib import Pathh\nx = Pathh()\n", "cannot import name 'Pathh'"),
    ],
)
def test_broken_plugin_is_listed_with_its_error_and_breaks_nothing(
    site: Path, source: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = f"stranger_{abs(hash(source))}"
    install(site, "stranger", f"[msbench.models]\nbroken = {module}:Model\n", **{module: source})
    assert main(["list", "models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    if "x = 1" in source or "raise" in source or "exit" in source or "Undefined" in source or "Pathh" in source:
        assert "unchecked (msbench check broken imports it)" in lines["broken"]  # what only an import could tell
    else:
        assert "BROKEN" in lines["broken"]
        assert error in lines["broken"]
    assert error in str(registry.error_of(registry.entries("models")["broken"]))
    assert not any("BROKEN" in lines[name] for name in OURS)
    if "sys.exit" not in source:
        with pytest.raises(ImportError, match=r"model 'broken' from stranger 1\.0 is broken"):
            registry.load("models", "broken")


def test_a_name_taken_twice_is_refused(site: Path) -> None:
    install(site, "stranger", "[msbench.models]\nunet = mine:Net\n", mine="class Net: pass\n")
    error = registry.error_of(registry.entries("models")["unet"])
    assert error is not None
    assert "registered twice" in error
    with pytest.raises(ImportError, match="registered twice, by"):
        registry.load("models", "unet")
    assert registry.error_of(registry.entries("models")["conv_tasnet"]) is None


def test_single_file_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "plugins")
    (tmp_path / "plugins" / "mine.py").write_text("def huber(estimates, references):\n    return 0\n")
    (tmp_path / "two.py").write_text("class FirstSeparator(Separator): pass\nclass HTTPNet(Separator): pass\n")
    monkeypatch.setenv("MSBENCH_PLUGINS", f"{tmp_path / 'plugins'}:{tmp_path / 'two.py'}")
    assert registry.load("models", "tiny").__name__ == "Tiny"
    assert "huber" in registry.entries("losses")
    assert {"first_separator", "http_net"} <= set(registry.entries("models"))


def test_plugin_flag_wants_a_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSBENCH_PLUGINS", "")
    assert main(["list", "--plugin", "nowhere.py"]) == 2
    assert "no plugin file or folder" in capsys.readouterr().err


def test_recipes_lie_beside_their_plugins() -> None:
    assert {"unet", "unet_small", "conv_tasnet", "conv_tasnet_small"} <= set(registry.recipes())
    with pytest.raises(FileNotFoundError, match="Did you mean unet_small"):
        registry.find_recipe("unet_smal")


def test_a_listing_runs_no_code_of_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, code in {
        "call": f"open({str(tmp_path / 'canary')!r}, 'w')\n",
        "deep": "x = " + "+".join(["1"] * 900) + "\n",
        "escape": "",
    }.items():
        text = "from msbench import SpectrogramSeparator\n" + code
        text += f'class {name.title()}(SpectrogramSeparator):\n    """\\x1b]0;pwned\\x07\u202e [red]x"""\n'
        (tmp_path / f"{name}.py").write_text(text)
    os.mkfifo(tmp_path / "pipe.py")
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path))
    assert main(["list", "models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "unchecked (msbench check call imports it)" in lines["call"]
    assert "is no regular file" in lines["pipe"]
    assert "\\x1b]0;pwned\\x07\\u202e [red]x" in lines["escape"]
    assert all(line.isprintable() for line in lines.values())
    assert not (tmp_path / "canary").exists()
    registry.error_of(registry.entries("models")["call"])
    assert (tmp_path / "canary").exists()  # whoever asks for it imports it
