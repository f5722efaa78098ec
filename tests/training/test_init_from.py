"""A new run begins with the weights of a checkpoint, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import msbench
from msbench.cli.app import main
from msbench.model.checkpoint_file import RUN
from msbench.system.files import sha256_of
from msbench.training.fit import fit
from tests.tiny import MODEL, fit_arguments, write_model, write_songs

STILL = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "0.0"]  # nothing moves
Refused = Callable[..., str]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of a run whose checkpoint is at `first/last.ckpt`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "plugins"))
    other = write_model(tmp_path / "plugins").with_name("other.py")
    other.write_text(MODEL.replace("Tiny", "Other"))
    write_songs(tmp_path / "songs", seconds=0.5)
    arguments = [*fit_arguments(), "--trainer.max_epochs", "1"]
    assert main(["fit", *arguments, "--output", "first"]) == 0
    return arguments


@pytest.fixture
def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Refused:
    def call(*flags: str) -> str:
        """What `msbench fit` says to these flags; nothing is written."""
        before = sorted(Path().rglob("*"))
        capsys.readouterr()
        assert main(["fit", *arguments, *flags]) == 2
        assert sorted(Path().rglob("*")) == before
        return capsys.readouterr().err

    return call


def content(path: str | Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)  # type: ignore[no-any-return]


def weights(path: str | Path) -> torch.Tensor:
    return msbench.load(path).state_dict()["conv.weight"]


@pytest.mark.parametrize("extra", [[], ["--ema_decay", "0.9"]], ids=["plain", "ema"])
def test_new_run_begins_with_the_weights(arguments: list[str], extra: list[str]) -> None:
    first = fit([*arguments, *extra, "--output", "source"]) / "last.ckpt"
    folder = fit([*arguments, *STILL, "--init_from", str(first), "--output", "second"])
    assert torch.equal(weights(folder / "last.ckpt"), weights(first))  # of an average, not what it is taken of
    held = content(folder / "last.ckpt")
    assert (held["epoch"], held["global_step"]) == (0, 4)
    assert held[RUN]["initial"]["sha256"] == sha256_of(first)
    assert sha256_of(first) in (folder / "config.yaml").read_text()


def test_adapters_of_the_weights_are_trained(arguments: list[str]) -> None:
    lora = ["--init_from", "first/last.ckpt", "--model.lora", "{rank: 1, alpha: 2, target: [conv.*]}"]
    lora += ["--ema_decay", "0.5"]  # averaged as they are
    with pytest.warns(UserWarning, match="model.lora: 1 weight with adapters of 0.0 k parameters"):
        whole = fit([*arguments, *lora, "--trainer.max_epochs", "2", "--output", "whole"])
    fit([*arguments, *lora, "--output", "halves"])
    halves = fit([*arguments, *lora, "--trainer.max_epochs", "2", "--output", "halves"])
    assert torch.equal(weights(whole / "last.ckpt"), weights(halves / "last.ckpt"))
    first, last = (msbench.load(path).state_dict() for path in ("first/last.ckpt", whole / "last.ckpt"))
    assert torch.equal(first["conv.bias"], last["conv.bias"])
    moved = (last["conv.weight"] - first["conv.weight"]).flatten(1)
    assert torch.linalg.matrix_rank(moved, rtol=1e-4) == 1
    begun = fit([*arguments, *STILL, "--init_from", str(whole / "last.ckpt"), "--output", "begun"])
    assert torch.equal(weights(begun / "last.ckpt"), last["conv.weight"])


def test_adapters_need_weights(refused: Refused) -> None:
    told = refused("--model.lora", "{rank: 2}", "--output", "new")
    assert "field model.lora: it adapts the weights of another training: give them with --init_from CKPT" in told


def test_folder_follows_from_the_weights(arguments: list[str]) -> None:
    plain = fit(arguments)
    begun = fit([*arguments, "--init_from", "first/last.ckpt"])
    Path("moved.ckpt").write_bytes(Path("first/last.ckpt").read_bytes())
    assert plain != begun
    assert fit([*arguments, "--init_from", "moved.ckpt"]) == begun
    assert fit([*arguments, "--init_from", str(plain / "last.ckpt"), "--seed_everything", "1"]) not in (plain, begun)


def test_weights_that_do_not_fit_are_refused(refused: Refused) -> None:
    new = ("--output", "new", "--init_from", "first/last.ckpt")
    assert "conv.weight is 2x1x9 in the file and 2x1x5 in the model" in refused(*new, "--separator.width", "5")
    said = refused(*new, "--separator.targets", '["band", "voice"]')
    assert "is for the targets ['voice', 'band'], not ['band', 'voice']" in said
    assert "first/last.ckpt is a checkpoint of 'tiny', not of 'other'" in refused(*new, "--name", "other")
    assert "give one of the two" in refused(*new, "--ckpt_path", "first/last.ckpt")
    assert "field init_from: no checkpoint gone.ckpt" in refused("--output", "new", "--init_from", "gone.ckpt")
    torch.save(content("first/last.ckpt") | {"training": {"datasets": [3]}}, "odd.ckpt")
    assert "odd.ckpt is damaged: what it says of its training" in refused("--output", "new", "--init_from", "odd.ckpt")
    said = refused("--output", "first", "--init_from", "first/last.ckpt", "--trainer.max_epochs", "2")
    assert "did not begin with the weights of init_from" in said


def test_partial_loading_takes_what_fits_and_says_what_does_not(arguments: list[str], refused: Refused) -> None:
    new = ("--name", "other", "--output", "run", "--init_from", "first/last.ckpt", "--init_strict", "false")
    said = refused(*new, "--separator.targets", '["voice", "band", "rest"]')
    assert "first/last.ckpt has no weight that fits Other: conv.weight is 2x1x9 in the file and 3x1x9 in the" in said
    begun = [*arguments, *STILL, *new, "--separator.width", "5"]
    with pytest.warns(UserWarning, match=r"took 1 weights; conv.weight is 2x1x9 in the file and 2x1x5 in the"):
        folder = fit(begun)
    made, bias = content(folder / "last.ckpt"), "separator.conv.bias"
    assert torch.equal(made["state_dict"][bias], content("first/last.ckpt")["state_dict"][bias])
    initial = made[RUN]["initial"]
    assert (initial["sha256"], initial["taken"], initial["left"]) == (sha256_of("first/last.ckpt"), 1, 1)
    assert f"#   {initial['others'][0]}\n" in (folder / "config.yaml").read_text()
    assert made["training"]["initialized_from"] == initial["sha256"]
    assert fit([*begun, "--trainer.max_epochs", "2"]) == folder  # it goes on


def test_resumed_run_keeps_what_it_has_learned(arguments: list[str], refused: Refused) -> None:
    begun = [*arguments, "--init_from", "first/last.ckpt"]
    whole = fit([*begun, "--trainer.max_epochs", "2", "--output", "whole"])
    halves = fit([*begun, "--output", "halves"])
    fit([*begun, "--trainer.max_epochs", "2", "--output", "halves"])
    assert torch.equal(weights(whole / "last.ckpt"), weights(halves / "last.ckpt"))
    said = refused("--trainer.max_epochs", "3", "--output", "halves", "--init_from", "whole/last.ckpt")
    assert "was trained with init_from" in said
    Path("first/last.ckpt").unlink()
    fit([*arguments, "--trainer.max_epochs", "3", "--output", "halves"])  # the weights are no longer needed
    held = content(halves / "last.ckpt")
    assert held["epoch"] == 2
    assert held["training"]["initialized_from"] == held[RUN]["initial"]["sha256"]
    assert held[RUN]["settings"]["init_from"] == held[RUN]["initial"]["sha256"]  # the whole call may come again


def test_refused_change_names_the_way_on(arguments: list[str], refused: Refused) -> None:
    said = refused(*STILL, "--output", "first")
    assert "with another --output, which --init_from first/last.ckpt begins with these weights" in said
    fit([*arguments, *STILL, "--output", "new", "--init_from", "first/last.ckpt"])
    assert "--init_from" not in refused("--separator.width", "5", "--output", "first")  # they would not fit


def test_record_tells_all_that_was_learned_from_and_what_changed(arguments: list[str]) -> None:
    earlier = content("first/last.ckpt")
    earlier["training"] = {"datasets": ["elsewhere"], "tracks": 5, "hours": 1.5, "dropped": []}
    torch.save(earlier, "elsewhere.ckpt")
    begun = [*arguments, "--init_from", "elsewhere.ckpt", "--output", "run"]
    fit(begun)
    fit([*begun, "--trainer.max_epochs", "2", "--early_stopping.patience", "3"])
    call = ["evaluate", "run/best.ckpt", "--data", "folder", "--root", "songs", "--device", "cpu", "-o", "out"]
    assert main(call) == 0
    training = json.loads(Path("out/record.json").read_text())["training"]
    assert training["data"] == "extra"
    assert training["datasets"] == ["elsewhere", "folder"]
    assert training["tracks"] == 7
    assert training["initialized_from"] == sha256_of("elsewhere.ckpt")
    changed = content("run/last.ckpt")[RUN]["changed"]
    assert {"field": "trainer.max_epochs", "before": 1, "after": 2, "step": 4} in changed
    assert {"field": "early_stopping.patience", "before": 40, "after": 3, "step": 4} in changed
    text = Path("run/config.yaml").read_text()
    assert "# changed at step 4: trainer.max_epochs from 1 to 2\n" in text
    assert yaml.safe_load(text)["init_from"] == "elsewhere.ckpt"
