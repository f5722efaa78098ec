"""A board's table and charts as a run of Weights & Biases."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from msbench.leaderboard.board import Board
from msbench.leaderboard.chart import chart
from msbench.leaderboard.rankings import Ranking
from msbench.leaderboard.rows import as_table


def push(board: Board, project: str, mode: str) -> str:
    """Log one table and one chart per ranking, and the comparisons of the pages, to a new run.

    Args:
        board: The board.
        project: Of Weights & Biases.
        mode: `online`, or `offline`: kept in ./wandb (or $WANDB_DIR) until `wandb sync`.

    Returns:
        The run's address, or its folder where it is offline.

    Raises:
        ModuleNotFoundError: If wandb is not installed.
        ValueError: If the board has no rankings.
    """
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("wandb is not installed: pip install 'msbench[wandb]'") from error
    rankings = board.rankings()
    if not rankings:
        raise ValueError(f"{board.folder} has no records to push: run its suite first")
    run = wandb.init(
        project=project,
        name=board.title,
        job_type="board",
        mode="offline" if mode == "offline" else "online",
        dir=Path(os.environ.get("WANDB_DIR", "")).absolute(),  # W&B's own process keeps the directory it began in
    )
    try:
        run.log(_content(wandb, board, rankings, Path(run.dir)))
        return str(run.url or Path(run.dir).parent)
    finally:
        run.finish()


def _content(wandb: Any, board: Board, rankings: list[Ranking], folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for number, ranking in enumerate(rankings):
        place = f"{number}-{_word(ranking.dataset)}-{_word(ranking.split)}"
        table = as_table(ranking.rows)
        rows = table.astype(object).where(table.notna(), None)
        content[f"table/{place}"] = wandb.Table(dataframe=rows)
        path = folder / f"chart-{number}.png"
        chart(table, board.title, path)
        content[f"chart/{place}"] = wandb.Image(str(path))
        for i, target in enumerate(ranking.targets):
            comparison = ranking.comparison(target)
            if comparison is not None:
                own = f"{place}/{i}-{_word(target)}"
                for ranked in comparison.ranked:
                    content[f"ranks/{own}/{_word(str(ranked.group))}"] = wandb.Table(dataframe=ranked.ranks)
                content[f"pairs/{own}"] = wandb.Table(dataframe=comparison.pairs)
    return content


def _word(text: str) -> str:
    """A name of a record within a key, which becomes a path of W&B's."""
    return re.sub(r"[^\w-]+", "-", text)[:40]
