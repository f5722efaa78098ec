"""How messages and tables word near names, counts and amounts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_CHOICES = 40  # names that are all said where some of them are near


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "Did you mean unet or demucs? ", of the known names that are nearest; "" where none is near."""
    near = difflib.get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.5)
    shown = (repr(each) if " " in each else each for each in near)
    return f"Did you mean {' or '.join(shown)}? " if near else ""


def choices(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known names, and all of them unless they are many.

    >>> choices("unte", ["unet", "demucs"])
    'Did you mean unet? Available: unet, demucs.'
    """
    names = list(known)
    near = did_you_mean(name, names)
    if near and len(names) > MOST_CHOICES:
        return f"{near}There are {len(names)} in all."
    return f"{near}Available: {', '.join(names) or 'none'}."


def quantity(value: float) -> str:
    """A count as people read it: 1234567 as "1.23 M", 123456 as "0.12 M", 1234 as "1.2 k".

    Published boards are compared with their records byte for byte, and hold their counts in this form.
    """
    if value >= 1e9:
        return f"{value / 1e9:.2f} G"
    return f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value / 1e3:.1f} k"


def counted(count: int, thing: str) -> str:
    """ "1 cell" or "2 cells"."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
