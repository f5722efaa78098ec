"""A study as a picture: a panel per factor, the difference to the baseline by the factor's value."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

from msbench.leaderboard.display import LONGEST_LABEL, name
from msbench.leaderboard.study import StudyResults
from msbench.leaderboard.study_points import Panel, panels
from msbench.system.files import replacing

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe & Ito
SYMBOLS = ("o", "s", "^", "D", "v", "P")
MOST_SERIES = len(COLORS)  # the others share a color
WIDEST_LABEL = 60  # letters
MOST_TARGETS, MOST_FACTORS, MOST_LEVELS = 6, 6, 24  # beyond, nobody reads a picture: the page has all


def study_chart(results: StudyResults, title: str, path: Path) -> bool:
    """Write a PNG of the score that ranks, a row per target and a column per factor, of the study's first ranking.

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.figure import Figure

    part = next((part for part in results.parts if part.has_baseline), None)
    if part is None:
        return False
    shown = [each for each in part.scores if each.score == part.score_names[0]][:MOST_TARGETS]
    rows = [panels(results, each)[:MOST_FACTORS] for each in shown]
    figure = Figure(figsize=(4.2 * len(rows[0]) + 0.4, 2.6 * len(rows) + 0.9), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharey="row", sharex="col")
    named: list[set[str]] = [set() for _ in rows[0]]  # the series of a column that a legend above has named
    for i, (each, row) in enumerate(zip(shown, rows, strict=True)):
        for j, panel in enumerate(row):
            _draw(axes[i][j], panel, named[j])
            if i == len(rows) - 1:
                axes[i][j].set_xlabel(name(panel.factor, LONGEST_LABEL), fontsize=9, parse_math=False)
        unit = f" ({each.unit})" if each.unit else ""
        label = f"{name(each.target, 24)}\n{each.name}, difference{unit}"
        axes[i][0].set_ylabel(label, fontsize=8, parse_math=False)
    heads = wrap(name(title, 150), 50)  # letters: as wide as a panel
    heads.append(f"study {name(results.name, 40)}, against {name(results.study.baseline, 40)}")
    figure.suptitle("\n".join(heads), fontsize=9 if len(rows[0]) > 1 else 7, parse_math=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    return True


def _draw(axis: Any, panel: Panel, named: set[str]) -> None:
    """Draw a panel, with a legend where there are several series and one is not among those that are `named`."""
    axis.axhline(0, color="#555555", linestyle=":", linewidth=1)
    series = list(dict.fromkeys(point.series for point in panel.points))
    spread = 0.0 if panel.numeric else min(0.08, 0.5 / max(1, len(series)))
    for k, own in enumerate(series):
        points = sorted((each for each in panel.points if each.series == own), key=lambda each: each.position)
        color, symbol = COLORS[k % MOST_SERIES], SYMBOLS[k % MOST_SERIES]
        x = [each.position + spread * (k - (len(series) - 1) / 2) for each in points]
        y = [each.difference for each in points]
        is_reported = points[0].reported
        line = "--" if is_reported and panel.numeric else "-" if panel.numeric else "none"
        face = "white" if is_reported else color
        style = {"linestyle": line, "marker": symbol, "markersize": 5, "markerfacecolor": face, "color": color}
        axis.plot(x, y, label=_label(own or "measured"), **style)
        ends = [(place, each) for place, each in zip(x, points, strict=True) if each.low is not None]
        axis.vlines([place for place, _ in ends], *_bounds([each for _, each in ends]), color=color, linewidth=1.2)
    if len(panel.levels) <= MOST_LEVELS:
        labels = [name(level, 18) for level in panel.levels]
        turn = 30 if max(map(len, labels), default=0) > 8 else 0
        turned = {"rotation": turn, "ha": "right" if turn else "center"}
        places = [float(level) for level in panel.levels] if panel.numeric else range(len(labels))
        axis.set_xticks(places, labels, fontsize=8, parse_math=False, **turned)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    if not 1 < len(series) <= MOST_SERIES or named.issuperset(series):
        return
    named.update(series)
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.0}
    for text in axis.legend(fontsize=6, frameon=False, **above).get_texts():
        text.set_parse_math(False)


def _label(series: str) -> str:
    """A series in as many letters as a panel is wide; of a long citation, the values in brackets behind it stay."""
    head, bracket, values = series.rpartition(" (")
    if not bracket or len(values) > WIDEST_LABEL // 2:
        return name(series, WIDEST_LABEL)
    return f"{name(head, WIDEST_LABEL - len(values))}{bracket}{name(values)}"


def _bounds(points: list[Any]) -> tuple[list[float], list[float]]:
    return [each.low for each in points], [each.high for each in points]
