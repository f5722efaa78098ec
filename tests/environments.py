"""The wheel, from an empty environment to a board: with the lowest releases allowed, those of uv.lock, and the newest.

`make environments` runs it; pytest alone does not collect it, for it downloads some 3 GB per environment, once. Each is
made by uv in build/environments, with the Python of its name where uv finds that, or else the one that runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from msbench_slurm.private_cluster import private_cluster

from tests.requirements import require
from tests.test_workflows import copied

ROOT = Path(__file__).parent.parent
BUILT = ROOT / "build" / "environments"
ENVIRONMENTS = {  # name -> (Python, what uv is told)
    "lowest": ("3.11", ("--resolution", "lowest-direct", "-r", str(ROOT / "pyproject.toml"))),
    "locked": ("3.12", ("--constraints", str(BUILT / "locked.txt"))),
    "newest": ("3.13", ()),
}
# What works differently from release to release: Lightning, torch, jsonargparse, numpy, museval's own code. All tests
# run with the releases of uv.lock (`make test`).
TESTED = [
    "cli/test_app.py",
    "evaluation/test_track.py",
    "losses",
    "metrics/bsseval/test_museval.py",
    "model",
    "registry",
    "separation/test_pipeline.py",
    "system/test_errors.py",
    "system/test_internals.py",
    "training/test_callbacks.py",
    "training/test_devices.py",
    "training/test_fit.py",
    "training/test_interruption.py",
]
VERSIONS = """
import platform, torch, lightning, numpy
print("Python", platform.python_version())
for each in torch, lightning, numpy:
    print(each.__name__, each.__version__)
"""
SHORT = ("--trainer.max_epochs", "1", "--data.chunks_per_epoch", "8")
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """What a command prints; it must end well."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MSBENCH", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what the containers are built from, so that nothing is missed there."""
    source = tmp_path_factory.mktemp("src")
    shutil.rmtree(BUILT / "wheel", ignore_errors=True)
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, source / name)
    run(UV, "build", "--quiet", "--wheel", "--out-dir", BUILT / "wheel", source)
    run(UV, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "-o", BUILT / "locked.txt")
    (found,) = (BUILT / "wheel").glob("msbench-*.whl")
    return found


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Path]:
    """The folder of an environment that holds the wheel and what it asks for, and nothing else."""
    version, options = ENVIRONMENTS[request.param]
    folder = BUILT / request.param
    found = subprocess.run([UV, "python", "find", version], capture_output=True, text=True, check=False)
    begin = time.monotonic()
    run(UV, "venv", "--quiet", "--clear", "--python", found.stdout.strip() or sys.executable, folder)
    run(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *options, wheel)
    installed = time.monotonic() - begin
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    yield folder
    versions = ", ".join(run(folder / "bin" / "python", "-c", VERSIONS).splitlines())
    minutes = (time.monotonic() - begin) / 60
    print(f"\n{request.param}: {versions}; {size / 1e9:.1f} GB, {installed:.0f} s to install, {minutes:.1f} min in all")
    if not os.environ.get("MSBENCH_KEEP_ENVIRONMENTS"):
        shutil.rmtree(folder)


def test_the_wheel_leads_from_an_empty_folder_to_a_board(environment: Path, tmp_path: Path) -> None:
    require("slurm")

    def msbench(*arguments: str | Path) -> str:
        return run(environment / "bin" / "msbench", *arguments, folder=tmp_path)

    missing = {line[6:].split(":")[0] for line in msbench("doctor").splitlines() if not line.startswith("ok ")}
    assert missing <= {"demo songs", "gpu", "ffmpeg", "perceptual", "shared memory", "slurm", "tensorboard", "wandb"}
    assert "my_net" not in msbench("list")
    msbench("new", "my_net")
    assert "FAIL" not in msbench("check", "my_net", "--plugin", "my_net.py")
    plugin = ("--plugin", "my_net.py")
    msbench("fit", "-c", "my_net.yaml", *plugin, *SHORT, "--model.pit", "true", "--trainer.accelerator", "cpu")
    (checkpoint,) = tmp_path.glob("runs/*/best.ckpt")
    soundfile.write(tmp_path / "song.wav", 0.1 * np.random.default_rng(0).standard_normal((44100, 2)), 44100)
    msbench("separate", checkpoint, "song.wav", "-o", "stems", *plugin)
    assert len(list(tmp_path.glob("stems/song/*.wav"))) > 1
    msbench("evaluate", checkpoint, "--data", "demo", *plugin, "-o", "evaluation")
    assert list(tmp_path.glob("evaluation/**/*.json"))

    short = {key.removeprefix("--"): int(value) for key, value in zip(SHORT[::2], SHORT[1::2], strict=True)}
    models = [{"recipe": "unet_small", "set": short}, "mixture", "oracle_irm"]
    suite = {"board": "mine", "datasets": ["demo"], "seeds": [0], "models": models}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "suite.yaml").write_text(yaml.safe_dump(suite))
    with private_cluster() as cluster, pytest.MonkeyPatch.context() as patch:
        for key, value in {**cluster.variables, "PATH": cluster.path}.items():
            patch.setenv(key, value)
        (profile,) = environment.glob("lib/python*/site-packages/msbench_slurm/clusters/private.yaml")
        assert "train-1: 1 cell" in msbench("submit", "mine", "--cluster", profile, "--dry-run")
    msbench("bench", "mine", "--jobs", "1")
    msbench("board", "build", "mine")
    assert "unet_small" in (tmp_path / "mine" / "board.md").read_text()
    assert (tmp_path / "mine" / "site" / "index.html").is_file()


def test_the_tests_pass(environment: Path) -> None:
    if environment.name == "locked":
        pytest.skip("make test runs all of them with these releases")
    options = ENVIRONMENTS[environment.name][1]
    python = environment / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, *options, "--group", f"{ROOT}/pyproject.toml:test")
    tests = [ROOT / "tests" / name for name in TESTED]
    run(python, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", "-m", "not slow and not daily", *tests)
