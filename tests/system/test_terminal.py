"""What a process prints, whatever its terminal."""

from __future__ import annotations

import os
import subprocess
import sys


def test_names_are_escaped_where_they_cannot_be_encoded() -> None:
    code = (
        "import msbench.system.terminal as t; t.show_any_name(); "
        "print('Caf\\xe9 \\udce9', flush=True); raise SystemExit('\\u65e5')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.stdout == rb"Caf\xe9 \udce9" + b"\n"
    assert done.stderr == rb"\u65e5" + b"\n"


def test_a_closed_stream_takes_what_is_printed() -> None:
    code = "import msbench.system.terminal as t; t.show_any_name(); print(1, flush=True); raise SystemExit(3)"
    command = ["bash", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, code]
    assert subprocess.run(command, check=False).returncode == 3
