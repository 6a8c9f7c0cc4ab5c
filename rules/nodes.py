"""Rule texts as values that know their line: YAML through its composed nodes, case files through plain JSON values.

Size, nodes and nesting are bounded before anything is built: an alias bomb costs no more than its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from rules.errors import RuleError

MAX_TEXT = 1 << 20
MAX_NODES = 50_000
MAX_NESTING = 30
_PLAIN = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Node:
    """A value with the place it came from. Exactly one of `members`, `items` is set for a container, else `value` counts."""

    place: str
    value: Any = None
    members: dict[str, Node] | None = None
    items: list[Node] | None = field(default=None)

    @property
    def kind(self) -> str:
        """What people call it."""
        if self.members is not None:
            return "a mapping"
        if self.items is not None:
            return "a list"
        return repr(self.value) if not isinstance(self.value, str) or len(self.value) < 80 else repr(self.value[:77] + "...")


class _Converter:
    def __init__(self, file: str) -> None:
        self.file = file
        self.left = MAX_NODES
        self.loader = yaml.SafeLoader("")

    def place(self, node: yaml.Node) -> str:
        return f"{self.file}:{node.start_mark.line + 1}"

    def convert(self, node: yaml.Node, depth: int = 0) -> Node:
        self.left -= 1
        place = self.place(node)
        if self.left < 0:
            raise RuleError([f"{place}: more than {MAX_NODES} values once aliases are followed: write fewer rules per file"])
        if depth > MAX_NESTING:
            raise RuleError([f"{place}: nested deeper than {MAX_NESTING} levels: no rule needs that"])
        if isinstance(node, yaml.MappingNode):
            return Node(place, members=self._members(node, depth))
        if isinstance(node, yaml.SequenceNode):
            return Node(place, items=[self.convert(item, depth + 1) for item in node.value])
        if node.tag.removeprefix(_PLAIN) not in ("str", "int", "float", "bool", "null", "timestamp"):
            raise RuleError([f"{place}: the tag {node.tag!r} is not allowed: write plain text, numbers and dates"])
        try:
            return Node(place, value=self.loader.construct_object(node))
        except (ValueError, yaml.YAMLError, OverflowError) as error:
            raise RuleError([f"{place}: {node.value[:80]!r} cannot be read: {error}"]) from error

    def _members(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _PLAIN + "merge":
                raise RuleError([f"{self.place(key_node)}: a key must be plain text; merges (<<) are not allowed"])
            key = str(key_node.value)
            if key in members:
                raise RuleError([f"{self.place(key_node)}: the key {key!r} stands twice; remove one"])
            members[key] = self.convert(value_node, depth + 1)
            if value_node.start_mark.line == key_node.start_mark.line or members[key].value is not None:
                members[key].place = self.place(key_node)
        return members


def parse_yaml(file: str, text: str) -> Node:
    """The document of one rule file. Raises RuleError with file and line."""
    if len(text) > MAX_TEXT:
        raise RuleError([f"{file}:1: {len(text)} characters, at most {MAX_TEXT} are read: split the file"])
    try:
        composed = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise RuleError([f"{file}:{line}: not valid YAML: {error.problem or error.context}"]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RuleError([f"{file}:1: not valid YAML: {str(error).splitlines()[0]}"]) from error
    except RecursionError as error:
        raise RuleError([f"{file}:1: nested deeper than {MAX_NESTING} levels: no rule needs that"]) from error
    if composed is None:
        return Node(f"{file}:1", members={})
    return _Converter(file).convert(composed)


def from_plain(place: str, value: object, depth: int = 0) -> Node:
    """The node of a plain JSON value; `place` is a path such as `rules[0]`. Raises RuleError when it nests too deep."""
    if depth > MAX_NESTING:
        raise RuleError([f"{place}: nested deeper than {MAX_NESTING} levels: no rule needs that"])
    if isinstance(value, Mapping):
        members = {str(key): from_plain(place, item, depth + 1) for key, item in value.items()}
        return Node(place, members=members)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Node(place, items=[from_plain(place, item, depth + 1) for item in value])
    return Node(place, value=value)
