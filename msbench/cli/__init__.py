"""The command line: parses, calls, prints."""

from msbench.cli.app import main

__all__ = ["main"]
