"""What an earlier version wrote holds tests of its own, which `test_earlier_files.py` reads."""

collect_ignore = ["files"]
