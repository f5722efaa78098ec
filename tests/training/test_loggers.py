"""W&B and TensorBoard hold what compares runs: settings and factors as flat keys, the group, and scores."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msbench.cli.app import main
from msbench.cluster.cell import training_arguments
from msbench.runs.suite import read_suite
from msbench.training import loggers
from msbench.training.fit import fit
from msbench.training.loggers import EVENTS, flat, log_scores
from tests.tiny import fit_arguments, write_model, write_songs

GROUP = ["--group", "depth", "--factors", '{"separator.width": 9, "augmentation": "none", "skip": null}']
SCORES = {"one": {"voice": {"SDR": 1.0}}, "two": {"voice": {"SDR": 4.0}}, "three": {"voice": {"SDR": None}}}


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(write_model(tmp_path / "plugins")))
    write_songs(tmp_path / "songs")
    return [*fit_arguments(), "--trainer.max_epochs", "1"]


def test_settings_are_flat() -> None:
    settings: dict[str, Any] = {
        "name": "tiny",
        "model": {"optimizer": {"init_args": {"lr": 0.1, "betas": [1, 2]}}},
        "data": {"root": "somewhere", "gain": None, "remix": True},
        "group": "a study",
        "factors": {"recipe": "b", "separator.skip": None},
    }
    assert flat(settings) == {
        "name": "tiny",
        "model.optimizer.init_args.lr": 0.1,
        "model.optimizer.init_args.betas": "[1, 2]",
        "data.remix": True,
        "group": "a study",
        "recipe": "b",
        "separator.skip": "none",
    }


def test_tensorboard_reads_settings_and_scores(arguments: list[str]) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra: pip install msbench[tensorboard]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    plain, folder = fit(arguments), fit([*arguments, "--tensorboard", "true", *GROUP, "--output", "runs/logged"])
    assert [path.name for path in plain.parent.iterdir() if path.name != "logged"] == [plain.name]
    log_scores(plain, {"scores": SCORES})  # type: ignore[typeddict-item]  # was not logged
    assert not any(plain.glob(EVENTS))
    log_scores(folder, {"scores": SCORES})  # type: ignore[typeddict-item]
    found = EventAccumulator(str(folder)).Reload()
    assert {"val_loss", "val_sdr_voice", "best/val_loss", "test/voice/SDR"} <= set(found.Tags()["scalars"])
    assert found.Scalars("best/val_loss")[0].value == pytest.approx(found.Scalars("val_loss")[0].value)
    assert found.Scalars("test/voice/SDR")[0].value == 2.5
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["separator.width"].number_value == 9
    assert [values[key].string_value for key in ("group", "augmentation", "skip")] == ["depth", "none", "none"]
    assert "_hparams_/session_end_info" in found.PluginTagToContent("hparams")


def test_wandb_has_group_settings_and_scores(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs the extra: pip install msbench[wandb]")
    monkeypatch.setenv("WANDB_SILENT", "true")
    folder = fit([*arguments, "--wandb", "offline", *GROUP, "--output", "logged"])
    log_scores(folder, {"scores": SCORES})  # type: ignore[typeddict-item]
    runs, config, summary = _stored(folder)
    assert len({run.run_id for run in runs}) == 1
    assert {run.run_group for run in runs} == {"depth"}
    assert runs[0].display_name == "logged"
    assert config["separator.width"] == "9"
    assert config["augmentation"] == '"none"'
    assert float(summary["best/val_loss"]) > 0
    assert summary["test/voice/SDR"] == "2.5"


def _stored(folder: Path) -> tuple[list[Any], dict[str, str], dict[str, str]]:
    """The runs, their settings and their summaries, as JSON, in all files that W&B has left to be synchronized."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs: list[Any] = []
    config, summary = {}, {}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for data in _chunks(path.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("run"):
                runs.append(record.run)
                config.update({item.key: item.value_json for item in record.run.config.update})
            config.update({item.key: item.value_json for item in record.config.update})
            for item in record.summary.update:
                summary[item.key or ".".join(item.nested_key)] = item.value_json
    return runs, config, summary


def _chunks(content: bytes) -> Iterator[bytes]:
    """The records in a file of W&B: LevelDB's log after a header of 7 bytes, in blocks of 32 KiB."""
    place, whole = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no room for a header is left in the block
            place += 32768 - place % 32768
        length, kind = struct.unpack("<4xHB", content[place : place + 7])
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


@pytest.mark.parametrize("flags", [["--tensorboard", "true"], ["--wandb", "offline"]])
def test_a_logger_that_is_not_installed(
    arguments: list[str], flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find_spec(name: str) -> Any:
        return None if name in ("wandb", "tensorboard") else importlib.util.find_spec(name)

    monkeypatch.setattr(loggers, "find_spec", find_spec)
    assert main(["fit", *arguments, *flags]) == 2
    package = flags[0][2:]
    assert f"{package} is not installed: pip install 'msbench[{package}]'" in capsys.readouterr().err


def test_a_suite_turns_loggers_on_and_renames_no_cell(tmp_path: Path) -> None:
    suite = "datasets: [demo]\nmodels:\n  - mixture\n  - {recipe: unet_small, sweep: {separator.depth: [3, 4]}}\n"
    (tmp_path / "suite.yaml").write_text(suite)
    plain = read_suite(tmp_path)
    (tmp_path / "suite.yaml").write_text(f"{suite}log: {{tensorboard: true, wandb: offline}}\n")
    logged = read_suite(tmp_path)
    assert [cell.name for cell in logged.cells] == [cell.name for cell in plain.cells]
    assert logged.cells[0].overrides == {}  # nothing is trained
    flags = training_arguments(logged.cells[1], tmp_path, devices=1, nodes=1)
    given = dict(zip(flags, flags[1:], strict=False))
    assert given["--group"] == "unet_small"
    assert given["--factors"] == '{"separator.depth": 3}'
    assert (given["--tensorboard"], given["--wandb"]) == ("true", "offline")
    (tmp_path / "suite.yaml").write_text(f"{suite}log: {{wandb: maybe}}\n")
    with pytest.raises(ValueError, match=r"field 'log.wandb' must be one of online, offline"):
        read_suite(tmp_path)
    (tmp_path / "suite.yaml").write_text(f"{suite}log: {{tensorbord: true}}\n")
    with pytest.raises(ValueError, match=r"unknown field 'log.tensorbord'. Did you mean log.tensorboard|tensorboard"):
        read_suite(tmp_path)
