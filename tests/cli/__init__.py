"""The command line.

What a command does is tested with the package that does it, through `msbench.cli.app.main`: `evaluate` in
tests/evaluation, `data` in tests/data, `board` in tests/leaderboard, `submit` in tests/cluster. Here are the tests of
what belongs to the command line alone: parsing, exit codes, what is printed. tests/test_readme.py holds each command to
its row in docs/commands.md, and tests/compatibility to the flags that it had.
"""
