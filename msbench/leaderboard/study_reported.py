"""Figures of papers that stand beside a study: reported, never tested or ranked with measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msbench.leaderboard.display import factor_value, is_number
from msbench.leaderboard.files import check_inside
from msbench.leaderboard.reported import (
    FIGURE_SCORES,
    STUDY_FIELDS,
    entries_of,
    fault_of_figure,
    fault_of_values,
    metric_of,
)
from msbench.runs.studies import Study
from msbench.system.names import plain_name
from msbench.system.wording import did_you_mean

Scores = dict[tuple[str, str], float]  # {(target, score): value}


@dataclass(frozen=True)
class ReportedFigure:
    """What a paper says of one cell of a study.

    Attributes:
        place: Where it stands, for messages: "reported.yaml, entry 3".
        metric: The metric id of SDR and its kin; empty where the figure has none of them and names none.
        factors: {factor: value}, as in the study.
        scores: SDR and its kin by their names, other metrics by the first word of their ids, as `l1-spectrogram`.
        deviations: The median absolute deviations over tracks, where the paper has them.
    """

    place: str
    study: str
    system: str
    citation: str
    read_in: str
    metric: str
    factors: dict[str, Any]
    scores: Scores
    deviations: Scores


@dataclass(frozen=True)
class ReportedLine:
    """A figure, and its difference to the same paper's figure with the factors of the baseline, where there is one."""

    figure: ReportedFigure
    is_baseline: bool
    differences: Scores


def read_study_figures(folder: Path) -> list[ReportedFigure]:
    """The entries of <folder>/reported.yaml that have a `study`.

    An entry with `board: NAME` takes what it does not say itself from the row of the same system in the reported.yaml
    of the board's neighbor of that name, so that a figure is written down once.

    Raises:
        ValueError: If an entry cannot be read; the message names the file and the entry.
    """
    path = folder / "reported.yaml"
    if not path.exists():
        return []
    check_inside(folder, path)
    found = []
    for number, entry in enumerate(entries_of(path), 1):
        if isinstance(entry, dict) and "study" in entry:
            place = f"{path}, entry {number}"
            found.append(_figure(_completed(entry, folder, place), place))
    return found


def _completed(entry: dict[str, Any], folder: Path, place: str) -> dict[str, Any]:
    """The entry with the fields of the row that it names, if it names one."""
    if "board" not in entry:
        return entry
    boards = folder.resolve().parent
    path = boards / plain_name(entry["board"], f"{place}: the board") / "reported.yaml"
    if not path.is_file():
        raise ValueError(f"{place}: no file {path}: name a board that lies next to this one, or write the row here")
    check_inside(boards, path)
    rows = [row for row in entries_of(path) if isinstance(row, dict)]
    same = next((row for row in rows if row.get("system") == entry.get("system")), None)
    if same is None:
        names = [str(row.get("system")) for row in rows]
        hint = did_you_mean(str(entry.get("system")), names)
        raise ValueError(f"{place}: {path} has no row of the system {entry.get('system')!r}. {hint}".rstrip())
    return {**{key: value for key, value in same.items() if key not in STUDY_FIELDS}, **entry}


def _figure(entry: dict[str, Any], place: str) -> ReportedFigure:
    fault = _fault(entry)
    if fault is not None:
        raise ValueError(f"{place}: {fault}")
    scores = {score: entry.get(score) or {} for score in FIGURE_SCORES} | (entry.get("other") or {})
    return ReportedFigure(
        place=place,
        study=entry["study"],
        system=str(entry["system"]),
        citation=str(entry["citation"]),
        read_in=str(entry.get("read_in") or ""),
        metric=metric_of(entry) if "metric" in entry or any(entry.get(score) for score in FIGURE_SCORES) else "",
        factors=dict(entry.get("factors") or {}),
        scores=_flat(scores),
        deviations=_flat(entry.get("MAD") or {}),
    )


def _flat(scores: Mapping[str, Mapping[str, Any] | None]) -> Scores:
    return {
        (target, score): float(value)
        for score, by_target in scores.items()
        for target, value in (by_target or {}).items()
        if value is not None
    }


def _fault(entry: dict[str, Any]) -> str | None:
    if not isinstance(entry["study"], str) or not entry["study"]:
        return f"study is the name of one of the suite's studies, not {entry['study']!r}"
    factors = entry.get("factors") or {}
    if not isinstance(factors, dict) or not all(isinstance(key, str) for key in factors):
        return f"factors are the study's, as {{separator.depth: 3}}, not {factors!r}"
    strange = [
        value for value in factors.values() if not (value is None or isinstance(value, str | bool | int | float))
    ]
    if strange:
        return f"the value {strange[0]!r} of a factor is neither text nor a number"
    for field in ("other", "MAD"):
        scores = entry.get(field) or {}
        if not isinstance(scores, dict) or not all(isinstance(key, str) for key in scores):
            return f"{field} is a value per score and target, as {{SDR: {{vocals: 2.1}}}}, not {scores!r}"
        fault = next(filter(None, (fault_of_values(score, values or {}) for score, values in scores.items())), None)
        if fault is not None:
            return f"{field}: {fault}"
    others = (values or {} for values in (entry.get("other") or {}).values())
    is_scored = any(is_number(value) for by_target in others for value in by_target.values())
    return fault_of_figure(entry, needs_score=not is_scored)


def check_figures(figures: list[ReportedFigure], studies: Mapping[str, Study]) -> None:
    """Refuse figures of a study, or with a factor, that the suite does not have.

    Raises:
        ValueError: Naming the file and the entry.
    """
    for figure in figures:
        if figure.study not in studies:
            names = ", ".join(studies) or "none"
            raise ValueError(
                f"{figure.place}: the suite has no study {figure.study!r}. {did_you_mean(figure.study, studies)}"
                f"Its studies: {names}"
            )
        known = studies[figure.study].factors
        for factor in figure.factors:
            if factor not in known:
                raise ValueError(
                    f"{figure.place}: {factor!r} is no factor of the study {figure.study!r}. "
                    f"{did_you_mean(factor, known)}Its factors: {', '.join(known) or 'none'}"
                )


def reported_lines(figures: list[ReportedFigure], study: Study) -> list[ReportedLine]:
    """The figures of a study, each with its difference to the baseline of its own paper and metric."""
    own = [figure for figure in figures if figure.study == study.name]
    wanted = study.cells[study.baseline]
    baselines: dict[tuple[str, str], ReportedFigure] = {}
    for figure in own:
        if figure.factors and all(_is_same(value, factor, wanted) for factor, value in figure.factors.items()):
            baselines.setdefault((figure.citation, figure.metric), figure)
    found = []
    for figure in own:
        baseline = baselines.get((figure.citation, figure.metric))
        differences = {} if baseline is None or baseline is figure else _differences(figure.scores, baseline.scores)
        found.append(ReportedLine(figure, baseline is figure, differences))
    return found


def _is_same(value: Any, factor: str, cell: Mapping[str, Any]) -> bool:
    return factor in cell and factor_value(cell[factor]) == factor_value(value)


def _differences(scores: Scores, baseline: Scores) -> Scores:
    return {key: value - baseline[key] for key, value in scores.items() if key in baseline}
