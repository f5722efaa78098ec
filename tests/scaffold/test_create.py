"""`msbench new` writes files that are right as they are, or none at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from msbench import registry
from msbench.cli.app import main
from msbench.conformance.checks import check
from msbench.registry import source as plugin_source
from msbench.scaffold.create import _check_spelling, class_name, create_plugin, suggestion
from tests.data.songs import write_musdb18hq

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
KINDS = ("mask", "waveform")


@pytest.fixture(params=KINDS)
def written(request, tmp_path, monkeypatch):
    """The three files of a new plugin `my_net`, registered."""
    paths = create_plugin("my_net", request.param, tmp_path / "plugin")
    monkeypatch.setenv("MSBENCH_PLUGINS", str(paths[0]))
    return paths


def test_three_files_come_out(written):
    assert [path.name for path in written] == ["my_net.py", "my_net.yaml", "test_my_net.py"]
    assert sorted(path.name for path in written[0].parent.iterdir()) == sorted(path.name for path in written)
    assert not any("$" in path.read_text("utf-8") for path in written)


def test_the_readme_shows_the_model_that_is_written(tmp_path):
    """All of the file but its docstring, which holds what docs/your-model.md says around the code."""
    model, _, _ = create_plugin("my_net", "mask", tmp_path)
    _, code = model.read_text("utf-8").split('"""\n\n', 1)
    assert f"```python\n{code}```" in (PYPROJECT.parent / "docs" / "your-model.md").read_text("utf-8")


def test_the_model_is_found_and_keeps_the_contract(written):
    assert registry.find("models", "my_net").attribute == "MyNet"
    assert plugin_source.verdict(written[0], "MyNet") is None  # `msbench list` need not import it
    assert [result for result in check("my_net") if not result.passed] == []


def test_the_recipe_is_found_beside_the_model(written):
    assert registry.find_recipe("my_net") == written[1]
    assert yaml.safe_load(written[1].read_text("utf-8"))["name"] == "my_net"


@pytest.mark.parametrize("name", ["my_net", "a", "a" * 36])
@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_clean(name, kind, tmp_path):
    create_plugin(name, kind, tmp_path)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", str(PYPROJECT), str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_written_test_runs(written):
    environment = {k: v for k, v in os.environ.items() if k != "MSBENCH_PLUGINS"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(written[2])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=written[2].parent, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_recipe_trains(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    songs = write_musdb18hq(tmp_path / "songs", train=1, test=0, frames=16000)
    data = ["--data.dataset", "musdb18hq", "--data.root", str(songs), "--data.chunks_per_epoch", "16"]
    trainer = ["--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]
    assert main(["fit", "-c", str(written[1]), *data, *trainer, "--output", "run"]) == 0
    assert (tmp_path / "run" / "best.ckpt").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My-Net", "not in snake_case, like my_net: call it 'my_net'"),
        ("2stems", "call it 'net_2stems'"),
        ("my net", "call it 'my_net'"),
        ("_net", "call it 'net'"),
        ("../net", "call it 'net'"),
        ("", "call it 'my_net'"),
        ("a" * 37, "is longer than 36 letters: call it 'a{32}'"),
        ("class", "is a word of Python: call it 'class_net'"),
        ("test_net", "which pytest would collect: call it 'net'"),
        ("unet", "model 'unet' from .* is registered already: call it 'my_unet'"),
        ("torch", "a Python module called 'torch' already: call it 'my_torch'"),
    ],
)
def test_a_name_that_will_not_do_is_refused_with_one_that_will(name, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        create_plugin(name, "mask", tmp_path / "plugin")
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=60) | st.from_regex(r"\A(test_)*[A-Z0-9a-z_]{0,50}\Z"))
def test_a_suggestion_always_does(name):
    _check_spelling(suggestion(name))


def test_a_class_never_takes_the_name_of_what_its_file_imports(tmp_path, monkeypatch):
    assert class_name("my_net_2") == "MyNet2"
    paths = create_plugin("spectrogram_separator", "mask", tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(paths[0]))
    assert registry.load("models", "spectrogram_separator").__name__ == "SpectrogramSeparatorNet"


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown kind 'masks': one of mask, waveform"):
        create_plugin("my_net", "masks", tmp_path)


@pytest.mark.parametrize("there", ["my_net.py", "my_net.yaml", "test_my_net.py"])
def test_nothing_is_overwritten(there, tmp_path):
    (tmp_path / there).write_text("mine")
    with pytest.raises(FileExistsError, match=f"{there} would be overwritten"):
        create_plugin("my_net", "mask", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_file_for_a_folder_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="is a file, not a folder: give another with -o"):
        create_plugin("my_net", "mask", tmp_path / folder)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(path, text):
        if path.suffix == ".yaml":
            raise OSError(28, "No space left on device")
        path.write_text(text)

    monkeypatch.setattr("msbench.scaffold.create.write_text", full)
    with pytest.raises(OSError, match="No space left"):
        create_plugin("my_net", "mask", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_files_and_what_comes_next(tmp_path, capsys):
    assert main(["new", "my_net", "--kind", "waveform", "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(str(tmp_path / name) in printed for name in ("my_net.py", "my_net.yaml", "test_my_net.py"))
    assert f"msbench check my_net --plugin {tmp_path / 'my_net.py'}" in printed
    assert main(["new", "my_net", "-o", str(tmp_path)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
