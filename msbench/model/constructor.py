"""What a model's constructor takes, which is the model's configuration, and the name that goes with it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from msbench import registry


def name_now(name: str, options: Iterable[str]) -> str:
    """The registered name of the model with these options: another one took the name since, where `renamed` says so.

    Raises:
        KeyError, ImportError: As `msbench.registry.load`.
    """
    renamed = getattr(registry.load("models", name), "renamed", {})
    now = next((renamed[option] for option in options if option in renamed), name)
    if now != name:
        warnings.warn(f"the model that was called '{name}' is now called '{now}'", stacklevel=3)
    return now


def parameters_of(plugin: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a constructor by name; its `**keywords` are the keyword-only ones of the next base's.

    `**keywords` stay among them where no base has such: then every name is taken.
    """
    known = dict(inspect.signature(plugin).parameters)
    keywords = next((name for name, each in known.items() if each.kind is each.VAR_KEYWORD), None)
    if keywords is None or not isinstance(plugin, type):
        return known
    constructors = [base.__init__ for base in plugin.__mro__ if "__init__" in vars(base)]  # type: ignore[misc]
    for constructor in constructors[1:]:
        passed_on = inspect.signature(constructor).parameters.items()
        named = {name: each for name, each in passed_on if each.kind is each.KEYWORD_ONLY}
        if named:
            del known[keywords]
            return {**named, **known}
    return known
