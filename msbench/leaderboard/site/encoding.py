"""What may stand in a page's code: names of files, addresses, scripts and numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from msbench.leaderboard.display import is_number
from msbench.system.errors import LONGEST, one_line


def identifier(*parts: Any) -> str:
    """Ten letters and digits that stand for names in the names of files."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:10]


def link(value: Any) -> str | None:
    """An address that may stand in a page: http and https with a host, nothing else."""
    if not isinstance(value, str) or len(value) > LONGEST or " " in value or one_line(value) != value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def script(key: str, content: Any) -> str:
    """A script that hands content to a page, since a page from the file system cannot fetch."""
    encoded = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"msbench.receive({json.dumps(key)},{encoded});\n"


def rounded(value: Any, digits: int = 3) -> float | None:
    """A number for a chart."""
    return round(float(value), digits) if is_number(value) else None


def signed(text: str) -> str:
    """A number in words with a true minus sign in place of the hyphen."""
    return text.replace("-", "\u2212")
