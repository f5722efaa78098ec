"""A private SLURM cluster of two nodes on this machine, for tests and for trying things: `make slurm-cluster`.

Its daemons run as the user who starts it, on free ports, below one temporary folder, and are the only ones it stops.
Each node has two "GPUs", which are plain files: SLURM counts and hands them out, the work runs on the CPU.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NODES = ("n1", "n2")
START_SECONDS = 30

SLURM_CONF = """
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
MaxArraySize={max_array}
MaxJobCount={max_jobs}
ReturnToService=2
KillWait=5
SlurmdTimeout=8
MinJobAge=300
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PropagateResourceLimits=NONE
PartitionName=normal Nodes=ALL Default=YES MaxTime=24:00:00 State=UP PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=ALL MaxTime=24:00:00 State=UP PriorityTier=9 PreemptMode=OFF
"""
NODE_CONF = """
NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=8000 Gres=gpu:2 State=UNKNOWN
"""


class PrivateCluster:
    """The daemons of one cluster, and the environment in which SLURM's commands speak to it.

    Args:
        folder: An empty folder for its configuration, logs and sockets.
        max_array: MaxArraySize of it.
        max_jobs: MaxJobCount of it.

    Raises:
        RuntimeError: If a daemon does not come up; the message holds the end of its log.
    """

    def __init__(self, folder: Path, max_array: int = 50, max_jobs: int = 10000) -> None:
        self.folder = folder
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._hurried: dict[str, float] = {}
        self._others: list[subprocess.Popen[bytes]] = []
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_", "SRUN_"))
        }
        self._environment["SLURM_CONF"] = str(folder / "slurm.conf")
        paths = self._environment.get("PATH", os.defpath).split(os.pathsep)
        self._environment["PATH"] = os.pathsep.join([*paths, "/usr/sbin", "/sbin"])
        self._configure(max_array, max_jobs)

    @property
    def variables(self) -> dict[str, str]:
        """What a shell must set so that SLURM's commands find this cluster."""
        return {"SLURM_CONF": self._environment["SLURM_CONF"]}

    @property
    def path(self) -> str:
        """A PATH with the daemons in it."""
        return self._environment["PATH"]

    def _configure(self, max_array: int, max_jobs: int) -> None:
        host, ports = socket.gethostname().split(".")[0], _free_ports(1 + len(NODES))
        (self.folder / "state").mkdir()
        (self.folder / "munge").mkdir(mode=0o755)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        text = SLURM_CONF.format(
            host=host, port=ports[0], user=getpass.getuser(), folder=self.folder, max_array=max_array, max_jobs=max_jobs
        )
        gres = ""
        for name, port in zip(NODES, ports[1:], strict=True):
            (self.folder / name).mkdir()
            text += NODE_CONF.format(name=name, host=host, port=port)
            for number in range(2):
                (self.folder / f"{name}-gpu{number}").touch()
            gres += f"NodeName={name} Name=gpu File={self.folder}/{name}-gpu[0-1]\n"
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text(gres)

    def start(self) -> None:
        munge = self.folder / "munge"
        files = [f"--{name}-file={munge / name}" for name in ("key", "pid", "log", "seed")]
        self._others.append(self._daemon("munged", "--foreground", f"--socket={munge / 'socket'}", *files))
        self._wait((munge / "socket").exists, "munged", munge / "log")
        self._others.append(self._daemon("slurmctld", "-D"))
        for name in NODES:
            self.start_node(name)
        self._wait(
            lambda: self.run("sinfo", "-h", "-o", "%T", check=False).split() == ["idle"],
            "slurmctld",
            self.folder / "slurmctld.log",
        )

    def start_node(self, name: str) -> None:
        self.nodes[name] = self._daemon("slurmd", "-D", "-N", name)

    def kill_node(self, name: str) -> None:
        """What a power cut does: the node's daemon and all that it runs are gone at once."""
        process = self.nodes.pop(name)
        for pid in [process.pid, *_processes(self.folder, name)]:  # those first that would tell the controller
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def run(self, *command: str, check: bool = True) -> str:
        """The output of one of SLURM's commands on this cluster."""
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def hurry(self) -> None:
        """Let requeued jobs start in moments: SLURM holds each back for two minutes."""
        for line in self.run("squeue", "--noheader", "--array", "--format=%i|%r").splitlines():
            job, reason = line.split("|")
            if reason == "BeginTime" and time.monotonic() > self._hurried.get(job, 0) + 10:
                # Not at once: a node refuses a job whose last end is not a second ago.
                self.run("scontrol", "update", f"jobid={job}", "StartTime=now+3", check=False)
                self._hurried[job] = time.monotonic()

    def clear(self) -> None:
        """Cancel every job, and wait until its processes are gone."""
        user = getpass.getuser()
        self.run("scancel", "--user", user, "--state=PENDING", check=False)
        self.run("scancel", "--user", user, "--signal=KILL", "--full", check=False)
        self.run("scancel", "--user", user, check=False)
        with contextlib.suppress(TimeoutError):
            _until(lambda: not self.run("squeue", "--noheader", check=False).strip(), 10)

    def stop(self) -> None:
        """Stop the jobs and the daemons that `start` started, and nothing else."""
        if self._others:
            self.clear()
        for name in list(self.nodes):
            self.kill_node(name)
        for process in reversed(self._others):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._others.clear()

    def _daemon(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        path = shutil.which(name, path=self._environment["PATH"])
        if path is None:
            raise RuntimeError(f"no {name} on this machine: apt install slurm-wlm munge")
        with (self.folder / "daemons.out").open("ab") as out:
            return subprocess.Popen(
                [path, *arguments], env=self._environment, stdout=out, stderr=out, start_new_session=True
            )

    def _wait(self, ready: Callable[[], bool], name: str, log: Path) -> None:
        try:
            _until(ready, START_SECONDS)
        except TimeoutError:
            text = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            text += (self.folder / "daemons.out").read_text(errors="replace")[-2000:]
            self.stop()
            raise RuntimeError(f"{name} did not come up in {START_SECONDS} s:\n{text}") from None


def _until(ready: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _processes(folder: Path, node: str) -> list[int]:
    """What runs on a node: the slurmstepds, each of which is no child of its daemon, then the jobs' processes."""
    marks = {f"SLURM_CONF={folder}/slurm.conf".encode(), f"SLURMD_NODENAME={node}".encode()}
    jobs, steps = [], set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if marks <= set((entry / "environ").read_bytes().split(b"\0")):
                    jobs.append(int(entry.name))
                    parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                    if Path(f"/proc/{parent}/comm").read_text().startswith("slurmstepd"):
                        steps.add(parent)
    return [*steps, *jobs]


@contextlib.contextmanager
def private_cluster(max_array: int = 50, max_jobs: int = 10000) -> Iterator[PrivateCluster]:
    """A cluster that is up within, and gone after."""
    with tempfile.TemporaryDirectory(prefix="msbench-slurm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # munged wants its socket reachable by all
        cluster = PrivateCluster(folder, max_array, max_jobs)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def main() -> None:
    """Start a cluster, say how to use it, and stop it on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts what runs in the background deaf to SIGINT
        signal.signal(number, signal.default_int_handler)
    profile = Path(__file__).with_name("clusters") / "private.yaml"
    with contextlib.suppress(KeyboardInterrupt), private_cluster() as cluster:
        print(cluster.run("sinfo"))
        print("Two nodes of two GPUs (plain files). In another shell:\n")
        for key, value in cluster.variables.items():
            print(f"  export {key}={value}")
        print(f"  msbench submit SUITE --cluster {profile}\n  squeue\n")
        print(f"Logs: {cluster.folder}. Ctrl-C stops it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
