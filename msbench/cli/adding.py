"""How every command of the command line is added."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Run = Callable[[argparse.Namespace], int]


def adder(commands: Any) -> Callable[[str, Run, str], argparse.ArgumentParser]:
    """(name, run, text) adds a command to argparse's subparsers: its help is the text, its description a sentence."""

    def command(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        added.set_defaults(run=run)
        return added

    return command
