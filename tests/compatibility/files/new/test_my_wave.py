"""my_wave keeps the plugin contract: the checks of `msbench check`."""

from pathlib import Path

import pytest

from msbench.conformance import check


def test_my_wave(monkeypatch: pytest.MonkeyPatch) -> None:
    # Once the model is installed as an entry point, this line goes: its name would be registered twice.
    monkeypatch.setenv("MSBENCH_PLUGINS", str(Path(__file__).with_name("my_wave.py")))
    assert [result for result in check("my_wave") if not result.passed] == []
