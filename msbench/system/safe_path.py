"""Python processes that look for no module in the folder that they start in.

That folder is a user's, and may hold what a stranger wrote: a `yaml.py` there would run in place of the library.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

VARIABLE = "PYTHONSAFEPATH"  # read by Python as it starts, as the flag -P


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Python processes started within, and those that they start, look for no module in the working folder.

    What is on PYTHONPATH, in the environment's packages or named as a file is found as before.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def leave_out_working_folder() -> None:
    """Take the working folder off the path where `python -m msbench...` has put it there.

    To be called while the package is imported: what comes after it is then found elsewhere.
    """
    if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
        del sys.path[0]
