"""A model's card: where its row comes from, seed by seed, and the commands that reproduce it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from msbench.evaluation.scenarios import REST
from msbench.leaderboard.board import Board
from msbench.leaderboard.display import decibels, decimals, name
from msbench.leaderboard.rows import Row, over_tracks
from msbench.leaderboard.site.encoding import link, signed
from msbench.leaderboard.site.tables import IN_DECIBELS
from msbench.records.metric_id import MetricId
from msbench.records.record import lacking
from msbench.records.types import Record

if TYPE_CHECKING:
    from msbench.leaderboard.site.ranking import RankingPages

GROUPS = {  # of a record -> heading
    "model": "Model",
    "checkpoint": "Checkpoint",
    "training": "Training",
    "training_data": "Training data",
    "dataset": "Dataset",
    "inference": "Inference",
    "metric": "Metric",
    "run": "Run",
    "speed": "Speed",
    "code": "Code",
    "environment": "Environment",
    "source": "Source",
}
WARNINGS = {
    "unverified": "Unverified: the record does not say in full how the numbers were made.",
    "reported": "Reported: the numbers come from a paper or a campaign; this project did not run the model.",
    "contaminated": "Contaminated: by the word of those who published these weights, they were trained on songs that "
    "they are scored on here. The row is shown and never ranked.",
}
_COMMIT = re.compile("[0-9a-f]{7,64}")
MOST_FIELDS, MOST_LISTED = 200, 100  # of a group, and of one list in it
HIDDEN = ("tracks", "scores", "schema_version")


def card(board: Board, ranking: RankingPages, row: Row) -> dict[str, Any]:
    """What the template of a card shows."""
    found = ranking.ranking.records[row.model]
    return {
        "model": row.model,
        "role": row.role,
        "tier": row.tier,
        "place": ranking.place,
        "metric": ranking.metric_words,
        "table": ranking.file("Table"),
        "warning": _warning(row, found),
        "source": _source(found),
        "scores": _scores(row, found, ranking),
        "seeds": [_seed(record) for record in found if "source" not in record],
        "commands": _commands(board, found[0]) if found and row.tier != "reported" else [],
        "commands_note": "With the code at the record's commit, and the dataset in place:",
    }


def _warning(row: Row, found: list[Record]) -> str | None:
    warning = WARNINGS.get(row.tier)
    if any("source" in record for record in found) and row.tier == "unverified":
        return "Unverified: typed from memory of the source; nobody has checked these figures against it since."
    fields = sorted({field for record in found for field in lacking(record)}) if row.tier == "unverified" else []
    return f"{warning} It lacks {', '.join(fields)}." if fields else warning


def _source(found: list[Record]) -> list[tuple[str, Any, str | None]]:
    """(field, value, address or None) of a reported row."""
    fields = {"citation": "source", "read in": "read_in"}
    first: list[Mapping[str, Any]] = [*found[:1]]
    known = [(label, record[key]) for record in first for label, key in fields.items() if record.get(key)]
    return [(label, value, link(value)) for label, value in known]


def _scores(row: Row, found: list[Record], ranking: RankingPages) -> dict[str, Any]:
    """Targets down, scores across: a metric id is long, so that its family stands above the column."""
    scores, words = ranking.scores_shown, {id: words for words, id in ranking.metric_ids}
    lines = []
    for target in ranking.targets:
        of_all = [_shown(score, row.scores[target][score]) for score in scores]
        lines.append([target, "all", *of_all])
        for record in found if len(found) > 1 else ():
            of_seed = [_shown(score, over_tracks(record, target, score)) for score in scores]
            lines.append([target, _seed_title(record), *of_seed])
    heads = [(MetricId.parse(score).family, words.get(score, "")) for score in scores]
    return {"heads": heads, "lines": lines, "ids": ranking.metric_ids}


def _shown(score: str, value: float | None) -> str:
    return signed(decibels(value) if score in IN_DECIBELS else decimals(value))


def _seed_title(record: Record) -> str:
    return "no seed" if record.get("seed") is None else f"seed {record['seed']}"


def _seed(record: Record) -> dict[str, Any]:
    fields: Mapping[str, Any] = record
    groups = [
        (heading, _first(fields[group]))
        for group, heading in GROUPS.items()
        if isinstance(fields.get(group), dict) and fields[group]
    ]
    others = {k: v for k, v in fields.items() if k not in GROUPS and k not in HIDDEN and v is not None}
    if others:
        groups.append(("Record", _first(others)))
    return {"title": f"Record, {_seed_title(record)}", "groups": groups}


def _first(group: dict[str, Any]) -> list[tuple[str, Any]]:
    """The fields that a page shows: a record may hold thousands, and there is a page per model."""
    fields = list(islice(_flat(group), MOST_FIELDS + 1))
    return fields if len(fields) <= MOST_FIELDS else [*fields[:MOST_FIELDS], ("…", "and more: see the record")]


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if key in HIDDEN:
            if isinstance(inner, list):
                yield prefix + key, len(inner)
        elif key == "seconds" and isinstance(inner, list):
            yield prefix + key, f"{sum(inner):.0f}"  # of all tracks
        elif isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{prefix}{key}.")
        elif isinstance(inner, list):
            shown = [name(each) for each in inner[:MOST_LISTED]]
            more = len(inner) - len(shown)
            yield prefix + key, ", ".join([*shown, f"and {more} more"] if more else shown)
        else:
            yield prefix + key, inner


def _commands(board: Board, record: Record) -> list[str]:
    """Every word quoted for a shell: it comes from a record."""
    commit = record["code"].get("commit")
    lines = [f"git checkout {commit}"] if isinstance(commit, str) and _COMMIT.fullmatch(commit) else []
    labels = {cell.label for cell in board.suite.cells} if board.suite else set()
    label, data, metric = record["model"]["label"], record["dataset"], MetricId.parse(record["metric"]["id"])
    inference: Mapping[str, Any] = record["inference"]
    if label in labels:
        return [*lines, f"msbench bench leaderboards/{shlex.quote(board.folder.resolve().name)}"]
    options = {"--data": data["name"], "--split": data["split"], "--label": label}
    if not set(metric.targets) <= {*(record["model"].get("targets") or metric.targets), REST}:
        options["--scenario"] = ",".join(metric.targets)
    if inference.get("batch_size") is None:  # no model was run
        return [*lines, _words("msbench", "evaluate", "--estimates", "DIR", *_given(options))]
    held: Mapping[str, Any] | None = record.get("checkpoint")
    model = record["model"]["name"] if held is None else held.get("weights") or "best.ckpt"
    chosen = {"--chunk-seconds": "chunk_seconds", "--overlap": "overlap", "--batch-size": "batch_size"}
    chosen |= {"--window": "window", "--shifts": "shifts"}
    options |= {flag: inference[key] for flag, key in chosen.items() if inference.get(key) is not None}
    options |= {"--tta": ",".join(map(str, inference["tta"]))} if inference.get("tta") else {}
    options |= {"--precision": inference["dtype"]} if inference.get("dtype") not in (None, "float32") else {}
    given = [*_given(options), *(["--compile"] if inference.get("compile") else [])]
    if model.startswith("-"):
        return [*lines, _words("msbench", "evaluate", *given, "--", model)]
    return [*lines, _words("msbench", "evaluate", model, *given)]


def _given(options: dict[str, Any]) -> list[str]:
    """Words of a command; a value that begins with a hyphen, which is no flag, stands in one word with its flag."""
    words: list[str] = []
    for flag, value in options.items():
        words += [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
    return words


def _words(*words: Any) -> str:
    return shlex.join(str(word) for word in words)
