"""Who raised an error decides what it is: bad input, a failed run, or a bug."""

from __future__ import annotations

import errno
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from msbench import registry
from msbench.data.dataset import Dataset
from msbench.system import errors
from msbench.system.exit_codes import BAD_INPUT, FAILED


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def code_of(name: str, text: str) -> ModuleType:
    """A module of this name that runs this text."""
    module = ModuleType(name)
    exec(text, module.__dict__)
    return module


OURS = "def go():\n    raise {error}\n"


def test_what_we_raise_on_purpose_is_bad_input() -> None:
    error = raised(lambda: registry.find("models", "unett"))
    assert errors.is_bad_input(error)
    assert errors.exit_code(error) == BAD_INPUT
    assert errors.report(error).startswith("unknown model 'unett'. Did you mean unet")


@pytest.mark.parametrize("text", ["{}['SDR']", "int('x')", "[][1]", "None.x", "assert 1 == 2", "1 / 0"])
def test_a_slip_in_our_own_code_is_a_bug(text: str) -> None:
    error = raised(code_of("msbench.x", f"def go():\n    {text}\n").go)
    assert errors.is_bug(error)
    assert errors.exit_code(error) == FAILED
    assert "--debug" in errors.report(error)
    assert errors.report(error).startswith(type(error).__name__)


def test_what_a_library_raises_through_our_code_is_a_bug(tmp_path: Path) -> None:
    error = raised(code_of("msbench.x", "import json\ndef go():\n    json.loads('{')\n").go)
    assert isinstance(error, json.JSONDecodeError)
    assert errors.is_bug(error)
    assert errors.is_bug(raised((tmp_path / "absent").read_text))


def test_what_we_say_of_a_library_s_error_is_bad_input() -> None:
    text = "import json\ndef go():\n    try:\n        json.loads('{')\n    except ValueError as e:\n"
    error = raised(code_of("msbench.x", text + "        raise ValueError('x.json is not JSON') from e\n").go)
    assert errors.is_bad_input(error)
    passed_on = raised(code_of("msbench.x", text + "        raise\n").go)
    assert errors.is_bug(passed_on)


def test_a_failed_run_is_no_bug_and_no_bad_input() -> None:
    error = raised(code_of("msbench.x", OURS.format(error="RuntimeError('a process died')")).go)
    assert errors.exit_code(error) == FAILED
    assert errors.report(error) == "a process died"


def test_a_plugin_speaks_for_itself_and_a_stranger_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text = OURS.format(error="ValueError('width must be odd')")
    assert errors.is_bad_input(raised(code_of("msbench_plugin_net_12345678", text).go))
    assert errors.is_bug(raised(code_of("pandas.core", text).go))
    monkeypatch.setattr(errors, "AUTHORS", errors.AUTHORS | {"their_models"})
    assert errors.is_bad_input(raised(code_of("their_models.net", text).go))


def test_a_registered_package_is_an_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "AUTHORS", set(errors.AUTHORS))
    package = tmp_path / "shelf_of_losses"
    package.mkdir()
    (package / "__init__.py").write_text("def odd(estimates, references):\n    raise ValueError('two targets only')\n")
    info = tmp_path / "shelf_of_losses-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf_of_losses\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[msbench.losses]\nodd = shelf_of_losses:odd\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    odd = registry.load("losses", "odd")
    assert errors.is_bad_input(raised(lambda: odd(None, None)))
    del sys.modules["shelf_of_losses"]


def test_the_verdict_travels_between_processes() -> None:
    deliberate = raised(lambda: Dataset("/nowhere"))
    slip = raised(code_of("msbench.x", "def go():\n    {}['SDR']\n").go)
    for error, bad in ((deliberate, True), (slip, False)):
        errors.mark(error)
        there = pickle.loads(pickle.dumps(error))
        assert errors.is_bad_input(there) is bad
        assert errors.is_bug(there) is not bad


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_machine_refuses_names_the_file_and_is_no_bug(number: int) -> None:
    error = OSError(number, "refused", "/data/x.wav")
    assert not errors.is_bug(error)
    assert errors.exit_code(error) == FAILED
    assert errors.report(error) == "/data/x.wav: refused"


def test_a_place_is_named_before_bad_input_and_hides_no_bug() -> None:
    def within(text: str) -> BaseException:
        def go() -> None:
            with errors.located("track 'A'"):
                code_of("msbench.x", f"def go():\n    {text}\n").go()

        return raised(go)

    said = within("raise ValueError('it is silent')")
    assert errors.is_bad_input(said)
    assert errors.sentence(said) == "track 'A': it is silent"
    slip = within("int('x')")
    assert errors.is_bug(slip)
    assert errors.report(slip).startswith("track 'A': ValueError: invalid literal")


def test_a_sentence_is_one_safe_line() -> None:
    assert errors.sentence(ValueError("a\n  b\tc")) == "a b c"
    assert errors.sentence(ValueError("\x1b[31mred")) == "\\x1b[31mred"
    assert errors.sentence(ValueError("\u202egnp.exe")) == "\\u202egnp.exe"
    assert errors.sentence(KeyError("no 'x'")) == "no 'x'"
    assert errors.sentence(ValueError()) == "ValueError"
    assert len(errors.sentence(ValueError("x" * 100_000))) == errors.LONGEST
    assert len(errors.one_line("\u202e" * 50, 40)) == 40  # an escape is longer than what it stands for
