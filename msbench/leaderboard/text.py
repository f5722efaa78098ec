"""What is shown of a record, on pages and in tables.

Names come from strangers: they are cut, made visible and never used as a path.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from typing import Any
from urllib.parse import urlsplit

LONGEST_NAME = 80
LONGEST_TEXT = 2000
MISSING = "–"


def name(value: Any, longest: int = LONGEST_NAME) -> str:
    """A name in one line: what is invisible or turns the direction of writing becomes U+FFFD, what is long is cut."""
    text = str(value)
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join("\ufffd" if _invisible(character) else character for character in cut)


def text(value: Any) -> str:
    """A sentence or a value, as `name` but longer."""
    return MISSING if value is None or value == "" else line(value)


def line(value: Any, longest: int = LONGEST_TEXT) -> str:
    """As `name`, of one space where there is white space."""
    return name(" ".join(str(value).split()), longest)


def _invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def identifier(*parts: Any) -> str:
    """Ten letters and digits that stand for names in the names of files."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:10]


def link(value: Any) -> str | None:
    """An address that may stand in a page: http and https with a host, nothing else."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or any(_invisible(c) or c.isspace() for c in value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def known(value: Any) -> bool:
    """Whether a number is there."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def decimals(value: Any, digits: int = 2) -> str:
    """A number with a true minus sign, or a dash."""
    return f"{value:.{digits}f}".replace("-", "\u2212") if known(value) else MISSING


def size(parameters: Any) -> str:
    """A count of parameters."""
    if not known(parameters) or parameters == 0:
        return MISSING
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters / 1e3:.1f} k"


def mebibytes(count: Any) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.0f} MiB" if known(count) and count else MISSING


def script(key: str, content: Any) -> str:
    """A script that hands content to a page, since a page from the file system cannot fetch."""
    encoded = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"msbench.receive({json.dumps(key)},{encoded});\n"


def rounded(value: Any, digits: int = 3) -> float | None:
    """A number for a chart."""
    return round(float(value), digits) if known(value) else None
