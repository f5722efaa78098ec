"""The face of msbench: light, whole, and shadowed by no module of its own."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import msbench
from msbench.public import PUBLIC

HEAVY = ("torch", "numpy", "lightning", "pandas", "soundfile", "rich", "yaml")


def heavy_after(statement: str) -> list[str]:
    """The heavy libraries that a statement imports, in a new process."""
    script = f"{statement}\nimport sys\nprint('heavy:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "statement",
    [
        "import msbench; msbench.registry.entries('models')",
        "from msbench.cli.app import main; assert main(['list', 'models']) == 0",
        "from msbench.cli.app import main; assert main(['list', 'recipes']) == 0",
    ],
)
def test_what_needs_no_tensor_imports_nothing_heavy(statement: str) -> None:
    assert heavy_after(statement) == []


def test_boards_are_read_built_and_checked_without_torch() -> None:
    heavy = heavy_after("import msbench.leaderboard.publish, msbench.leaderboard.check, msbench.leaderboard.push")
    assert not {"torch", "lightning"} & set(heavy)


def test_every_public_name_is_there_and_listed() -> None:
    assert {*PUBLIC, "registry", "__version__"} == set(msbench.__all__)
    assert dir(msbench) == sorted(msbench.__all__)
    for name in msbench.__all__:
        assert getattr(msbench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        msbench.nothing  # noqa: B018


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_no_module_takes_the_place_of_a_public_name(name: str) -> None:
    # Once imported, msbench/NAME.py would be the attribute NAME of the package.
    folder = Path(msbench.__file__).parent
    assert not (folder / name).exists()
    assert not (folder / f"{name}.py").exists()
    importlib.import_module(PUBLIC[name])
    assert not inspect.ismodule(getattr(msbench, name))
