"""Finds plugins, and imports none until it is asked for one."""

from msbench.registry.entries import (
    KINDS,
    LONGEST_SHOWN,
    UNSURE,
    Entry,
    entries,
    error_of,
    find,
    find_recipe,
    judge,
    licence_of,
    load,
    plugin_files,
    recipes,
    summary_of,
)

__all__ = [
    "KINDS",
    "LONGEST_SHOWN",
    "UNSURE",
    "Entry",
    "entries",
    "error_of",
    "find",
    "find_recipe",
    "judge",
    "licence_of",
    "load",
    "plugin_files",
    "recipes",
    "summary_of",
]
