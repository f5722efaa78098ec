"""The tutorial, as a newcomer goes through it: it ends on a board."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from msbench.cli.app import main
from msbench.leaderboard.board import Board
from msbench.runs.suite import read_suite

PAGE = (Path(__file__).parents[2] / "docs" / "your-model.md").read_text("utf-8")
COMMANDS = [line.split()[1:] for line in re.findall(r"^```\n(msbench [^\n]+)\n```$", PAGE, re.MULTILINE)]
SUITES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_ends_on_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one short epoch in the recipe; `check`, `fit` and `serve` have tests of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", "")  # which --plugin changes
    new, check, fit, bench, serve = COMMANDS
    assert [words[0] for words in (check, fit, serve)] == ["check", "fit", "board"]
    assert main(new) == 0
    recipe = yaml.safe_load(Path("my_net.yaml").read_text())
    recipe["trainer"]["max_epochs"] = 1
    recipe["data"]["chunks_per_epoch"] = 8
    Path("my_net.yaml").write_text(yaml.safe_dump(recipe))
    Path(bench[1]).mkdir()
    Path(bench[1], "suite.yaml").write_text(SUITES[0])
    assert main([*bench, "--jobs", "1"]) == 0
    assert set(Board(bench[1]).table()["model"]) == {"my_net", "oracle_irm", "mixture"}
    assert Path(bench[1], "site", "index.html").is_file()
    Path(bench[1], "suite.yaml").write_text(f"datasets: [demo]\n{SUITES[1]}")
    assert [cell.label for cell in read_suite(Path(bench[1])).cells] == ["my_net", "my_net_wide", "unet"]
