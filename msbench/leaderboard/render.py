"""A board's table as Markdown, CSV, JSON, LaTeX and on the terminal; the same table gives the same bytes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from msbench.leaderboard.rows import shown, targets_of
from msbench.leaderboard.text import LONGEST_NAME, LONGEST_TEXT, line, name
from msbench.records.metric_id import BSSEVAL, MetricId

NOTE = (
    "Of BSSEval v4: the median over tracks of each track's median over 1 s windows. In brackets: SDR above the higher "
    "floor. Ceilings see the true stems; floors are the mixture itself."
)
CELLS_HEADING = "\nMissing:\n\n"
COUNTED = (
    "Ranks are counted among rows of one tier and of one kind of training data, scored on all tracks that most rows "
    "were scored on."
)


def _decimals(value: Any, digits: int = 2) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def _cells(row: Any, targets: list[str]) -> list[str]:
    cells = []
    for target in targets:
        gain = "" if row["role"] != "system" or pd.isna(row[f"{target} gain"]) else f" ({row[f'{target} gain']:+.2f})"
        cells.append(" / ".join(_decimals(row[f"{target} {name}"]) for name in shown(row["metric"])) + gain)
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
    for (dataset, metric, _), part in table.groupby(["dataset", "metric", "fingerprint"], sort=False):
        own = MetricId.parse(str(metric)).targets
        kept = [f"{target} {score}" for target in own for score in (*shown(str(metric)), "gain")]
        others = {column for column in part if any(column.startswith(f"{t} ") for t in targets_of(part))}
        parts.append((str(dataset), str(metric), part.drop(columns=sorted(others - set(kept)))))
    return parts


def exports(table: pd.DataFrame, title: str, missing: dict[str, str]) -> dict[str, str]:
    """{file name: content} of every text that a board is published as."""
    return {
        "board.md": markdown(table, title, missing), "board.csv": csv(table), "board.json": as_json(table, title),
        "board.tex": latex(table, title),
    }  # fmt: skip


def _origins(part: pd.DataFrame) -> list[str]:
    """The columns that say how far a row can be trusted, where rows differ in them."""
    reported = ("tier", "data") if part["tier"].iloc[0] == "reported" else ()
    return [column for column in ("tier", "data", "tracks") if column in reported or part[column].nunique() > 1]


def markdown(table: pd.DataFrame, title: str, missing: dict[str, str]) -> str:
    """The board as a Markdown page."""
    lines = [f"# {_escaped(title)}", ""]
    for dataset, metric, part in _parts(table):
        targets = targets_of(part)
        lines += [f"Dataset {_code(dataset)}, metric {_code(metric)}: {' / '.join(shown(metric))} in dB.", ""]
        origins = _origins(part)
        header = ["", "model", "role", *origins, *map(_escaped, targets), "parameters", "RTF", "seeds"]
        lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        for _, row in part.iterrows():
            cells = [_rank(row), _escaped(row["model"]), row["role"], *(str(row[column]) for column in origins)]
            cells += _cells(row, targets)
            cells += [_size(row["parameters"]), _decimals(row["rtf"], 3), str(row["seeds"])]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
        if origins:
            lines += [COUNTED, ""]
    if not len(table) or any(MetricId.parse(str(m)).family == BSSEVAL.family for m in table["metric"].unique()):
        lines += [NOTE, ""]
    text = "\n".join(lines)
    return text + CELLS_HEADING.removeprefix("\n") + "\n".join([*missing_cells(missing), ""]) if missing else text


def missing_cells(missing: dict[str, str]) -> list[str]:
    """A line for each cell that has no record, and why."""
    return [f"- {_escaped(name)}: {_escaped(why)}" for name, why in missing.items()]


def _escaped(text: str) -> str:
    text = line(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "\\|[]!`*" else sign for sign in text)


def _code(text: str) -> str:
    return f"`{line(text).replace('`', chr(39))}`"


def csv(table: pd.DataFrame) -> str:
    """The board as CSV, scores to three decimals; an apostrophe keeps spreadsheets from computing a name."""
    if len(table):
        names = [f"'{name}" if name[:1] in tuple("=+-@\t\r") else name for name in table["model"]]
        table = table.assign(model=names)
    text: str = table.to_csv(index=False, float_format="%.3f", lineterminator="\n")
    return text


def as_json(table: pd.DataFrame, title: str) -> str:
    """The board as JSON: its rows with scores to three decimals, and null where there is none."""
    rows = [
        {key: _plain(value) for key, value in row.items()} for row in table.astype(object).to_dict("records")
    ]  # fmt: skip
    return json.dumps({"title": title, "rows": rows}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return round(float(value), 3) if isinstance(value, float) else value if isinstance(value, str) else int(value)


LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}  # fmt: skip


def latex(table: pd.DataFrame, title: str) -> str:
    """The board as LaTeX tables of the score that ranks; they need booktabs, and a Unicode engine for such names."""
    lines = []
    for dataset, metric, part in _parts(table):
        targets = targets_of(part)
        origins = _origins(part)
        lines += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(title)}: {shown(metric)[0]} in dB on {_tex(dataset)}, {_tex_id(metric)}}}",
        ]
        lines += [rf"\begin{{tabular}}{{rl{'l' * len(origins)}{'r' * len(targets)}}}", r"\toprule"]
        lines += [" & ".join(["", "model", *origins, *map(_tex, targets)]) + r" \\", r"\midrule"]
        for _, row in part.iterrows():
            cells = [_rank(row), _tex(row["model"]), *(str(row[column]) for column in origins)]
            values = [_decimals(row[f"{target} {shown(metric)[0]}"]) for target in targets]
            cells += [value.replace("-", "$-$").replace("–", "--") for value in values]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _tex(text: str, longest: int = LONGEST_NAME) -> str:
    return "".join(LATEX.get(sign, sign) for sign in line(text, longest)).replace("--", "-{}-")


def _tex_id(metric: str) -> str:
    """A metric id, which has no spaces, with places to break the line at."""
    return re.sub(r"([;,])", r"\1\\allowbreak{}", _tex(metric, LONGEST_TEXT))


def terminal(table: pd.DataFrame, title: str, width: int) -> list[Table]:
    """The board as rich tables, one a ranking; where `width` columns are too few for three scores, the first alone."""
    tables = []
    for dataset, metric, part in _parts(table):
        targets = targets_of(part)
        scores = shown(metric) if width >= 24 + 18 * len(targets) else shown(metric)[:1]
        made = Table(title=_plain_text(f"{title} ({dataset})"), box=None, header_style="bold", pad_edge=False)
        made.add_column("model", no_wrap=True)
        for target in targets:
            head = _plain_text(target, 40).append(f"\n{' '.join(f'{score:>5}' for score in scores)}")
            made.add_column(head, justify="right", no_wrap=True)
        for _, row in part.iterrows():
            cells = [" ".join(f"{_decimals(row[f'{t} {score}'], 1):>5}" for score in scores) for t in targets]
            made.add_row(
                _plain_text(row["model"]), *cells, style={"ceiling": "cyan", "floor": "dim"}.get(row["role"], "")
            )
        tables.append(made)
    return tables


def _plain_text(text: str, longest: int = LONGEST_NAME) -> Text:
    """Neither rich's markup nor a terminal's control characters act in it."""
    return Text(name(text, longest))
