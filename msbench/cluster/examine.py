"""`msbench doctor --cluster`: whether a profile fits the cluster it is for."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msbench.cluster import slurm
from msbench.cluster.profile import Profile, read_profile
from msbench.doctor import Finding
from msbench.runs.resources import Resources

COMMANDS = ("sbatch", "scontrol", "squeue", "scancel")
PYTHON_SECONDS = 120  # for the profile's `setup` and the start of its Python


def examine_cluster(path: Path) -> Iterator[Finding]:
    """Look at a cluster through its profile; nothing is submitted.

    Raises:
        FileNotFoundError: If there is no such profile.
        ValueError: If the profile cannot be read.
    """
    profile = read_profile(path)
    yield Finding("profile", True, str(path), True, "")
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    detail = f"no {', '.join(missing)}" if missing else ", ".join(COMMANDS)
    yield Finding("commands", not missing, detail, True, "run this on a login node of the cluster")
    if missing:
        return
    try:
        config = slurm.configuration()
    except RuntimeError as error:
        yield Finding("controller", False, str(error), True, "see `scontrol ping`; SLURM_CONF may be wrong")
        return
    name, version = config.get("ClusterName", ""), config.get("SLURM_VERSION", "")
    yield Finding("controller", True, f"cluster {name}, SLURM {version}", True, "")
    yield from _settings(profile, config)
    yield from _stages(profile)
    yield _python(profile)


def _settings(profile: Profile, config: dict[str, str]) -> Iterator[Finding]:
    longest = int(config.get("MaxArraySize", "1001"))
    detail = f"at most {longest} elements; longer ones are split"
    yield Finding("arrays", longest > 1, detail, True, "ask for MaxArraySize above 1")
    off = profile.requeue and config.get("JobRequeue", "1") != "1"
    detail = "saved jobs are requeued" if profile.requeue else "off: saved jobs wait for msbench retry --failed"
    detail = "JobRequeue is 0 on this cluster" if off else detail
    yield Finding("requeue", not off, detail, False, "set `requeue: false`, unless jobs may ask for it themselves")
    long_enough = profile.save_seconds >= 120
    detail = f"{profile.save_seconds} s before the time limit"
    fix = "set save_seconds to 120 or more: SLURM may send the signal up to a minute late"
    yield Finding("time to save", long_enough, detail, False, fix)
    try:
        slurm.call("sacct", "--allocations", "--noheader", "--starttime=now")
        yield Finding("accounting", True, "sacct answers", False, "")
    except (RuntimeError, FileNotFoundError) as error:
        fix = "not needed: the state files, the controller and the logs say the same"
        yield Finding("accounting", False, str(error), False, fix)


def _stages(profile: Profile) -> Iterator[Finding]:
    stages: dict[str, Resources] = {stage: getattr(profile, stage) for stage in ("train", "evaluate", "aggregate")}
    for stage, resources in stages.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / f"{stage}.sh"
            minutes = max(1, round(resources.hours * 60))
            lines = [
                "#!/bin/bash",
                *(f"#SBATCH {option}" for option in profile.sbatch_options(resources)),
                f"#SBATCH --nodes={resources.nodes} --ntasks-per-node={resources.ranks_per_node}",
                f"#SBATCH --cpus-per-task={resources.cpus} --mem={round(resources.memory_gb * 1024)}M",
                f"#SBATCH --time={minutes} --output=/dev/null",
                "true",
                "",
            ]
            script.write_text("\n".join(lines))
            try:
                answer = slurm.call("sbatch", "--test-only", str(script))
                yield Finding(stage, True, " ".join(answer.replace("sbatch:", "").split()), True, "")
            except RuntimeError as error:
                fix = f"change `{stage}:` or the partition, account, qos and GPU fields (sinfo -o '%P %l %G %m %c')"
                yield Finding(stage, False, str(error), True, fix)


def _python(profile: Profile) -> Finding:
    lines = [*profile.setup, f"{profile.container} {profile.python} -P -c 'import msbench; print(msbench.__version__)'"]
    shell = ["bash", "-c", "\n".join(lines)]
    fix = "correct `setup:`, `container:` and `python:`"
    try:
        done = subprocess.run(
            shell, capture_output=True, text=True, check=False, timeout=PYTHON_SECONDS, env=slurm.environment()
        )
    except subprocess.TimeoutExpired:
        return Finding("python", False, f"no answer in {PYTHON_SECONDS} s", not profile.container, fix)
    works = done.returncode == 0
    answer = (done.stdout if works else done.stderr).strip().splitlines() or ["no answer"]
    detail = f"msbench {answer[-1]} by {profile.python}" if works else answer[-1]
    return Finding("python", works, detail, not profile.container, fix)
