"""`msbench check`."""

from msbench.conformance.checks import Result, check

__all__ = ["Result", "check"]
