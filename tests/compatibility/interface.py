"""Prints what users' scripts rest on, as JSON: public names with their parameters, and each command with its flags."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re

import msbench
from msbench.cli import main

FIT = "fit -c unet_small"  # its flags are those of a recipe
SUBCOMMAND = re.compile(r"^    ([a-z][\w-]*)(?= |$)", re.MULTILINE)


def usage(command: str) -> str:
    """The part of a command's help that names its arguments."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    return printed.getvalue()


def commands() -> list[str]:
    """Every command of today's command line; "" is msbench itself."""
    found = [""]
    for name in SUBCOMMAND.findall(usage("")):
        found += [FIT] if name == "fit" else [name, *(f"{name} {each}" for each in SUBCOMMAND.findall(usage(name)))]
    return found


def flags() -> dict[str, list[str]]:
    """{command: its options, and the choices of its positional arguments}."""
    found = {}
    for command in commands():
        text = usage(command)
        names = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w.-]*", text))
        found[command] = sorted(names | set(re.findall(r"\{[\w,-]+\}", text)))
    return found


def parameters() -> dict[str, list[str]]:
    """{public name: the parameters of its call}."""
    found = {}
    for name in msbench.__all__:
        value = getattr(msbench, name)
        found[name] = list(inspect.signature(value).parameters) if callable(value) else []
    return found


if __name__ == "__main__":
    print(json.dumps({"names": parameters(), "flags": flags()}, indent=1))
