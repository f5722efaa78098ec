"""SECURITY.md gives the limits that the code has."""

from __future__ import annotations

import re

from msbench.audio.reading import MOST_CHANNELS
from msbench.leaderboard.site import sound
from msbench.model import rebuilding, separator, stft
from msbench.records import faults, strict_json
from msbench.registry import source
from msbench.system import bounded, names, yaml_files
from tests.hostile.mutations import ROOT


def mebibytes(count: int) -> str:
    return f"{count / 2**20:g} MiB"


def test_the_page_gives_the_limits_of_the_code() -> None:
    held = {
        "text file": mebibytes(bounded.LONGEST),
        "YAML file": mebibytes(yaml_files.LONGEST),
        "levels of JSON or YAML": str(bounded.DEEPEST),
        "levels of a record": str(strict_json.DEEPEST),
        "values of a JSON text": f"{bounded.MOST:,}",
        "values of a YAML text, aliases expanded": f"{yaml_files.MOST:,}",
        "characters of a number in YAML": str(yaml_files.LONGEST_NUMBER),
        "bytes of a name": str(names.LONGEST),
        "bytes of the name of a track or of a file": str(names.LONGEST_FILE),
        "targets of a record": str(faults.MOST_TARGETS),
        "scores of a target on a track": str(faults.MOST_SCORES),
        "values of a list in a record": f"{faults.MOST_VALUES:,}",
        "size of a score": "1e9" if faults.LARGEST == 1e9 else str(faults.LARGEST),
        "excerpt of a board": mebibytes(sound.LARGEST),
        "source file of a plugin that is listed": mebibytes(source.LONGEST),
        "channels of an audio file": str(MOST_CHANNELS),
        "sample rate and channels of a model": f"{separator.HIGHEST_RATE:,} Hz, {separator.MOST_CHANNELS}",
        "samples of a model's STFT window": f"{stft.LONGEST_WINDOW:,}",
        "values that a model may have and its checkpoint not": f"{rebuilding.SPARE:,}",
    }
    section = (ROOT / "SECURITY.md").read_text("utf-8").partition("## Limits")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE))
    del told["limit"]
    assert told == held
