"""What MkDocs does with the pages: takes in other documents, makes tables from the registry, and sets equations.

In a page, a line ``<!-- from PATH -->`` stands for a document of the repository, less its title;
``<!-- from PATH: HEADING -->`` for one section of it; and ``<!-- table KIND -->`` for the table of what is registered.
Nothing is written twice, and no table can fall behind the code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msbench import registry
from msbench.metrics import catalogue
from msbench.metrics.wording import in_words
from msbench.public import PUBLIC
from msbench.records.metric_id import BSSEVAL, MetricId
from msbench.weights import catalogue as catalogue_of_weights

ROOT = Path(__file__).resolve().parents[2]
TAKEN_IN = re.compile(r"^<!-- from ([\w./-]+)(?:: ([^\n]+?))? -->$", re.MULTILINE)
_TABLE = re.compile(r"^<!-- table (\w+) -->$", re.MULTILINE)
_EQUATION = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SYMBOLS = re.compile(r"\\\((.+?)\\\)")
_LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)")
_OUT = re.compile(r"(!?)\[([^\]]+)\]\((\.\./[^)\s]+)\)")  # of docs/
_FENCE = re.compile(r"^( *)```.*?^ *```$", re.MULTILINE | re.DOTALL)
PAGES = {  # documents of the repository -> the page that takes them in
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "architecture.md",
    "README.md": "index.md",
    "SECURITY.md": "trust.md",
    "leaderboards/README.md": "publish.md",
    "msbench/data/README.md": "datasets.md",
    "plugins/README.md": "models.md",
    "slurm/README.md": "cluster.md",
}


def on_nav(nav: Any, **_: Any) -> Any:
    """Link to the boards where they are published next to the documentation."""
    boards = os.environ.get("MSBENCH_BOARDS")
    if boards:
        from mkdocs.structure.nav import Link

        nav.items.append(Link("Published boards", boards))
    return nav


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page as MkDocs reads it on."""
    text = _outside_code(markdown, lambda part: _OUT.sub(lambda found: _link(found, Path("docs")), part))
    text = TAKEN_IN.sub(lambda found: taken_in(found[1], found[2]), text)
    text = _TABLE.sub(lambda found: TABLES[found[1]](), text)
    text = _EQUATION.sub(lambda found: f'<div class="equation" tabindex="0">{_mathml(found[1], "block")}</div>', text)
    return _SYMBOLS.sub(lambda found: _mathml(found[1], "inline"), text)


def taken_in(path: str, heading: str | None) -> str:
    """A document, or one section of it, with links as they hold from docs/.

    Raises:
        KeyError: If there is no such section.
    """
    text = (ROOT / path).read_text("utf-8")
    text = _section(text, heading) if heading else text.partition("\n")[2]
    return _outside_code(text, lambda part: _LINK.sub(lambda found: _link(found, Path(path).parent), part)).strip()


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise KeyError(f"no section '{heading}'")
    return found[2]


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    done, end = [], 0
    for fence in _FENCE.finditer(text):
        done += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*done, change(text[end:])])


def _link(found: re.Match[str], folder: Path) -> str:
    """A link of another document: to the page that takes its target in, or the target's name as code."""
    picture, words, target = found.groups()
    if target.startswith(("http", "#")):
        return found[0]
    path, _, anchor = target.partition("#")
    place = Path(os.path.normpath(folder / path)).as_posix()
    if place in PAGES:
        return f"{picture}[{words}]({PAGES[place]}{'#' + anchor if anchor else ''})"
    if place.startswith("docs/"):
        return f"{picture}[{words}]({place.removeprefix('docs/')}{'#' + anchor if anchor else ''})"
    return f"`{place}`" if words.strip("`").endswith(Path(place).name) else f"{words} (`{place}`)"


def _mathml(latex: str, display: str) -> str:
    from latex2mathml.converter import convert

    return str(convert(latex.strip(), display=display))


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _entries(kind: str, package: str) -> list[tuple[str, str]]:
    """(name, what it is) of what is built in."""
    found = registry.entries(kind)
    return [
        (name, registry.summary_of(found[name])) for name in sorted(found) if found[name].module.startswith(package)
    ]


def _models() -> str:
    return _rows(("model", "what it is"), [(f"`{name}`", what) for name, what in _entries("models", "msbench_plugins")])


def _losses() -> str:
    return _rows(("loss", "what it is"), [(f"`{name}`", what) for name, what in _entries("losses", "msbench.")])


def _datasets() -> str:
    return _rows(("dataset", "what it is"), [(f"`{name}`", what) for name, what in _entries("datasets", "msbench.")])


def _metrics() -> str:
    first = ("`SDR`, `ISR`, `SIR`, `SAR`", in_words(BSSEVAL), "dB", "yes; boards rank by `SDR`", f"`{BSSEVAL}`")
    rows = [first]
    for metric in catalogue.METRICS:
        text = metric.id_of(["vocals"])
        scored = "yes" if metric.by_default else "with `--metrics`"
        rows.append((f"`{metric.name}`", in_words(MetricId.parse(text)), metric.unit or "none", scored, f"`{text}`"))
    return _rows(("metric", "in words", "unit", "scored by default", "metric ID, for the target vocals"), rows)


def _python() -> str:
    """A heading and a place for the docstring of each public name, which mkdocstrings fills."""
    return "\n\n".join(f"::: {module}.{name}" for name, module in sorted(PUBLIC.items()))


def _weights() -> str:
    rows = []
    for each in catalogue_of_weights.known().values():
        trained = "not stated" if each.trained_on is None else each.trained_on.words
        names = (f"`{each.family}`", f"`{each.name}`", f"`{each.model}`")
        rows.append((*names, ", ".join(each.targets), trained, each.licence))
    return _rows(("family", "name", "model", "targets", "trained on", "license"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "datasets": _datasets,
    "losses": _losses,
    "metrics": _metrics,
    "models": _models,
    "python": _python,
    "weights": _weights,
}
