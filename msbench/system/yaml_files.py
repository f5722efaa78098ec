"""YAML files, bounded before they are read, and the sentence for what cannot be read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from msbench.system import bounded
from msbench.system.errors import is_deliberate

LONGEST = 4 * 2**20  # bytes of a file; a suite of 10,000 rows has a tenth of it
MOST = 200_000  # values: each takes a kilobyte while it is read
LONGEST_NUMBER = 100  # characters: YAML's base 60 takes minutes for a long one, and no message could show it

_NOT_TEXT = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "timestamp"))
_TEXT = "tag:yaml.org,2002:str"
_Places = frozenset[tuple[str, ...]]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's is ten times as fast
    """The safe loader, less what loses words in silence or takes forever."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        written = list(node.value) if isinstance(node, yaml.MappingNode) else []  # without what `<<` brings
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        seen = set()
        for key_node, _ in written:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise ValueError(f"line {_line(key_node)}: the key {bounded.shown(key)} comes twice: remove one")
            seen.add(key)
        return made

    def construct_typed(self, node: yaml.ScalarNode) -> Any:
        """A scalar that is no text, by its form or by a tag such as `!!bool` in front of anything."""
        kind = node.tag.rpartition(":")[2]
        if kind in ("int", "float") and len(node.value) > LONGEST_NUMBER:
            raise ValueError(f"line {_line(node)}: a number of {len(node.value)} characters is too long to be read")
        try:
            return getattr(self, f"construct_yaml_{kind}")(node)
        except (AttributeError, LookupError) as error:  # how the library fails where the tag does not fit
            raise ValueError(f"line {_line(node)}: {bounded.shown(node.value)} is no {kind}: remove the tag") from error


for _tag in _NOT_TEXT:
    _Loader.add_constructor(_tag, _Loader.construct_typed)
# Configurations of other tools hold tuples, written as PyYAML writes them; all other objects of Python are refused.
_Loader.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node, True))


def read_yaml(path: Path, texts: Collection[str] = ()) -> Any:
    """What a YAML file holds; None for an empty one.

    Args:
        path: The file.
        texts: Places of names, as "board" or "models.*.label" ("*" is each element or key). A number, a date or a truth
            value there is taken as the text that stands in the file: `no` is "no".

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
        ValueError: If it is not YAML in UTF-8, is too large or too deep, or a key comes twice in a mapping; the message
            names the file and, where it is known, the line.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give a YAML file")
    text = bounded.read_text(path, LONGEST)
    try:
        return _parsed(text, frozenset(tuple(place.split(".")) for place in texts))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        said = bounded.cut(error.problem or error.context or "")
        raise ValueError(f"{path} is not YAML: {place}{said}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not YAML that can be read: values are nested too deeply") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a forbidden character; a date that cannot be
        if is_deliberate(error):
            raise ValueError(f"{path}: {error}") from error
        raise ValueError(f"{path} is not YAML: {bounded.cut(' '.join(str(error).split()))}") from error


def _parsed(text: str, texts: _Places) -> Any:
    bounded.check_yaml(text, MOST)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        return loader.construct_document(_with_texts(node, (), texts) if texts else node)
    finally:
        loader.dispose()


def _with_texts(node: yaml.Node, place: tuple[str, ...], texts: _Places) -> yaml.Node:
    """The node, or a copy in which each scalar at one of the places is text."""
    if isinstance(node, yaml.ScalarNode):
        is_name = place in texts and node.tag in _NOT_TEXT
        return yaml.ScalarNode(_TEXT, node.value, node.start_mark, node.end_mark) if is_name else node
    if isinstance(node, yaml.SequenceNode):
        inner = (*place, "*")
        return (
            _replaced(node, [_with_texts(each, inner, texts) for each in node.value]) if _leads(inner, texts) else node
        )
    pairs = []
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            pairs.append((key, _with_texts(value, place, texts)))
            continue
        inner = (*place, "*") if _leads((*place, "*"), texts) else (*place, str(key.value))
        named = _with_texts(key, inner, texts) if inner[-1] == "*" else key
        pairs.append((named, _with_texts(value, inner, texts) if _leads(inner, texts) else value))
    return _replaced(node, pairs)


def _leads(place: tuple[str, ...], texts: _Places) -> bool:
    return any(each[: len(place)] == place for each in texts)


def _replaced(node: yaml.Node, value: list[Any]) -> yaml.Node:
    return type(node)(node.tag, value, node.start_mark, node.end_mark)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
