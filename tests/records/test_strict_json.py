"""JSON from strangers, read without leniency."""

from __future__ import annotations

import pytest

from msbench.records import strict_json


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1,\n "b": }', "line 2: Expecting value"),
        ('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', "line 3: the key 'c' comes twice"),
        ('{"a": NaN}', "NaN is no number of JSON: write null, with a reason"),
        ('["' + "\\ud800" + '"]', "holds half of a surrogate pair"),
        ("[" * 100 + "]" * 100, "values lie more than 32 levels deep"),
        ("[" * 100_000, "values lie more than 32 levels deep"),
        ('{"a":{"k":1,"k":2},"b":' + "[" * 100_000 + "]" * 100_000 + "}", "values lie more than 32 levels deep"),
        ("[" + "1," * 1_000_001 + "1]", "more than 1,000,000 values"),
        ('{"%s": 1, "%s": 2}' % (("k" * 10_000,) * 2), r"the key 'k+\.\.\.k+' comes twice"),
        ("9" * 5000, "a number of 5000 digits is too long to be read"),
    ],
)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        strict_json.parse(text)


def test_what_is_read() -> None:
    assert strict_json.parse('{"a": [1, 2.5, null, "\\ud83d\\ude00"]}') == {"a": [1, 2.5, None, "\U0001f600"]}


def test_the_line_of_a_value() -> None:
    text = '{\n "a": [\n  1,\n  2],\n "b": 3}'
    assert strict_json.line_of(text, ["a", 1]) == 4
    assert strict_json.line_of(text, ["b"]) == 5
    assert strict_json.line_of(text, ["a", "gone"]) == 2  # what lies nearest above it
    assert strict_json.line_of("{", ["a"]) is None
    assert strict_json.line_of("[" * 100_000, [0]) is None  # what no parser is shown
