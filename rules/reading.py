"""Reads the members of one mapping, and says precisely what is wrong with each: place, key, value, allowed, nearest match."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from rules.nodes import Node


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'x'? ` or nothing."""
    found = difflib.get_close_matches(word, list(allowed), 1, 0.6)
    return f"did you mean {found[0]!r}? " if found else ""


class Reader:
    """One mapping being read. Problems are collected in `problems`; a key that was never asked for is one of them.

    Each method gives the value, or its default when the key is absent or its value is wrong (which is then a problem).
    """

    def __init__(self, node: Node, name: str, problems: list[str]) -> None:
        self.node = node
        self.name = name
        self.problems = problems
        self._asked: list[str] = []
        self._members = node.members or {}
        if node.members is None:
            self.fault("", f"must be a mapping, got {node.kind}")

    def fault(self, key: str, text: str) -> None:
        """Notes a problem with `key`, or with the whole mapping when it is empty."""
        member = self._members.get(key)
        place = member.place if member is not None else self.node.place
        named = f"{self.name}.{key}" if key and self.name else key or self.name
        self.problems.append(f"{place}: {named}: {text}" if named else f"{place}: {text}")

    def has(self, key: str) -> bool:
        """Whether the key is there, null counts as absent."""
        member = self.take(key)
        return member is not None

    def take(self, key: str) -> Node | None:
        """The member as it is, or None."""
        if key not in self._asked:
            self._asked.append(key)
        member = self._members.get(key)
        if member is not None and member.value is None and member.members is None and member.items is None:
            return None
        return member

    def text(self, key: str, default: str = "") -> str:
        """A non-empty text of at most 2,000 characters."""
        member = self.take(key)
        if member is None:
            return default
        if not isinstance(member.value, str) or not member.value.strip() or len(member.value) > 2_000:
            self.fault(key, f"must be a text of 1 to 2000 characters, got {member.kind}")
            return default
        return member.value

    def choice(self, key: str, allowed: Sequence[str], default: str = "") -> str:
        """One of `allowed`."""
        member = self.take(key)
        if member is None:
            return default
        if not isinstance(member.value, str) or member.value not in allowed:
            hint = nearest(member.value, allowed) if isinstance(member.value, str) else ""
            self.fault(key, f"got {member.kind}; {hint}allowed: {', '.join(allowed)}")
            return default
        return member.value

    def flag(self, key: str) -> bool:
        """true or false, false by default."""
        member = self.take(key)
        if member is None:
            return False
        if not isinstance(member.value, bool):
            self.fault(key, f"must be true or false, got {member.kind}")
            return False
        return member.value

    def number(self, key: str, maximum: float = math.inf) -> float | None:
        """A finite number from 0 to `maximum`."""
        member = self.take(key)
        if member is None:
            return None
        value = member.value
        if isinstance(value, str):  # YAML 1.1 reads 1e-9 as text: it needs a dot; people mean the number
            try:
                value = float(value)
            except ValueError:
                value = None
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not 0 <= value <= maximum or not math.isfinite(value):
            bound = "" if maximum == math.inf else f" up to {maximum:g}"
            self.fault(key, f"must be a number from 0{bound}, got {member.kind}")
            return None
        return float(value)

    def day(self, key: str) -> date | None:
        """A date as YYYY-MM-DD."""
        member = self.take(key)
        if member is None:
            return None
        value = member.value
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                value = None
        if isinstance(value, datetime) or not isinstance(value, date):
            self.fault(key, f"must be a date as YYYY-MM-DD, got {member.kind}")
            return None
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or a list of texts; numbers count as their digits."""
        member = self.take(key)
        if member is None:
            return ()
        items = member.items if member.items is not None else [member]
        found = []
        for item in items:
            value = item.value
            if value is None and item.members is None and item.items is None:
                value = "null"  # `types: [string, null]`: YAML reads the word as no value at all
            if isinstance(value, bool) or not isinstance(value, str | int):
                self.fault(key, f"must be a text or a list of texts, got {item.kind}")
                continue
            found.append(str(value))
        return tuple(found)

    def nodes(self, key: str) -> list[Node]:
        """A list of anything."""
        member = self.take(key)
        if member is None:
            return []
        if member.items is None:
            self.fault(key, f"must be a list, got {member.kind}")
            return []
        return member.items

    def child(self, key: str) -> Reader | None:
        """A mapping below this one."""
        member = self.take(key)
        if member is None:
            return None
        return Reader(member, f"{self.name}.{key}" if self.name else key, self.problems)

    def finish(self, allowed: Sequence[str] | None = None) -> None:
        """Notes every key that nobody asked for."""
        known = list(allowed) if allowed is not None else self._asked
        for key in self._members:
            if key not in known:
                self.fault(key, f"unknown key; {nearest(key, known)}allowed: {', '.join(sorted(known))}")
