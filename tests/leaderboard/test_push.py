"""A board's tables and charts as a run of Weights & Biases, offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from msbench.cli.app import main
from msbench.system.files import write_json
from tests.leaderboard.boards import record


@pytest.mark.parametrize("text", ["voice", "../../../../escaped/x", "/etc/passwd", "a, b: <c>"])
def test_tables_and_charts_go_to_wandb(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs the extra: pip install msbench[wandb]")
    board, runs = tmp_path / "board", tmp_path / "runs"
    runs.mkdir()
    target = text.replace(",", "")
    for label in ("net_small", "net_large"):
        made = record(label)
        made["dataset"]["name"] = text
        made["metric"]["id"] = f"bsseval-v4;targets=band,{target}"
        made["model"]["targets"] = ["band", target]
        made["scores"] = {
            track: {"band": scores["band"], target: scores["voice"]} for track, scores in made["scores"].items()
        }
        write_json(board / "records" / f"{label}.json", made)
    monkeypatch.setenv("WANDB_DIR", str(runs))
    assert main(["board", "push", "wandb", str(board), "--mode", "offline"]) == 0
    media = [path.relative_to(runs).as_posix() for path in runs.rglob("files/media/**/*") if path.is_file()]
    table = next(path for path in media if "table/table/" in path)
    assert "net_large" in (runs / table).read_text()
    assert sum("images/chart/" in path for path in media) == 1
    assert sum("table/pairs/" in path for path in media) == 2
    assert sum("table/ranks/" in path for path in media) == 2
    assert list(runs.rglob("*.wandb"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board", "runs"]
