"""How a command ends: what stderr says and which exit code a shell sees, from processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from msbench.system.exit_codes import BAD_INPUT, CLOSED_PIPE, DONE, FAILED, INTERRUPTED

MSBENCH = [sys.executable, "-m", "msbench.cli"]
# A dataset is loaded without torch: these processes start at once.
DATASET = """
from msbench import Dataset

class Songs(Dataset):
    \"\"\"Songs.\"\"\"
    layout = "any"

    def __init__(self, *arguments, **options):
        BODY
"""


def run(*arguments: str, cwd: Path, plugin: str | None = None, script: str | None = None) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command."""
    if plugin is not None:
        (cwd / "songs.py").write_text(DATASET.replace("BODY", plugin))
        arguments = (*arguments, "--plugin", "songs.py")
    command = MSBENCH if script is None else [sys.executable, "-c", script]
    done = subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def patched(patch: str) -> str:
    """A command line whose `msbench list` is replaced."""
    return f"import sys\nfrom msbench import cli, registry\n{patch}\nregistry.entries = entries\nsys.exit(cli.main())\n"


def started(script: str, cwd: Path) -> subprocess.Popen[str]:
    """A `msbench list` that is under way."""
    command = [sys.executable, "-c", script, "list"]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "unett"], "unknown model 'unett'. Did you mean unet"),
        (["list", "--plugin", "absent.py"], "no plugin file or folder "),
        (["list", "--plugin"], "--plugin needs a file or a folder"),
        (["bench", "absent.yaml"], "no suite file "),
        (["board", "build", "absent"], "absent"),
        (["data", "card", "folder", "--root", "absent"], "absent"),
        (["new", "My Net"], "call it 'my_net'"),
        (["separate", "absent.ckpt", "a.wav", "-o", "out"], "no audio file a.wav"),
        (["evaluate", "absent.ckpt", "--data", "demo"], "absent.ckpt"),
        (["evaluate", "--data", "demo"], "needs a model or --estimates"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments, cwd=tmp_path)
    assert (code, out) == (BAD_INPUT, ""), err
    assert err.startswith("msbench: ")
    assert said in err
    assert err.count("\n") == 1
    assert "--debug" not in err


def test_wrong_usage_is_bad_input(tmp_path: Path) -> None:
    code, _, err = run("list", "songs", cwd=tmp_path)
    assert code == BAD_INPUT
    assert "invalid choice: 'songs'" in err


def test_a_plugin_that_refuses_on_purpose_speaks_to_the_user(tmp_path: Path) -> None:
    plugin = "raise ValueError('these songs\\n need a root')"
    code, _, err = run("data", "card", "songs", cwd=tmp_path, plugin=plugin)
    assert (code, err) == (BAD_INPUT, "msbench: these songs need a root\n")


@pytest.mark.parametrize(
    ("plugin", "kind"),
    [
        ("{}['vocals SDR']", "KeyError: vocals SDR"),
        ("int('x')", "ValueError: invalid literal"),
        ("import pandas; pandas.DataFrame({'a': [1]})['vocals SDR']", "KeyError: vocals SDR"),
        ("import json; json.loads('{')", "JSONDecodeError: Expecting property name"),
    ],
)
def test_a_slip_and_what_a_library_raises_are_bugs(tmp_path: Path, plugin: str, kind: str) -> None:
    code, _, err = run("data", "card", "songs", cwd=tmp_path, plugin=plugin)
    assert code == FAILED
    assert f"{kind}" in err
    assert err.endswith("(a bug in msbench or a plugin: --debug shows where)\n")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    code, _, err = run("data", "card", "songs", "--debug", cwd=tmp_path, plugin="int('x')")
    assert code == FAILED
    assert "Traceback (most recent call last)" in err
    assert 'songs.py", line' in err


def test_a_failed_run_is_no_bug(tmp_path: Path) -> None:
    code, _, err = run("data", "card", "songs", cwd=tmp_path, plugin="raise RuntimeError('a process died')")
    assert (code, err) == (FAILED, "msbench: a process died\n")


def test_what_the_machine_refuses_names_the_file(tmp_path: Path) -> None:
    plugin = "import errno; raise OSError(errno.ENOSPC, 'No space left on device', 'x.wav')"
    code, _, err = run("data", "card", "songs", cwd=tmp_path, plugin=plugin)
    assert code == FAILED
    assert "No space left on device" in err
    assert "--debug" not in err


@pytest.mark.parametrize("rows", [3, 20_000])  # that fit the pipe's buffer and Python's, and that do not
def test_a_closed_pipe_ends_quietly(tmp_path: Path, rows: int) -> None:
    patch = (
        f"def entries(kind):\n    return {{str(i): registry.Entry(kind, str(i), 'x', 'X', 'x') for i in range({rows})}}"
    )
    process = started(patched(patch), tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    if rows > 3:
        process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == CLOSED_PIPE


def test_a_pipe_that_breaks_elsewhere_is_a_bug(tmp_path: Path) -> None:
    code, _, err = run("list", cwd=tmp_path, script=patched("def entries(kind):\n    raise BrokenPipeError(32, 'no')"))
    assert code == FAILED
    assert "--debug" in err


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    # A job in the background of a shell ignores SIGINT, and its children with it: pytest may be one.
    patch = "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    patch += "def entries(kind):\n    print('here', flush=True)\n    time.sleep(60)"
    process = started(patched(patch), tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (INTERRUPTED, "msbench: interrupted; the same command goes on from here\n")


def test_plugins_are_taken_wherever_they_are_given(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("from msbench import Dataset\nclass Songs(Dataset):\n    '''Songs.'''\n")
    code, out, _ = run("--plugin", "a.py", "list", "datasets", "--plugin=b.py", cwd=tmp_path)
    assert code == DONE
    assert f"[{tmp_path.resolve() / 'a.py'}]" in out
    assert f"[{tmp_path.resolve() / 'b.py'}]" in out
