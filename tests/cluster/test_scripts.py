"""The scripts that a submission writes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from msbench.cluster.plan import make_plan
from msbench.cluster.profile import Profile
from msbench.cluster.scripts import write_all
from msbench.runs.resources import Resources
from msbench.runs.suite import read_suite
from msbench.system.exit_codes import SAVED


def write(folder: Path, profile: Profile) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text("datasets: [demo]\nmodels: [unet_small]\n")
    write_all(make_plan(read_suite(folder), train=profile.train, evaluate=profile.evaluate), profile, folder)
    return {path.name: path.read_text() for path in folder.glob("*.sh")}


def test_no_field_of_a_template_is_left(tmp_path: Path) -> None:
    scripts = write(tmp_path, Profile(scratch="/scratch/$USER", setup=("module load a",), container="run image"))
    assert set(scripts) == {"train-1.sh", "evaluate-1.sh", "aggregate.sh"}
    for name, text in scripts.items():
        assert not re.search(r"@[A-Z_]+@", text.replace("USR2@120", "")), name
        assert 'export TMPDIR="/scratch/$USER"\nmodule load a\n' in text
        assert "run image " in text
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert (tmp_path / "train-1.cells").read_text() == f"{read_suite(tmp_path).cells[0].name}\n"


def test_a_job_is_requeued_on_the_code_that_a_saved_run_ends_with(tmp_path: Path) -> None:
    assert f"[[ $code == {SAVED} || $code == 140 || $code == 143 ]]" in write(tmp_path, Profile())["train-1.sh"]


def test_requeueing_can_be_forbidden(tmp_path: Path) -> None:
    script = write(tmp_path, Profile(requeue=False))["train-1.sh"]
    assert "#SBATCH --no-requeue\n" in script
    assert "(( ${SLURM_RESTART_COUNT:-0} < 0 ))" in script


def test_shapes_and_times(tmp_path: Path) -> None:
    profile = Profile(train=Resources(nodes=2, gpus=3, cpus=5, memory_gb=1.5, hours=0.5), at_once=4)
    script = write(tmp_path, profile)["train-1.sh"]
    for line in ("nodes=2", "ntasks-per-node=3", "cpus-per-task=5", "mem=1536M", "time=0:30:00", "array=0-0%4"):
        assert f"#SBATCH --{line}\n" in script


def test_paths_with_spaces_and_percent_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "50% of it"
    folder.mkdir()
    monkeypatch.chdir(folder)
    script = write(folder, Profile())["train-1.sh"]
    assert f'#SBATCH --output="{tmp_path}/50%% of it/logs/train-1_%a.log"\n' in script
    assert f'#SBATCH --chdir="{folder}"\n' in script
    assert f"'{folder}/suite.yaml'" in script


ODD = [
    "a b",
    "it's",
    'say "x"',
    "$(touch canary)",
    "`touch canary`",
    "@CELLS@",
    "@PYTHON@",
    "a;touch canary",
    "# x",
    "50%",
    "\\",
]


@pytest.mark.parametrize("name", ODD)
def test_bash_runs_the_scripts_of_any_folder(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "suite.yaml").write_text(
        "datasets: [demo]\nmodels: [{model: mixture, label: '-x @NODES@ $(touch canary)'}]\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/bash\nprintf "%s\\n" "$PYTHONSAFEPATH" "$@" >> {tmp_path}/calls\n')
    python.chmod(0o755)
    srun = 'srun() { shift 2; "$@"; }; squeue() { :; }; scontrol() { echo n1; }'
    profile = Profile(python=str(python), setup=(srun,))
    suite = read_suite(folder)
    write_all(make_plan(suite, train=profile.train, evaluate=profile.evaluate), profile, folder)
    monkeypatch.chdir(tmp_path)
    environment = {
        "SLURM_ARRAY_TASK_ID": "0",
        "SLURM_ARRAY_JOB_ID": "7",
        "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "1",
    }
    for script in ("evaluate-1.sh", "aggregate.sh"):
        command = ["bash", str(folder / script)]
        subprocess.run(command, env={**os.environ, **environment, "SLURM_JOB_NODELIST": "n1"}, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == [
        *("1", "-P", "-m", "msbench.cluster.cell", "--stage", "evaluate", "--devices", "1", "--num-nodes", "1"),
        *("--", str(folder / "suite.yaml"), suite.cells[0].name),
        *("1", "-P", "-m", "msbench.cli", "status", str(folder / "suite.yaml")),
        *("1", "-P", "-m", "msbench.cli", "board", "build", str(folder)),
    ]
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize("name", ["x\ntouch canary\ny", "a\rb", "a\x1bb", "a\u2028b"])
def test_a_folder_whose_name_would_be_a_line_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="holds a control character"):
        write(tmp_path / name, Profile())
    assert not list(tmp_path.rglob("*.sh"))
