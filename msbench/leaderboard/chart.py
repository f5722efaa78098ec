"""The board as a picture: the score that ranks, of every model and target, between floor and ceiling."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from msbench.leaderboard.display import LONGEST_LABEL, NOISE_DB, decibels, name
from msbench.leaderboard.rows import parts_of, shown
from msbench.system.files import replacing

COLORS = {"ceiling": "#56B4E9", "floor": "#999999"}  # Okabe & Ito: distinguishable without red and green
MOST_ROWS = 60  # beyond, nobody reads a picture: the pages have all
MOST_TARGETS = 16  # the layout of panels takes seconds for more
SYSTEMS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#F0E442")


def chart(table: pd.DataFrame, title: str, path: Path) -> None:
    """Write bars in dB as a PNG, one panel per target, for the table's first ranking."""
    from matplotlib.figure import Figure

    part = parts_of(table)[0]
    dropped = max(0, len(part.rows) - MOST_ROWS)
    first = part.rows.head(MOST_ROWS)
    targets, score = part.targets[:MOST_TARGETS], shown(part.metric)[0]
    systems = [model for model, role in zip(first["model"], first["role"], strict=True) if role == "system"]
    colors = [
        COLORS.get(role) or SYSTEMS[systems.index(model) % len(SYSTEMS)]
        for model, role in zip(first["model"], first["role"], strict=True)
    ]
    figure = Figure(figsize=(3.0 * len(targets) + 1.5, 0.34 * len(first) + 1.4), layout="constrained")
    for axis, target in zip(figure.subplots(1, len(targets), sharey=True, squeeze=False)[0], targets, strict=True):
        values = first[f"{target} {score}"].astype(float).fillna(0.0)
        bars = axis.barh(range(len(first)), values.clip(upper=NOISE_DB), color=colors)
        axis.bar_label(bars, [f" {decibels(v, 1)}" for v in values], fontsize=8)
        floors = first.loc[first["role"] == "floor", f"{target} {score}"].astype(float)
        if len(floors):
            axis.axvline(min(floors.max(), NOISE_DB), color="#555555", linestyle=":", linewidth=1)
        axis.set_title(name(target, LONGEST_LABEL), fontsize=10, parse_math=False)
        axis.set_xlabel(f"{score} (dB)", fontsize=8)
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    names = [name(model, LONGEST_LABEL) for model in first["model"]]
    figure.axes[0].set_yticks(range(len(first)), names, fontsize=8, parse_math=False)
    figure.axes[0].invert_yaxis()
    more = f", {dropped} rows are not drawn" if dropped else ""
    if len(part.targets) > len(targets):
        more += f", {len(part.targets) - len(targets)} targets are not drawn"
    figure.suptitle(f"{title} (dotted: the higher floor{more})", fontsize=11, parse_math=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
