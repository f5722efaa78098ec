"""A board's table as Markdown, CSV and on the terminal; the same table gives the same bytes."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.table import Table

from msbench.leaderboard.board import SHOWN, targets_of

NOTE = (
    "SDR / SIR / SAR in dB: the median over tracks of each track's median over 1 s windows (BSSEval v4). In brackets: "
    "SDR above the higher floor. Ceilings see the true stems; floors are the mixture itself."
)


def _decimals(value: Any, digits: int = 2) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def _cells(row: Any, targets: list[str]) -> list[str]:
    cells = []
    for target in targets:
        gain = "" if row["role"] != "system" or pd.isna(row[f"{target} gain"]) else f" ({row[f'{target} gain']:+.2f})"
        cells.append(" / ".join(_decimals(row[f"{target} {name}"]) for name in SHOWN) + gain)
    return cells


def _rank(row: Any) -> str:
    return "" if pd.isna(row["rank"]) else str(int(row["rank"]))


def _size(parameters: int) -> str:
    return "–" if parameters == 0 else f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters / 1e3:.1f} k"


def _parts(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """One (dataset, metric id, rows with this metric's targets alone) for each ranking on the board."""
    if not len(table):
        return []
    parts = []
    for (dataset, metric), part in table.groupby(["dataset", "metric"], sort=False):
        others = [t for t in targets_of(part) if t not in metric.rsplit("targets=", 1)[1].split(",")]
        columns = [f"{target} {name}" for target in others for name in (*SHOWN, "gain")]
        parts.append((str(dataset), str(metric), part.drop(columns=columns)))
    return parts


def markdown(table: pd.DataFrame, title: str, missing: dict[str, str]) -> str:
    """The board as a Markdown page."""
    lines = [f"# {title}", ""]
    for dataset, metric, part in _parts(table):
        targets = targets_of(part)
        lines += [f"Dataset `{dataset}`, metric `{metric}`.", ""]
        header = ["", "model", "role", *targets, "parameters", "RTF", "seeds"]
        lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        for _, row in part.iterrows():
            cells = [_rank(row), _escaped(row["model"]), row["role"], *_cells(row, targets)]
            cells += [_size(row["parameters"]), _decimals(row["rtf"], 3), str(row["seeds"])]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines += [NOTE, ""]
    if missing:
        lines += ["Missing:", "", *(f"- {_escaped(name)}: {_escaped(why)}" for name, why in missing.items()), ""]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def csv(table: pd.DataFrame) -> str:
    """The board as CSV, scores to three decimals."""
    text: str = table.to_csv(index=False, float_format="%.3f", lineterminator="\n")
    return text


def terminal(table: pd.DataFrame, title: str, width: int) -> list[Table]:
    """The board as rich tables, one a ranking; where `width` columns are too few for all three scores, SDR alone."""
    tables = []
    for dataset, _, part in _parts(table):
        targets = targets_of(part)
        scores = SHOWN if width >= 24 + 18 * len(targets) else SHOWN[:1]
        shown = Table(title=f"{title} ({dataset})", box=None, header_style="bold", pad_edge=False)
        shown.add_column("model", no_wrap=True)
        for target in targets:
            shown.add_column(f"{target}\n{' '.join(f'{name:>5}' for name in scores)}", justify="right", no_wrap=True)
        for _, row in part.iterrows():
            cells = [" ".join(f"{_decimals(row[f'{t} {name}'], 1):>5}" for name in scores) for t in targets]
            shown.add_row(row["model"], *cells, style={"ceiling": "cyan", "floor": "dim"}.get(row["role"], ""))
        tables.append(shown)
    return tables
