"""The flags of `msbench fit` looked at alone: what it would refuse as it reads them, and no model is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from msbench.training.command_line import FitCLI
from msbench.training.recipes import Request, request


class Flags:
    """Reads the flags of several runs; the parser of a recipe is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, tuple[str, ...], bool], _Parsed] = {}

    def check(self, argv: Sequence[str]) -> None:
        """Read the flags of a run.

        Raises:
            ValueError: If a field is unknown or cannot have its value.
            KeyError, FileNotFoundError, ImportError: As `msbench.training.fit.fit`.
        """
        asked = request(argv)
        key = (asked.name, tuple(asked.recipes), asked.stops_early)
        if key not in self._made:
            self._made[key] = _Parsed(asked.name, asked.arguments, asked)
        else:
            self._made[key].read(asked)


class _Parsed(FitCLI):
    """The command line up to where it makes things."""

    def read(self, asked: Request) -> None:
        self.request, self.place_of = asked, asked.place_of
        self.parse_arguments(self.parser, list(asked.arguments))

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        self.config["seed_everything"] = False  # so that Lightning seeds nothing in this process

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        pass
