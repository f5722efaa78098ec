"""A study as Markdown, CSV, LaTeX and on the terminal; the same records give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from msbench.leaderboard.display import LONGEST_LABEL, MISSING, factor_value, is_number, of_unit
from msbench.leaderboard.render import CELLS_HEADING, code, csv, escaped, missing_cells, plain_text, tex, tex_id
from msbench.leaderboard.study import StudyPart, StudyResults, StudyScore
from msbench.leaderboard.study_reported import ReportedLine
from msbench.leaderboard.study_statistics import BASELINE, BETTER, WORSE
from msbench.leaderboard.study_words import (
    EFFECTS_NOTE,
    NOTE,
    REPORTED_NOTE,
    compared,
    cost_rows,
    effect_rows,
    effects_of,
    factor_values,
    few_tracks,
    head_of,
    reported_rows,
    scores_named,
    varied,
)
from msbench.metrics.wording import in_words
from msbench.records.metric_id import MetricId

MARKS = {BETTER: "▲", WORSE: "▼"}  # in a narrow table


def study_exports(results: StudyResults, title: str) -> dict[str, str]:
    """{file name: content} of every text that a study is published as."""
    stem = stem_of(results)
    return {
        f"{stem}.md": markdown(results, title),
        f"{stem}.csv": study_csv(results),
        f"{stem}.tex": latex(results, title),
    }


def stem_of(results: StudyResults) -> str:
    """How the names of a study's files begin: its name is one that a file may have."""
    return f"study-{results.name}"


def markdown(results: StudyResults, title: str) -> str:
    """The study as a Markdown page."""
    lines = [f"# {escaped(title)}: study {escaped(results.name)}", ""]
    lines += [f"- {code(factor)}: {', '.join(map(escaped, values))}" for factor, values in varied(results)]
    lines += [f"- baseline: {escaped(results.study.baseline)}", ""]
    for part in results.parts:
        lines += [f"## Dataset {code(part.place)}, metric {code(part.ranking.metric)}", ""]
        if not part.has_baseline:
            lines += ["The baseline has no record here, so that nothing is compared.", ""]
        elif warning := few_tracks(part):
            lines += [warning, ""]
        for name, scores in scores_named(part):
            lines += _score_lines(results, part, name, scores)
    if results.parts:
        lines += [NOTE, ""]
        if any(len(each.effects) for part in results.parts for each in part.scores):
            lines += [EFFECTS_NOTE, ""]
        lines += ["## Cost", "", *_cost_lines(results), ""]
    if results.reported:
        lines += ["## Reported by papers", "", *_reported_lines(results), "", REPORTED_NOTE, ""]
    text = "\n".join(lines)
    missing = results.missing
    return text + CELLS_HEADING + "\n".join([*missing_cells(missing), ""]) if missing else text


def _score_lines(results: StudyResults, part: StudyPart, name: str, scores: list[StudyScore]) -> list[str]:
    first = scores[0]
    lines = [f"### {escaped(head_of(first))}", ""]
    if first.name != name:
        lines += [f"{escaped(in_words(MetricId.parse(name)))}: {code(name)}", ""]
    factors = [factor for factor, _ in varied(results)]
    rows = []
    for label in part.labels:
        known = [each.cells.loc[label] for each in scores if label in each.cells.index]
        if known:
            seeds, tracks = (str(int(max(line[field] for line in known))) for field in ("seeds", "tracks"))
            cells = [_cell(each, label) for each in scores]
            rows.append([escaped(label), *map(escaped, factor_values(results, label)), seeds, tracks, *cells])
    heads = ["cell", *map(escaped, factors), "seeds", "tracks", *(escaped(each.target) for each in scores)]
    lines += [*_md_table(heads, rows), ""]
    effects = effect_rows(scores)
    if effects:
        heads = ["main effect", "level", "against", "combinations", *(escaped(each.target) for each in scores)]
        lines += [*_md_table(heads, [[*map(escaped, row)] for row in effects]), ""]
    return lines


def _cell(each: StudyScore, label: str) -> str:
    if label not in each.cells.index:
        return MISSING
    line = each.cells.loc[label]
    spread = f" (seeds: {of_unit(line['seed_spread'], each.unit)})" if is_number(line["seed_spread"]) else ""
    return f"{of_unit(line['median'], each.unit)}{spread}; {compared(line, each.unit)}"


def _cost_lines(results: StudyResults) -> list[str]:
    heads = ["cell", "dataset", "parameters", "steps", "hours", "GPU hours", "RTF", "peak memory (MiB)"]
    return _md_table(heads, [[escaped(cell) for cell in row] for row in cost_rows(results)])


def _reported_lines(results: StudyResults) -> list[str]:
    heads, rows, sources = reported_rows(results)
    table = _md_table([*map(escaped, heads)], [[*map(escaped, row)] for row in rows])
    return [*table, "", *(f"({i}) {escaped(source)}\n" for i, source in enumerate(sources, 1))]


def _md_table(heads: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def study_csv(results: StudyResults) -> str:
    """Cells, main effects, missing cells and reported figures as CSV; `kind` says which a line is."""
    cells, effects = results.table().drop(columns="cause"), results.main_effects()
    for factor in results.factor_columns.values():
        known = [isinstance(value, bool) or value is None or pd.notna(value) for value in cells[factor]]
        cells[factor] = [
            factor_value(value) if there else "" for value, there in zip(cells[factor], known, strict=True)
        ]
    cells.insert(0, "kind", ["missing" if verdict == "missing" else "cell" for verdict in cells["verdict"]])
    effects.insert(0, "kind", "main effect")
    figures = pd.DataFrame([line for each in results.reported for line in _reported_records(results, each)])
    table = pd.concat([frame for frame in (cells, effects, figures) if len(frame)])
    columns = [column for column in table if table[column].notna().any()]
    return csv(table[columns], "%.5g") if len(table) else ""


def _reported_records(results: StudyResults, line: ReportedLine) -> Iterator[dict[str, Any]]:
    figure = line.figure
    for target, score in figure.scores:
        yield {
            "kind": "reported",
            "study": results.name,
            "metric": figure.metric,
            "target": target,
            "score": score,
            "label": figure.system,
            **{results.factor_columns[factor]: factor_value(value) for factor, value in figure.factors.items()},
            "median": figure.scores[target, score],
            "deviation": figure.deviations.get((target, score)),
            "difference": line.differences.get((target, score)),
            "source": figure.citation,
        }


def latex(results: StudyResults, title: str) -> str:
    """The study as LaTeX tables, which need booktabs, one per score: medians, with their differences below them."""
    lines: list[str] = []
    for part in results.parts:
        for name, scores in scores_named(part):
            about = (
                f"{title}, study {results.name}: {head_of(scores[0])}; {part.place}; baseline {results.study.baseline}"
            )
            ids = part.ranking.metric if name in part.ranking.shown else name
            factors = [factor for factor, _ in varied(results)]
            heads = ["cell", *factors, *(each.target for each in scores)]
            rows = [row for label in part.labels for row in _tex_rows(results, scores, label)]
            caption = f"{tex(about, 300)}; {tex_id(ids)}. Superscripts: better (+) or worse ($-$) than the baseline."
            lines += _tex_table(caption, heads, 1 + len(factors), rows)
            effects = [row for key, cells in effects_of(scores) for row in _tex_effect(key, cells)]
            if effects:
                caption = f"Main effects: {tex(about, 300)}"
                lines += _tex_table(caption, ["factor", "level", "against", *heads[1 + len(factors) :]], 3, effects)
    if results.reported:
        heads, rows, sources = reported_rows(results)
        told = " ".join(f"({i}) {tex(source, 600)}." for i, source in enumerate(sources, 1))
        caption = f"{tex(results.name)}: figures reported by papers. {told}"
        named = 1 + len(varied(results))
        made = [[*map(tex, row[:named]), *map(_tex_number, row[named:])] for row in rows]
        lines += _tex_table(caption, heads, named, made)
    return "\n".join(lines)


def _tex_rows(results: StudyResults, scores: list[StudyScore], label: str) -> Iterator[list[str]]:
    """Medians, and below them, smaller, so that four targets fit on a page, differences with their intervals."""
    medians, differences = [], []
    for each in scores:
        line = each.cells.loc[label] if label in each.cells.index else None
        if line is None:
            medians.append(_tex_number(MISSING))
            differences.append("")
            continue
        mark = {BETTER: "$^{+}$", WORSE: "$^{-}$"}.get(line["verdict"], "")
        medians.append(_tex_number(of_unit(line["median"], each.unit)) + mark)
        told = ""
        if is_number(line["difference"]):
            interval = [of_unit(line[end], each.unit) for end in ("low", "high")]
            told = f"{of_unit(line['difference'], each.unit, '+')} ({interval[0]}, {interval[1]})"
        differences.append(_tex_number(told))
    values = factor_values(results, label)
    yield [tex(label), *map(tex, values), *medians]
    if any(differences):
        yield _tex_below(1 + len(values), differences)


def _tex_effect(key: Sequence[str], cells: list[tuple[str, str]]) -> Iterator[list[str]]:
    """A main effect: the differences with their intervals, and below them what is concluded."""
    yield [*map(tex, key[:3]), *(_tex_number(difference) for difference, _ in cells)]
    if any(conclusion for _, conclusion in cells):
        yield _tex_below(3, [_tex_number(conclusion) for _, conclusion in cells])


def _tex_below(words: int, cells: list[str]) -> list[str]:
    return [""] * words + [rf"\tiny {cell}" if cell else "" for cell in cells]


def _tex_number(text: str) -> str:
    return (
        tex(text)
        .replace("-{}-", "--")
        .replace("-", "$-$")
        .replace("–", "--")
        .replace("∞", r"$\infty$")
        .replace("±", r"$\pm$")
    )


def _tex_table(caption: str, heads: list[str], words: int, rows: list[list[str]]) -> list[str]:
    aligned = "l" * words + "r" * (len(heads) - words)
    return [
        r"\begin{table}",
        r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        " & ".join(map(tex, heads)) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ]


def terminal(results: StudyResults, width: int) -> list[Table]:
    """The study as rich tables of the score that ranks: each cell's median and difference to the baseline."""
    tables = []
    for part in results.parts:
        first = [each for each in part.scores if each.score == part.score_names[0]]
        head = f"study {results.name}: {first[0].name} ({part.place}); ▲ better, ▼ worse than the baseline"
        made = Table(title=plain_text(head), box=None, header_style="bold", pad_edge=False)
        made.add_column("cell", no_wrap=True)
        for each in first:
            made.add_column(plain_text(each.target, 16), justify="right", no_wrap=True)
        longest = max(12, min(LONGEST_LABEL, width - 18 * len(first)))
        for label in part.labels:
            style = "dim" if label == results.study.baseline else None
            made.add_row(plain_text(label, longest), *(_terminal_cell(each, label) for each in first), style=style)
        tables.append(made)
    return tables


def _terminal_cell(each: StudyScore, label: str) -> str:
    if label not in each.cells.index:
        return MISSING
    line = each.cells.loc[label]
    told = BASELINE if line["verdict"] == BASELINE else of_unit(line["difference"], each.unit, "+")
    return f"{of_unit(line['median'], each.unit)} {told:>6}{MARKS.get(line['verdict'], ' ')}"
