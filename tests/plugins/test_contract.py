"""Every registered model keeps the plugin contract: a new plugin is tested by registering it."""

import pytest

from msbench import registry
from msbench.conformance.checks import check


@pytest.mark.parametrize("name", [name for name, entry in registry.entries("models").items() if not entry.error])
def test_a_registered_model_keeps_the_contract(name):
    assert [result for result in check(name) if not result.passed] == []


@pytest.mark.parametrize("kind", registry.KINDS)
def test_what_is_registered_imports_and_says_what_it_is(kind):
    for name, entry in registry.entries(kind).items():
        assert registry.error_of(entry) is None, name
        assert registry.summary_of(entry), f"{name} has no docstring: `msbench list {kind}` shows its first line"
