"""What the files and the page of a study say in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msbench.leaderboard.display import MISSING, count, decimals, factor_value, of_unit, probability
from msbench.leaderboard.paired import ALPHA
from msbench.leaderboard.study import StudyPart, StudyResults, StudyScore
from msbench.leaderboard.study_reported import ReportedLine
from msbench.leaderboard.study_statistics import BASELINE, UNTESTED, smallest_p
from msbench.metrics.catalogue import unit_of
from msbench.metrics.wording import in_words
from msbench.records.metric_id import MetricId
from msbench.system.wording import counted

# `msbench board check` compares published files with these words.
NOTE = (
    "Each cell: the median over tracks (of the median over seeds), then the paired difference to the baseline: the "
    "median over common tracks of the cell minus the baseline, its 95% bootstrap interval over tracks, and p of the "
    "Wilcoxon signed-rank test with Holm's correction over the study's comparisons of one target and score. A "
    "difference with p above 0.05 is not distinguished from none, which does not say that there is none. Over tracks, "
    "a study always takes the median, also of metrics whose number of a dataset is a mean elsewhere."
)
EFFECTS_NOTE = (
    "A main effect compares two levels of one factor, averaged over the other factors: a level's score of a track is "
    "the mean over its cells, and only combinations that every level has a scored cell of are averaged. Holm's "
    "correction is over all levels and factors of one target and score."
)
REPORTED_NOTE = (
    "Figures of papers, made with other data, code or measures: they are neither tested nor ranked with those above. "
    "Their differences are to the same paper's figure with the baseline's factors."
)


def few_tracks(part: StudyPart) -> str:
    """A warning where no test of so few tracks can pass; else nothing."""
    tracks = max((int(each.cells["common"].max()) for each in part.scores), default=0)
    least = smallest_p(tracks)
    compared_cells = [count for each in part.scores if (count := int(each.cells["p"].notna().sum()))]
    corrected = least * min(compared_cells, default=1)
    if corrected <= ALPHA:
        return ""
    given = f"With {counted(tracks, 'track')}, the smallest p that the test can give is {least:g}"
    if least <= ALPHA:
        return (
            f"{given}, and {corrected:g} after Holm's correction over {min(compared_cells)} comparisons: no cell can "
            "be distinguished here, however large its difference is."
        )
    return f"{given}: no difference can be distinguished here, however large it is."


def compared(line: Any, unit: str) -> str:
    """A difference, its interval, p and verdict, in words: "+0.31 (0.10 to 0.52), p 0.031, better"."""
    return _in_one(_difference_and_verdict(line, unit))


def _difference_and_verdict(line: Any, unit: str) -> tuple[str, str]:
    """ "+0.31 (0.10 to 0.52)" and "p 0.031, better"; of a baseline, or without a test, the verdict alone."""
    if line["verdict"] in (BASELINE, UNTESTED):
        return str(line["verdict"]), ""
    interval = f"{of_unit(line['low'], unit)} to {of_unit(line['high'], unit)}"
    told = f"p {probability(line['p_holm'])}, {line['verdict']}"
    return f"{of_unit(line['difference'], unit, '+')} ({interval})", told


def _in_one(parts: tuple[str, str]) -> str:
    return ", ".join(part for part in parts if part)


def scores_named(part: StudyPart) -> Iterator[tuple[str, list[StudyScore]]]:
    """(score, one entry per target) of a part."""
    for name in part.score_names:
        yield name, [each for each in part.scores if each.score == name]


def head_of(each: StudyScore) -> str:
    """ "SDR (dB), higher is better"."""
    return f"{each.name}{f' ({each.unit})' if each.unit else ''}, {each.better} is better"


def varied(results: StudyResults) -> list[tuple[str, list[str]]]:
    """(factor, its values in words) of the factors that vary, in the suite's order."""
    cells = results.study.cells.values()
    values = {
        factor: list(dict.fromkeys(factor_value(cell[factor]) for cell in cells if factor in cell))
        for factor in results.study.factors
    }
    return [(factor, found) for factor, found in values.items() if len(found) > 1]


def factor_values(results: StudyResults, label: str) -> list[str]:
    """The values of a cell, in the order of `varied`; a dash where a factor does not concern it."""
    cell = results.study.cells[label]
    return [factor_value(cell[factor]) if factor in cell else MISSING for factor, _ in varied(results)]


def effect_rows(scores: Sequence[StudyScore]) -> list[list[str]]:
    """Factor, level, baseline's level, combinations, and a difference per target; not escaped."""
    return [[*key, *map(_in_one, cells)] for key, cells in effects_of(scores)]


def effects_of(scores: Sequence[StudyScore]) -> list[tuple[tuple[str, ...], list[tuple[str, str]]]]:
    """The same as `effect_rows`, with each difference and what is concluded of it apart."""
    keys = dict.fromkeys(
        (line["factor"], line["level"], line["baseline_level"], str(line["combinations"]))
        for each in scores
        for line in each.effects.to_dict("records")
    )
    rows: list[tuple[tuple[str, ...], list[tuple[str, str]]]] = []
    for key in keys:
        cells = []
        for each in scores:
            lines = [line for line in each.effects.to_dict("records") if (line["factor"], line["level"]) == key[:2]]
            cells.append(_difference_and_verdict(lines[0], each.unit) if lines else (MISSING, ""))
        rows.append((key, cells))
    return rows


def cost_rows(results: StudyResults) -> list[list[str]]:
    """cell, dataset, parameters, steps, hours, GPU hours, RTF and peak memory of each cell, in words."""
    found, seen = [], set()
    for part in results.parts:
        for cost in part.costs():
            if (cost.label, part.place) in seen:
                continue  # another metric of the same runs
            seen.add((cost.label, part.place))
            steps = MISSING if cost.steps is None else f"{cost.steps:.0f}"
            memory = None if cost.peak_bytes is None else cost.peak_bytes / 2**20
            numbers = [decimals(cost.hours, 2), decimals(cost.gpu_hours, 2), decimals(cost.rtf, 3), decimals(memory, 0)]
            found.append([cost.label, part.place, count(cost.parameters), steps, *numbers])
    return found


def reported_rows(results: StudyResults) -> tuple[list[str], list[list[str]], list[str]]:
    """(heads, a row per figure, the sources that rows refer to by number), not escaped."""
    factors = [factor for factor, _ in varied(results)]
    keys = list(dict.fromkeys(key for line in results.reported for key in line.figure.scores))
    heads = ["system", *factors, *(f"{target} {score}" for target, score in keys), "source"]
    sources: list[str] = []
    rows = []
    for line in results.reported:
        figure = line.figure
        metric = in_words(MetricId.parse(figure.metric)) if figure.metric else ""
        source = "; ".join(filter(None, [figure.citation, figure.read_in, metric]))
        if source not in sources:
            sources.append(source)
        values = [factor_value(figure.factors[name]) if name in figure.factors else MISSING for name in factors]
        cells = [_reported_cell(line, key) for key in keys]
        rows.append([figure.system, *values, *cells, f"({sources.index(source) + 1})"])
    return heads, rows, sources


def _reported_cell(line: ReportedLine, key: tuple[str, str]) -> str:
    figure, unit = line.figure, unit_of(key[1])
    if key not in figure.scores:
        return MISSING
    deviation = f" ± {of_unit(figure.deviations[key], unit)} (MAD)" if key in figure.deviations else ""
    told = "; baseline" if line.is_baseline else ""
    if key in line.differences:
        told = f"; {of_unit(line.differences[key], unit, '+')}"
    return f"{of_unit(figure.scores[key], unit)}{deviation}{told}"
