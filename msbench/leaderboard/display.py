"""How names and numbers of records are shown, in tables and on pages.

Names come from strangers: each is put in one line, cut where it is long, and never used as a path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from msbench.runs.settings import OVERLAP
from msbench.system.errors import one_line
from msbench.system.wording import counted, quantity

LONGEST_NAME = 80  # characters, on a page
INFINITE = "∞"
NOISE_DB = 100.0  # a score above is rounding noise: 32-bit samples carry some 150 dB, and nothing is left to measure
LONGEST_LABEL = 40  # in a picture, or in a column of a terminal
MISSING = "–"


def name(value: Any, longest: int = LONGEST_NAME) -> str:
    """A name in one line, its invisible characters escaped."""
    return one_line(str(value), longest)


def or_dash(value: Any) -> str:
    """A value or a sentence in one line; a dash where there is none."""
    return MISSING if value is None or value == "" else one_line(str(value))


def is_number(value: Any) -> bool:
    """Whether a finite number is there."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def decimals(value: Any, digits: int = 2) -> str:
    """A number as "-1.23", or a dash."""
    return f"{value:.{digits}f}" if is_number(value) else MISSING


def decibels(value: Any, digits: int = 2, sign: str = "") -> str:
    """A score in dB as "-1.23"; infinity where it is rounding noise, as the SAR of the mixture itself; or a dash."""
    if is_beyond_noise(value):
        return f"{sign and '+'}{INFINITE}"
    return f"{value:{sign}.{digits}f}" if is_number(value) else MISSING


def is_beyond_noise(value: Any) -> bool:
    """Whether a score in dB, or a difference of two, stands for infinity."""
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) >= NOISE_DB


def count(value: Any) -> str:
    """A count, such as that of parameters, as "1.23 M"; a dash where it is zero or not known."""
    return quantity(value) if is_number(value) and value != 0 else MISSING


def inference_words(inference: Mapping[str, Any]) -> str:
    """What a record's `inference` says of overlap, averages over several passes, windows and precision; "" at defaults.

    >>> inference_words({"overlap": 0.5, "dtype": "bf16", "shifts": 2, "tta": ["polarity", "swap"]})
    'overlap 0.5, 2 shifts, tta polarity + swap, bf16'
    """
    parts = []
    if inference.get("overlap") not in (None, OVERLAP):
        parts.append(f"overlap {inference['overlap']:g}")
    if inference.get("shifts"):
        parts.append(counted(inference["shifts"], "shift"))
    if inference.get("tta"):
        parts.append(f"tta {' + '.join(map(str, inference['tta']))}")
    if inference.get("window"):
        parts.append(f"window {inference['window']}")
    if inference.get("dtype") not in (None, "float32"):
        parts.append(str(inference["dtype"]))
    return name(", ".join(parts))


def factor_value(value: Any) -> str:
    """The value of a study's factor, as a suite writes it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def of_unit(value: Any, unit: str, sign: str = "") -> str:
    """A score, or a difference of two, in its unit: "-1.23" in dB, and three digits of what may be small."""
    if unit == "dB":
        return f"-{INFINITE}" if is_beyond_noise(-value if is_number(value) else 0) else decibels(value, 2, sign)
    return f"{value:{sign}.3g}" if is_number(value) else MISSING


def probability(value: Any) -> str:
    """A p-value as "0.031", or "<0.001"."""
    if not is_number(value):
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"
