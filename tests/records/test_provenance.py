"""Where a number came from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import msbench
from msbench.records import provenance

ROOT = Path(__file__).parents[2]


def test_the_state_of_the_code_is_that_of_its_repository() -> None:
    """A record without it is unverified, and nothing else would say so."""
    provenance.code_state.cache_clear()
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("not a checkout")
    state = provenance.code_state()
    assert state["msbench"] == msbench.__version__
    assert state["commit"] == git.stdout.strip()
    assert len(state["lock_sha256"] or "") == 64


def test_the_processor_has_a_name() -> None:
    assert provenance.hardware().endswith(" cores")
