"""A board's table as Markdown, CSV, JSON, LaTeX and on the terminal; the same table gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from msbench.leaderboard.display import (
    INFINITE,
    LONGEST_LABEL,
    LONGEST_NAME,
    NOISE_DB,
    count,
    decibels,
    decimals,
    is_number,
    name,
)
from msbench.leaderboard.rows import OPTIONAL, parts_of, shown
from msbench.records.metric_id import BSSEVAL, POOLED, MetricId
from msbench.system.errors import LONGEST, one_line

# `msbench board check` compares published tables with these words: another wording makes each published board differ.
NOTE = (
    "Of BSSEval v4: the median over tracks of each track's median over 1 s windows. In brackets: SDR above the higher "
    "floor. Ceilings see the true stems; floors are the mixture itself."
)
SHORT_NOTE = (
    "Of BSSEval v4: the median over tracks of each track's median over 1 s windows. Ceilings see the true stems; "
    "floors are the mixture itself."
)
POOLED_NOTE = f"Where a metric id says {POOLED}: the median over the windows of all tracks at once."
INFINITE_NOTE = (
    f"{INFINITE}: above {NOISE_DB:.0f} dB, where a score is rounding noise. The mixture, for one, holds no artifacts, "
    "so that its SAR is infinite."
)
CELLS_HEADING = "\nMissing:\n\n"
COUNTED = (
    "Ranks are counted among rows of one tier and of one kind of training data, scored on all tracks that most rows "
    "were scored on."
)


def _cells(row: Any, targets: list[str]) -> list[str]:
    cells = []
    for target in targets:
        gain = row[f"{target} gain"]
        gain = "" if row["role"] != "system" or pd.isna(gain) else f" ({decibels(gain, sign='+')})"
        cells.append(" / ".join(decibels(row[f"{target} {name}"]) for name in shown(row["metric"])) + gain)
    return cells


def _rank(row: Any) -> str:
    return "" if pd.isna(row["rank"]) else str(int(row["rank"]))


def board_exports(
    table: pd.DataFrame, title: str, missing: dict[str, str], faults: Sequence[str] = ()
) -> dict[str, str]:
    """{file name: content} of every text of a board itself."""
    return {
        "board.md": markdown(table, title, missing),
        "board.csv": csv(table),
        "board.json": as_json(table, title, faults),
        "board.tex": latex(table, title),
    }


def _origins(rows: pd.DataFrame) -> list[str]:
    """The columns that say how far a row can be trusted, where rows differ in them, and how its model was run."""
    reported = ("tier", "data") if rows["tier"].iloc[0] == "reported" else ()
    found = [column for column in ("tier", "data", "tracks") if column in reported or rows[column].nunique() > 1]
    return [*found, *(column for column in OPTIONAL if column in rows and rows[column].any())]


def markdown(table: pd.DataFrame, title: str, missing: dict[str, str]) -> str:
    """The board as a Markdown page."""
    lines = [f"# {escaped(title)}", ""]
    for part in parts_of(table):
        metric, targets = part.metric, part.targets
        lines += [f"Dataset {code(part.dataset)}, metric {code(metric)}: {' / '.join(shown(metric))} in dB.", ""]
        origins = _origins(part.rows)
        header = ["", "model", "role", *origins, *map(escaped, targets), "parameters", "RTF", "seeds"]
        lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        for _, row in part.rows.iterrows():
            cells = [_rank(row), escaped(row["model"]), row["role"], *(escaped(str(row[column])) for column in origins)]
            cells += _cells(row, targets)
            cells += [count(row["parameters"]), decimals(row["rtf"], 3), str(row["seeds"])]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
        if origins:
            lines += [COUNTED, ""]
    ids = [MetricId.parse(part.metric) for part in parts_of(table)]
    if not ids or any(each.family == BSSEVAL.family for each in ids):
        lines += [NOTE, ""]
    if any(each.is_pooled for each in ids):
        lines += [POOLED_NOTE, ""]
    if any(INFINITE in line for line in lines[2:]):
        lines += [INFINITE_NOTE, ""]
    text = "\n".join(lines)
    return text + CELLS_HEADING + "\n".join([*missing_cells(missing), ""]) if missing else text


def missing_cells(missing: dict[str, str]) -> list[str]:
    """A line for each cell that has no record, and why."""
    return [f"{missing_cell(name)}: {escaped(why)}" for name, why in missing.items()]


def missing_cell(name: str) -> str:
    """How the line of a missing cell begins."""
    return f"- {escaped(name)}"


def escaped(text: str) -> str:
    """Text of a record, in which no Markdown acts."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{sign}" if sign in "\\|[]!`*" else sign for sign in text)


def code(text: str) -> str:
    """Text of a record as code of Markdown."""
    return f"`{one_line(text).replace('`', chr(39))}`"


def csv(table: pd.DataFrame, form: str = "%.3f") -> str:
    """A table as CSV, scores of a board to three decimals; spreadsheets compute no text and no heading of it."""
    texts = {
        column: table[column].map(_guarded) for column in table if not pd.api.types.is_numeric_dtype(table[column])
    }
    guarded = table.assign(**texts).rename(columns=_guarded)
    text: str = guarded.to_csv(index=False, float_format=form, lineterminator="\n")
    return text


# Where a cell may begin: a semicolon parts cells in the spreadsheets of half of Europe, whatever the quotes.
_FORMULA = re.compile(r"(^|;)(?=[=+\-@\t\r\n＝＋－＠])")


def _guarded(value: Any) -> Any:
    """A text with an apostrophe before whatever a spreadsheet would compute; numbers stay numbers."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value


def as_json(table: pd.DataFrame, title: str, faults: Sequence[str] = ()) -> str:
    """The board as JSON: its rows with scores to three decimals, null where there is none, and faults of records."""
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.astype(object).to_dict("records")]
    content = {"title": title, "rows": rows} | ({"faults": list(faults)} if faults else {})
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if value == float("inf"):
        return "inf"  # JSON has no such number; float("inf") reads it
    if not is_number(value):
        return None
    return round(float(value), 3) if isinstance(value, float) else int(value)


LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


def latex(table: pd.DataFrame, title: str) -> str:
    """The board as LaTeX tables of the score that ranks; they need booktabs, and a Unicode engine for such names."""
    lines = []
    for part in parts_of(table):
        metric, targets = part.metric, part.targets
        origins = _origins(part.rows)
        lines += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{tex(title)}: {shown(metric)[0]} in dB on {tex(part.dataset)}, {tex_id(metric)}}}",
        ]
        lines += [rf"\begin{{tabular}}{{rl{'l' * len(origins)}{'r' * len(targets)}}}", r"\toprule"]
        lines += [" & ".join(["", "model", *origins, *map(tex, targets)]) + r" \\", r"\midrule"]
        for _, row in part.rows.iterrows():
            cells = [_rank(row), tex(row["model"]), *(tex(str(row[column])) for column in origins)]
            values = [decibels(row[f"{target} {shown(metric)[0]}"]) for target in targets]
            cells += [value.replace("-", "$-$").replace("–", "--").replace(INFINITE, r"$\infty$") for value in values]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def tex(text: str, longest: int = LONGEST_NAME) -> str:
    """Text of a record, in which no LaTeX acts."""
    return "".join(LATEX.get(sign, sign) for sign in one_line(text, longest)).replace("--", "-{}-")


def tex_id(metric: str) -> str:
    """A metric id, which has no spaces, with places to break the line at."""
    return re.sub(r"([;,])", r"\1\\allowbreak{}", tex(metric, LONGEST))


STYLES = {"ceiling": "cyan", "floor": "dim"}  # by role
SHORTEST_LABEL = 12  # characters of a model's name that a narrow terminal keeps


def terminal(table: pd.DataFrame, title: str, width: int) -> list[Table]:
    """The board as rich tables, one per ranking; where `width` columns are too few for three scores, the first alone.

    Names of models are cut, so that the scores have their room.
    """
    tables = []
    for part in parts_of(table):
        metric, targets = part.metric, part.targets
        scores = shown(metric) if width >= 24 + 18 * len(targets) else shown(metric)[:1]
        made = Table(title=plain_text(f"{title} ({part.dataset})"), box=None, header_style="bold", pad_edge=False)
        made.add_column("model", no_wrap=True)
        room = width
        for target in targets:
            head = plain_text(target, LONGEST_LABEL).append(f"\n{' '.join(f'{score:>5}' for score in scores)}")
            made.add_column(head, justify="right", no_wrap=True)
            room -= 2 + max(map(len, head.plain.splitlines()))
        longest = max(SHORTEST_LABEL, min(LONGEST_LABEL, room))
        for _, row in part.rows.iterrows():
            cells = [" ".join(f"{decibels(row[f'{t} {score}'], 1):>5}" for score in scores) for t in targets]
            made.add_row(plain_text(row["model"], longest), *cells, style=STYLES.get(row["role"]))
        tables.append(made)
    return tables


def plain_text(text: str, longest: int = LONGEST_NAME) -> Text:
    """Neither rich's markup nor a terminal's control characters act in it."""
    return Text(name(text, longest))
