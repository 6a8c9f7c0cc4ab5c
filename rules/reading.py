"""Reads the members of one mapping, and says precisely what is wrong with each: place, key, value, allowed, nearest match."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from rules.errors import Problems
from rules.nodes import Node, shown

_LONGEST_GUESSED = 60


def nearest(word: object, allowed: Iterable[str]) -> str:
    """`did you mean 'x'? ` or nothing; never the word itself."""
    if not isinstance(word, str) or len(word) > _LONGEST_GUESSED:
        return ""
    found = difflib.get_close_matches(word, [name for name in allowed if name != word], 1, 0.6)
    return f"did you mean {found[0]!r}? " if found else ""


class Kind(Protocol):
    """What the value of a key may be. How it is read and how the JSON Schema says it stand side by side, so that they agree."""

    def read(self, reader: Reader, key: str) -> Any:
        """The value, or the kind's default when the key is absent or its value is wrong (which is then a problem)."""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of the value: everything that `read` takes is valid under it."""


class Reader:
    """One mapping being read. Problems go to `problems`; a key that is not allowed is one of them (`finish`).

    A blank key (`reason:` with nothing after it) is a problem where `blank` is False, and as good as absent where it is True.
    """

    def __init__(self, node: Node, name: str, problems: Problems, *, blank: bool = True) -> None:
        self.node = node
        self.name = name
        self.problems = problems
        self.blank = blank
        self._members = node.members or {}
        self._refused: set[str] = set()
        if node.members is None:
            problems.add(node.place, self._named("", f"must be a mapping, got {node.kind}"))

    def _named(self, key: str, text: str) -> str:
        spelled = key if key.isprintable() and len(key) <= _LONGEST_GUESSED else shown(key)
        name = f"{self.name}.{spelled}" if key and self.name else spelled if key else self.name
        return f"{name}: {text}" if name else text

    def fault(self, key: str, text: str, place: str = "") -> None:
        """Notes a problem with `key`, or with the whole mapping when it is empty; at `place` where that is not the key's own."""
        self.problems.add(place or self.node.places.get(key, self.node.place), self._named(key, text))

    def has(self, key: str) -> bool:
        """Whether the key is there and not blank."""
        return self.take(key) is not None

    def take(self, key: str) -> Node | None:
        """The member as it is, or None where it is absent or blank."""
        member = self._members.get(key)
        if member is None or not member.blank:
            return member
        if not self.blank and key not in self._refused:
            self._refused.add(key)
            self.fault(key, "is blank: write a value, or remove the key")
        return None

    def read(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """All keys of a table."""
        return {key: kind.read(self, key) for key, kind in kinds.items()}

    def nodes(self, key: str) -> list[Node]:
        """A list of anything."""
        member = self.take(key)
        if member is None:
            return []
        if member.items is None:
            self.fault(key, f"must be a list, got {member.kind}")
            return []
        return member.items

    def child(self, key: str, *, blank: bool | None = None) -> Reader | None:
        """A mapping below this one."""
        member = self.take(key)
        if member is None:
            return None
        inner = self.blank if blank is None else blank
        return Reader(member, f"{self.name}.{key}" if self.name else key, self.problems, blank=inner)

    def hint(self, word: object, allowed: Iterable[str]) -> str:
        """`nearest`, while problems are still listed."""
        return "" if self.problems.full else nearest(word, allowed)

    def finish(self, allowed: Iterable[str]) -> None:
        """Notes every key that is not allowed."""
        known = list(allowed)
        for key in self._members:
            if key in known:
                continue
            self.fault(key, f"unknown key; {self.hint(key, known)}allowed: {', '.join(sorted(known))}")
