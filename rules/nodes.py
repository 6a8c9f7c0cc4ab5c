"""Rule files as trees of values that know their line. YAML's syntax comes from PyYAML's events, its meaning is ours.

Plain words are read as YAML 1.2's core schema reads them: `yes`, `1:30`, `0777` and dates are texts, so that what a person wrote
is what a message shows. Tags make no objects, merges are refused, and size, nesting and aliases are bounded while reading: an
alias is the node it names, never a copy of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from rules.errors import Problems

MAX_TEXT = 1 << 20
"""Characters of one file."""
MAX_NODES = 150_000
MAX_NESTING = 30
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]{1,400}|(?:0|[1-9][0-9]{0,399})(?:\.[0-9]{0,400}|(?=[eE])))(?:[eE][-+]?[0-9]{1,400})?", re.ASCII
)
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WORDS |= {sign + word: float(sign + word.lstrip(".")) for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
_HINTS = (
    ("'\\t'", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", "put a text that holds ': ' in quotes"),
    ("could not find expected ':'", "a key ends with ': ', and a text over several lines needs quotes or '>-'"),
    ("cannot start any token", "put a text that begins with @, `, % or & in quotes"),
    ("did not find expected", "look for a missing quote, comma or bracket"),
    ("expected ',' or", "look for a missing comma or bracket, or quote a text that holds one"),
    ("expected <block end>", "look at the indentation: keys of one mapping begin in one column"),
    ("unexpected end of stream", "look for a missing closing quote"),
    ("alphabetic or numeric character", "put a text that begins with * or & in quotes"),
)
_SHOWN = 80


@dataclass(slots=True)
class Node:
    """A value with the place it came from. Exactly one of `members`, `items` is set for a container, else `value` counts."""

    place: str
    value: Any = None
    members: dict[str, Node] | None = None
    items: list[Node] | None = None
    places: dict[str, str] = field(default_factory=dict)
    """Where each key of `members` stands."""
    size: int = 1
    """Values in it, once aliases are followed."""

    @property
    def kind(self) -> str:
        """What people call it."""
        if self.members is not None:
            return "a mapping"
        if self.items is not None:
            return "a list"
        if self.value is None:
            return "nothing"
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return shown(self.value)

    @property
    def blank(self) -> bool:
        """True for a null: a key without a value."""
        return self.value is None and self.members is None and self.items is None


def shown(value: object) -> str:
    """A value as a message shows it: quoted, escaped, at most 80 characters."""
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "...")
    return repr(value)


class _Refused(Exception):
    """Ends the reading of one file."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text


_SKIPPED = object()


@dataclass(slots=True)
class _Open:
    """A container that is being read. `key` is the key whose value comes next: None before a key, _SKIPPED for a wrong one."""

    node: Node
    anchor: str | None
    key: object = None


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.open: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.root: Node | None = None
        self.built = 0

    def place(self, event: yaml.Event) -> str:
        mark = event.start_mark
        return f"{self.file}:{mark.line + 1 if mark is not None else 1}"

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self.open.pop()
            if done.anchor is not None:
                self.anchors[done.anchor] = done.node
            self._add(done.node, event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _Refused(self.place(event), "a second document begins here: one file holds one, remove the line '---'")

    def _expects_key(self) -> bool:
        return bool(self.open) and self.open[-1].node.members is not None and self.open[-1].key is None

    def _count(self, place: str) -> None:
        self.built += 1
        if self.built > MAX_NODES:
            raise _Refused(place, f"more than {MAX_NODES} values: write fewer rules per file")

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = self.place(event)
        self._count(place)
        if len(self.open) >= MAX_NESTING:
            raise _Refused(place, f"nested deeper than {MAX_NESTING} levels: no rule needs that")
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            self._wrong_tag(place, event.tag)
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # not yet: it may not hold itself
        self.open.append(_Open(Node(place, members={}) if mapping else Node(place, items=[]), event.anchor))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = self.place(event)
        self._count(place)
        if event.tag not in (None, "!", *_SCALAR_TAGS):
            self._wrong_tag(place, event.tag)
        if not event.value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in event.value):
            self.problems.add(place, f"{shown(event.value)} holds half a surrogate pair: write the character itself")
        if self._expects_key():
            self._key(event, place)
            return
        plain = event.implicit[0] if event.tag is None else event.tag not in ("!", _CORE + "str")
        node = Node(place, resolved(event.value) if plain else event.value)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._add(node, event)

    def _key(self, event: yaml.ScalarEvent, place: str) -> None:
        frame = self.open[-1]
        members = frame.node.members or {}
        frame.key = _SKIPPED
        if event.anchor is not None:
            self.anchors[event.anchor] = Node(place, event.value)
        if event.value == "<<" and event.implicit[0]:
            self.problems.add(place, "merges (<<) are not allowed: write the keys out")
        elif event.value in members:
            known = frame.node.places[event.value]
            self.problems.add(place, f"the key {shown(event.value)} stands twice; remove one (the first is at {known})")
        else:
            frame.key = event.value
            frame.node.places[event.value] = place

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = self.place(event)
        self._count(place)
        name = event.anchor or ""
        node = self.anchors.get(name)
        if node is None:
            why = "stands inside what it names" if name in self.anchors else "names no anchor above"
            self.problems.add(place, f"the alias {shown('*' + name)} {why}; a text that begins with * needs quotes")
            node = Node(place)
        self._add(node, event)

    def _add(self, node: Node, event: yaml.Event) -> None:
        """Puts a finished value where it belongs."""
        if not self.open:
            self.root = node
            return
        frame, parent = self.open[-1], self.open[-1].node
        parent.size += node.size
        if parent.size > MAX_NODES:
            raise _Refused(
                self.place(event), f"more than {MAX_NODES} values once aliases are followed: write fewer rules per file"
            )
        if parent.items is not None:
            parent.items.append(node)
        elif parent.members is not None and frame.key is None:
            self.problems.add(node.place, "a key must be plain text, not a list, a mapping or an alias")
            frame.key = _SKIPPED
        elif parent.members is not None:
            if isinstance(frame.key, str):
                parent.members[frame.key] = node
            frame.key = None

    def _wrong_tag(self, place: str, tag: str | None) -> None:
        self.problems.add(place, f"the tag {shown(tag)} is not allowed: write plain text, numbers and dates")


def resolved(text: str) -> Any:
    """What a plain word means: null, a truth value, a number, else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def parse_yaml(file: str, text: str, problems: Problems) -> Node | None:
    """The document of one rule file; what is wrong goes to `problems`, None where it cannot be read on. Never raises for any text.

    Costs time in proportion to the text, up to MAX_TEXT characters.
    """
    if len(text) > MAX_TEXT:
        problems.add(f"{file}:1", f"{len(text)} characters, at most {MAX_TEXT} are read: split the file")
        return None
    builder = _Builder(file, problems)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except _Refused as refused:
        problems.add(refused.place, refused.text)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(
            f"{file}:{line}", f"not valid YAML: the character U+{ord(text[error.position]):04X} may not stand in it: remove it"
        )
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "it cannot be read"
        hint = next((remedy for sign, remedy in _HINTS if sign in said), "")
        problems.add(f"{file}:{mark.line + 1 if mark else 1}", f"not valid YAML: {said[:200]}{': ' + hint if hint else ''}")
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape beyond Unicode, a version of 5,000 digits
        said = "an escape or a number is out of range" if isinstance(error, ValueError | OverflowError) else str(error)[:200]
        problems.add(f"{file}:1", f"not valid YAML: {said}")
        return None
    root = builder.root
    return Node(f"{file}:1", members={}) if root is None or root.blank else root


def from_plain(place: str, value: object, problems: Problems, depth: int = 0) -> Node:
    """The node of a plain JSON value; `place` is a path such as `rules[0]`. What is too deep becomes a problem and null."""
    if depth > MAX_NESTING:
        problems.add(place, f"nested deeper than {MAX_NESTING} levels: no rule needs that")
        return Node(place)
    if isinstance(value, Mapping):
        members = {str(key): from_plain(place, item, problems, depth + 1) for key, item in value.items()}
        return Node(place, members=members)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Node(place, items=[from_plain(place, item, problems, depth + 1) for item in value])
    return Node(place, value=value)
