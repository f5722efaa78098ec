"""my_mask keeps the plugin contract: the checks of `msbench check`."""

from pathlib import Path

import pytest

from msbench.conformance import check


def test_my_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    # Once the model is installed as an entry point, this line goes: its name would be registered twice.
    monkeypatch.setenv("MSBENCH_PLUGINS", str(Path(__file__).with_name("my_mask.py")))
    assert [result for result in check("my_mask") if not result.passed] == []
