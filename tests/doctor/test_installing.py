"""The line that repairs an environment, for each way in which a package can be broken."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from msbench.doctor import installing, libraries
from msbench.doctor.installing import install, mend, requirement, uninstall


@pytest.fixture(params=[True, False], ids=["pip", "uv"])
def pip(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(installing, "_has_pip", lambda: request.param)
    return bool(request.param)


def test_the_line_is_that_of_this_environment(pip: bool) -> None:
    here = sys.executable
    assert install("soxr>=0.4") == (
        f"{here} -m pip install 'soxr>=0.4'" if pip else f"uv pip install --python {here} 'soxr>=0.4'"
    )
    assert ("--force-reinstall" if pip else "--reinstall") in install("soxr", again=True)
    assert uninstall("torchaudio").endswith("torchaudio")


def test_what_is_missing_is_installed_with_what_wants_it(pip: bool) -> None:
    error = ModuleNotFoundError("No module named 'fsspec'", name="fsspec")
    assert mend(error, "lightning") == install(requirement("lightning"))


def test_a_broken_library_that_msbench_does_not_need_goes(pip: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchaudio of another torch breaks what imports it, and to install Lightning again mends nothing."""
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"torchaudio": ["torchaudio"]})
    error = OSError("/x/site-packages/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN3c10")
    assert mend(error, "lightning").startswith(f"{uninstall('torchaudio')} (msbench does not need it")


def test_a_broken_library_that_msbench_needs_is_installed_again(
    pip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError("/x/site-packages/soundfile/libsndfile.so: cannot open shared object file")
    assert mend(error, "soundfile") == install(requirement("soundfile"), again=True)
    # By the package that was running when it failed, where the message names no file.
    (tmp_path / "brokenlib.py").write_text("raise ValueError('numpy.dtype size changed')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"brokenlib": ["numba"]})
    found = libraries.imported("lightning", "brokenlib")
    assert not found.works
    assert found.fix == install(requirement("numba"), again=True)


def test_missing_and_wrong_releases_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    releases = {"soxr": "0.1"}

    def version(name: str) -> str:
        if name == "jinja2":
            raise metadata.PackageNotFoundError(name)
        return releases.get(name, "999")

    wanted = [installing.Requirement(line) for line in ("soxr>=0.4", "jinja2>=3.1", "rich>=13")]
    monkeypatch.setattr(libraries, "wanted", lambda: wanted)
    monkeypatch.setattr(metadata, "version", version)
    (found,) = libraries.packages()
    assert found.detail == "soxr is 0.1, not >=0.4, jinja2 is missing"
    assert found.fix == install("soxr>=0.4", "jinja2>=3.1")


def test_missing_extras_are_named_with_what_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {each.name: each for each in libraries.extras()}
    assert found["wandb"].fix == install("msbench[wandb]")
    assert found["perceptual"].fix == install("msbench[perceptual]")
    assert not any(each.needed for each in found.values())
