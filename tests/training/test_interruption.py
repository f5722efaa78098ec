"""A run that is stopped and started again ends as an undisturbed one: to the bit, whatever it was doing."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from msbench.cli.app import main
from msbench.runs.interruption import RunInterrupted
from msbench.training.fit import fit
from msbench.training.interruption import AtomicCheckpointIO
from msbench.training.module import SeparationModule
from tests.tiny import write_model, write_songs

STEPS = 4  # of an epoch
CASES = {
    "plain": [],
    "average": ["--ema_decay", "0.9"],
    "accumulated": ["--trainer.accumulate_grad_batches", "2"],
    "plateau": [
        "--model.lr_scheduler",
        "lightning.pytorch.cli.ReduceLROnPlateau",
        "--model.lr_scheduler.monitor",
        "val_loss",
        "--model.lr_scheduler.patience",
        "0",
        "--model.lr_scheduler.threshold",
        "10.0",
    ],
    "workers": ["--data.workers", "1"],
    "bfloat16": ["--trainer.precision", "bf16-mixed"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("interruption")
    write_model(root / "plugins")
    write_songs(root / "songs")
    return root


@pytest.fixture
def arguments(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(folder / "plugins"))
    flags = {
        "name": "tiny",
        "data.dataset": "folder",
        "data.root": str(folder / "songs"),
        "data.chunk_seconds": "0.25",
        "data.chunks_per_epoch": "8",
        "data.batch_size": "2",
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.accelerator": "cpu",
        "trainer.max_epochs": "3",
    }
    return [part for key, value in flags.items() for part in (f"--{key}", value)]


def undisturbed(folder: Path, arguments: list[str], case: str) -> Path:
    """The run to compare with, made once."""
    whole = folder / f"whole {case}"
    return whole if whole.exists() else fit([*arguments, "--output", str(whole)])


def at_call(monkeypatch: pytest.MonkeyPatch, method: str, number: int, act: Callable[[], None]) -> None:
    """Let `act` happen in the call of that number, from 1, of a method of the training."""
    original: Any = getattr(SeparationModule, method)
    calls = []

    def counted(self: SeparationModule, *args: Any, **kwargs: Any) -> Any:
        calls.append(0)
        if len(calls) == number:
            act()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(SeparationModule, method, counted)


def signalled(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def assert_same_end(whole: Path, resumed: Path) -> None:
    """Weights, optimizer, schedule, averages, best score: all that decides what would follow, and what is kept."""
    for name in ("last.ckpt", "best.ckpt"):
        a, b = (torch.load(folder / name, weights_only=True) for folder in (whole, resumed))
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step", "current_model_state"):
            assert_same(a.get(key), b.get(key), f"{name}: {key}")
        assert_same(a["rng"][0]["torch"], b["rng"][0]["torch"], f"{name}: random state")
        for state, other in zip(a["callbacks"].values(), b["callbacks"].values(), strict=True):
            for key in ("best_model_score", "best_score", "wait_count"):
                assert_same(state.get(key), other.get(key), f"{name}: {key}")


def assert_same(a: Any, b: Any, where: str) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where} {key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where} {i}")
    else:
        assert a == b, where


@pytest.mark.parametrize(
    ("case", "step"),
    [*((case, 2) for case in CASES), *(("plain", step) for step in (STEPS, STEPS + 1, 2 * STEPS + 3)), ("plateau", 7)],
)
def test_a_signal_in_training(
    folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, case: str, step: int
) -> None:
    arguments = [*arguments, *CASES[case]]
    whole = undisturbed(folder, arguments, case)
    with monkeypatch.context() as patched:
        at_call(patched, "training_step", step, signalled(signal.SIGUSR2))
        with pytest.raises(RunInterrupted):
            fit([*arguments, "--output", "run"])
    assert_same_end(whole, fit([*arguments, "--output", "run"]))


@pytest.mark.parametrize("case", ["plain", "average", "plateau"])
def test_a_signal_in_validation(folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    arguments = [*arguments, *CASES[case]]
    whole = undisturbed(folder, arguments, case)
    with monkeypatch.context() as patched:
        at_call(patched, "validation_step", 8, signalled(signal.SIGTERM))  # some come before training
        with pytest.raises(RunInterrupted):
            fit([*arguments, "--output", "run"])
    assert_same_end(whole, fit([*arguments, "--output", "run"]))


@pytest.mark.parametrize(
    ("case", "step"),
    [("plain", 3), ("plain", 2 * STEPS + 4), *((case, STEPS + 1) for case in ("average", "accumulated", "plateau"))],
)
def test_a_run_that_is_killed_goes_on_from_its_last_save(
    folder: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, case: str, step: int
) -> None:
    arguments = [*arguments, *CASES[case]]
    whole = undisturbed(folder, arguments, case)

    def die() -> None:
        raise MemoryError("killed here")

    with monkeypatch.context() as patched:
        at_call(patched, "training_step", step, die)
        with pytest.raises(MemoryError):
            fit([*arguments, "--output", "run", "--checkpoint_minutes", "0"])  # saves after every step
    assert_same_end(whole, fit([*arguments, "--output", "run"]))


def test_what_the_schedule_watches_has_to_be_logged(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*arguments, *CASES["plateau"], "--model.lr_scheduler.monitor", "val_los", "--output", "run"]
    assert main(["fit", *arguments]) == 2
    assert "field model.lr_scheduler.monitor: 'val_los' is not logged. Did you mean val_loss" in capsys.readouterr().err


def test_handlers_are_put_back(arguments: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR2)
    fit([*arguments, "--output", "run"])
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR2)) == before


def test_fit_ends_with_85_and_says_how_to_go_on(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_call(monkeypatch, "training_step", 2, signalled(signal.SIGTERM))
    assert main(["fit", *arguments, "--output", "run"]) == 85
    assert "saved run/last.ckpt in epoch 0, step 2, as a signal asked: the same command" in capsys.readouterr().err


@pytest.fixture
def in_the_foreground() -> Iterator[None]:
    """Ctrl-C reaches the tests, which a shell's job in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_the_foreground")
def test_ctrl_c_saves_as_a_signal_does(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    at_call(monkeypatch, "training_step", 2, signalled(signal.SIGINT))
    assert main(["fit", *arguments, "--output", "run"]) == 130
    said = capfd.readouterr().err
    assert "saving at the end of this step; Ctrl-C again ends at once" in said
    assert "saved run/last.ckpt in epoch 0, step 2, as Ctrl-C asked: the same command goes on from here" in said
    assert Path("run/last.ckpt").is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("in_the_foreground")
def test_a_second_ctrl_c_ends_at_once(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    at_call(monkeypatch, "training_step", 2, twice)
    assert main(["fit", *arguments, "--output", "run"]) == 130
    assert "msbench: interrupted; the same command goes on from" in capfd.readouterr().err
    assert not Path("run/last.ckpt").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_last_is_the_last_epoch_though_an_earlier_one_was_best(arguments: list[str]) -> None:
    fit([*arguments, "--checkpoint.mode", "max", "--output", "run"])
    last, best = (torch.load(Path("run") / name, weights_only=True) for name in ("last.ckpt", "best.ckpt"))
    assert (last["global_step"], best["epoch"]) == (3 * STEPS, 0)


def test_a_full_disk_is_told_with_the_file(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        assert main(["fit", *arguments, "--output", "run", "--separator.width", "4001"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert "msbench: cannot save " in said
    assert "File too large: an earlier checkpoint stays as it was; make room" in said
    assert not list(Path("run").glob(".*.part"))


def test_a_save_that_fails_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)
    with pytest.raises(Exception, match=r"pickle|Can't get local object"):  # Python 3.13 says the latter
        AtomicCheckpointIO().save_checkpoint({"step": lambda: 2}, path)
    assert torch.load(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]
