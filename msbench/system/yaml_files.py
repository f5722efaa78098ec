"""YAML files that people write, and the sentence for one that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; None for an empty one.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
        ValueError: If it is not YAML in UTF-8; the message names the file and, where it is known, the line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no file {path}: correct the path") from error
    except IsADirectoryError as error:
        raise IsADirectoryError(f"{path} is a folder: give a YAML file") from error
    try:
        return yaml.load(content.decode("utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not UTF-8: line {line}: save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{path} is not YAML: {place}{error.problem or error.context}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not YAML that can be read: values are nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML forbids; a date or number that cannot be
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
