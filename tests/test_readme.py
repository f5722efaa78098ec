"""What the READMEs and docs/ say is there and runs: links, files, commands, flags, targets, names, counts, examples."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msbench import registry
from msbench.cli import models
from msbench.cli.app import _parser
from msbench.data.demo.dataset import Demo
from msbench.metrics import catalogue
from msbench.records.metric_id import BSSEVAL
from msbench.runs.suite import read_suite
from tests.compatibility import interface

ROOT = Path(__file__).parent.parent
FOLDERS = ("", "plugins", "slurm", "msbench/data", "leaderboards", "tests/compatibility")
DOCS = sorted((ROOT / "docs").glob("*.md"))
PROJECT = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [*(ROOT / folder / "README.md" for folder in FOLDERS), *PROJECT, *DOCS]
FRONT = "\n".join(page.read_text("utf-8") for page in (PAGES[0], *DOCS))
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
           "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "twenty-one",
           "twenty-two", "twenty-three", "twenty-four", "twenty-five", "twenty-six", "twenty-seven")  # fmt: skip
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][\w.-]*")


def snippets(text: str) -> Iterator[str]:
    """Each line of a block of code, less its comment, and each piece of code in the text."""
    for _, block in FENCE.findall(text):
        yield from (re.sub(r"\s+#\s.*", "", line) for line in block.splitlines())
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        yield " ".join(code.replace("\\|", "|").split())


def block(language: str, word: str) -> str:
    """The block of code of README.md and docs/ that holds a word."""
    (found,) = [body for name, body in FENCE.findall(FRONT) if name == language and word in body]
    return str(found)


@pytest.fixture(scope="module")
def flags() -> dict[str, list[str]]:
    return interface.flags()


def ours(kind: str, package: str) -> list[str]:
    """What this checkout registers; what is installed may be older, until `make sync`."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][f"msbench.{kind}"]
    return sorted(name for name, target in entries.items() if target.startswith(package))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    folders = "benchmarks|docs|plugins|leaderboards|msbench|slurm|tests"
    named = [
        code for code in snippets(text) if re.fullmatch(rf"(?:{folders})/[\w./-]*", code) and "/BOARD/" not in code
    ]
    made = ("leaderboards/demo/", "leaderboards/demo_models/")  # by what the page tells
    for link in re.findall(r"\]\(([^)#]+)\)", text) + named:
        if not link.startswith(("http", *made)):
            place = Path(link).parent if "NAME" in link else link  # NAME is the reader's own
            exists = (page.parent / place).exists() or (ROOT / place).exists()
            assert exists, f"{page.name} names {link}, which does not exist: mend it there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_flags_exist(page: Path, flags: dict[str, list[str]]) -> None:
    everywhere = {flag for known in flags.values() for flag in known}
    for code in snippets(page.read_text("utf-8")):
        call = re.search(r"(?:^|\$ |&& )msbench ([a-z].*)", code)
        if call is None:
            if code.startswith("--") and page.stem != "fidelity":  # which names flags of other tools
                assert set(FLAG.findall(code)) <= everywhere, code
            continue
        words = call[1].split()
        grouped = any(name.startswith(f"{words[0]} ") for name in flags if name != interface.FIT)
        command = " ".join(words[:2]) if grouped else words[0]
        command = interface.FIT if command == "fit" else command
        assert command in flags, f"{page.name} has `{code}`, and there is no command {command}: mend it there"
        unknown = set(FLAG.findall(call[1])) - {*flags[command], "--plugin", "--debug", "-c"}
        assert not unknown, f"`msbench {command}` has no {' or '.join(unknown)}: {code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_parsed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of a block as it stands; alternatives in brackets and the flags of recipes are looked up above."""
    for _, code in FENCE.findall(page.read_text("utf-8")):
        for line in code.splitlines():
            call = re.match(r"(?:\$ )?msbench ([a-z].*)", re.sub(r"\s+#\s.*", "", line))
            words = shlex.split(call[1]) if call and not re.search(r"[\[|]", call[1]) else []
            if words and words[0] != "fit":
                plain = [word for i, word in enumerate(words) if "--plugin" not in (word, words[i - 1])]
                try:
                    _parser().parse_args(plain)
                except SystemExit:
                    pytest.fail(f"{page.name} has `{line}`: {capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for code in snippets(page.read_text("utf-8")):
        if code.startswith("make "):
            assert code.split()[1] in targets, f"{page.name} has `{code}`, and Makefile has no such target"


def test_every_command_is_in_the_table(flags: dict[str, list[str]]) -> None:
    named = {code for code in snippets(FRONT) if code.startswith("msbench ")} | {"msbench board", "msbench data"}
    also = {f"msbench {code}" for code in snippets(FRONT) if code in ("status", "logs", "cancel", "retry")}
    for command in filter(None, flags):
        name = "msbench fit" if command == interface.FIT else f"msbench {command}"
        assert any(f"{code} ".startswith(f"{name} ") for code in named | also), (
            f"write a row for `{name}` in the table of docs/commands.md"
        )
    (kinds,) = re.findall(r"msbench list \[([a-z|\\]+)\]", FRONT)
    assert "{" + kinds.replace("\\|", ",") + "}" in flags["list"], (
        "write the kinds of `msbench list` in docs/commands.md"
    )


@pytest.mark.parametrize("name", ["models", "models-size", "a-command-whose-name-is-longer-than-the-column"])
def test_commands_of_every_name_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "add", lambda command: command(name, lambda _: 0, "a new command"))
    assert name in interface.commands()


def test_every_model_is_named_and_counted() -> None:
    names = ours("models", "msbench_plugins")
    networks = [name for name in names if registry.load("models", name).trainable]
    (listed,) = re.findall(r"The (built-in networks are [^.]+)\.", FRONT)
    message = "write the names of the networks in docs/models.md"
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(networks), message
    table = PAGES[1].read_text("utf-8")
    for name in names:
        assert f"`{name}`" in FRONT, f"write `{name}` in docs/models.md"
        assert f"`{name}`" in table, f"write a row for `{name}` in the first table of plugins/README.md"


def test_every_dataset_is_in_the_table_and_counted() -> None:
    table = (ROOT / "msbench" / "data" / "README.md").read_text("utf-8")
    datasets = ours("datasets", "msbench.")
    for name in datasets:
        assert f"| `{name}` |" in table, f"write a row for `{name}` in the table of msbench/data/README.md"
    number = NUMBERS[len(datasets)].capitalize()
    assert f"{number} datasets are built in" in FRONT, (
        f"write the number in docs/datasets.md: {number} datasets are built in"
    )


def test_every_loss_is_named() -> None:
    (listed,) = re.findall(r"The built-in losses are ([^.]+)\.", FRONT)
    assert re.findall(r"`(\w+)`", listed) == sorted(ours("losses", "msbench.")), (
        "write the names of the losses in docs/commands.md, under Training, in order"
    )


def test_the_metrics_are_named_and_counted() -> None:
    number = NUMBERS[len(catalogue.DEFAULT)]
    message = f"write it in docs/numbers.md, and their number ({number}) there and in docs/suites.md"
    assert f"{number} metrics by default" in block("yaml", "board: mine"), message
    (listed,) = re.findall(r"(\w+ more metrics are scored by default: .+?)\.\s`--metrics`", FRONT, re.DOTALL)
    assert listed.startswith(number.capitalize()), message
    assert sorted(re.findall(r"`([\w-]+)`", listed)) == sorted(catalogue.DEFAULT), message
    (others,) = re.findall(r"`--metrics` selects others: (.+?)\(install", FRONT, re.DOTALL)
    expected = [name for name in catalogue.NAMES if name not in catalogue.DEFAULT]
    assert re.findall(r"`([\w-]+)`", others) == expected, message


def test_the_facts_on_bsseval_and_the_demo_are_so() -> None:
    assert f"museval {version('museval')}" in FRONT
    filters, window = re.findall(r"filters of (\d+) taps per track, windows and\s+hops of (\d+) s", FRONT)[0]
    assert f"win={window};hop={window};filters={filters};" in str(BSSEVAL.of(["voice"]))
    songs = Demo.published
    assert f"{sum(songs.values())} short songs" in FRONT
    assert re.search(rf"on {NUMBERS[songs['train']]} of them, and\s+scores both on {NUMBERS[songs['test']]}", FRONT)


def test_extras_and_groups_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(re.findall(r"msbench\[(\w+)\]", FRONT)) == set(project["optional-dependencies"])
    example = tomllib.loads(block("toml", "entry-points"))["project"]["entry-points"]
    groups = {*example, *re.findall(r"group `([\w.]+)`", FRONT)}
    assert groups == {f"msbench.{kind}" for kind in registry.KINDS}
    assert groups <= set(project["entry-points"])


def test_the_suite_is_read(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(block("yaml", "board: mine"))
    labels = [(cell.label, cell.seed) for cell in read_suite(tmp_path).cells]
    trained = [(label, seed) for label in ("unet_small", "tasnet-short") for seed in (0, 1, 2)]
    assert labels == [*trained, ("irm2", None), ("mixture_share", None)]


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On small data: the checkpoint, the folders and the dataset of tests/compatibility stand for those named."""
    shutil.copytree(ROOT / "tests" / "compatibility" / "files", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MSBENCH_PLUGINS", str(tmp_path / "tiny.py"))
    monkeypatch.setenv("MSBENCH_DATA", str(tmp_path / "data"))
    shutil.copytree("few", "data/folder")
    text = block("python", "import msbench")
    for named, small in {
        "runs/unet-1a2b3c4d/best.ckpt": "board/given.ckpt", "musdb18hq": "folder", "jobs=4": "jobs=1",
        "separated/": "estimates/", "leaderboards/demo": "chosen", "album/": "data/folder/test",
    }.items():  # fmt: skip
        assert named in text
        text = text.replace(named, small)
    rng = np.random.default_rng(0)
    references = rng.standard_normal((2, 88200, 1))
    names: dict[str, Any] = {
        "mixture": 0.1 * references.sum(0).T,
        "references": references,
        "estimates": references + 0.1 * references[::-1],
    }
    exec(compile(text, "docs/python.md", "exec"), names)
    assert {stem.shape for stem in names["stems"].values()} == {(1, 88200)}
    assert all(set(stems) == {*names["stems"], "rest"} for stems in names["files"].values())
    assert names["sdr"].shape == (2, 2)
    assert names["record"]["model"]["name"] == "estimates"
    assert len(names["table"]) == 2
