"""Reads what a rule file says besides rules and presets: bases, drop_query, class1 and limits, merged over files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rules.errors import Problems
from rules.kinds import Words
from rules.model import CLASS1, Bases, Limits
from rules.nodes import Node, shown
from rules.reading import Reader

SECTIONS = ("bases", "drop_query", "class1", "limits")
BOUNDS = {"body": (1, 1 << 30), "depth": (1, 250), "diffs": (1, 1_000), "nodes": (1, 100_000_000)}
"""The least and the greatest value of each limit."""
MAX_DROPPED = 1_000
_BASE = r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\]+(/[^\s?#\\]*)?"
_SIZE = r"([0-9]{1,12}) *(B|KiB|MiB|GiB)?"
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_PAIR = 'a pair [name, value] or a text "name=value"'


@dataclass
class Sections:
    """What the files read so far say. One key with two values is a problem that names both places."""

    bases: dict[str, list[str]] = field(default_factory=lambda: {"primary": [], "candidate": []})
    drop_query: list[tuple[str, str]] = field(default_factory=list)
    class1: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    limits: dict[str, tuple[str, int]] = field(default_factory=dict)

    def read(self, reader: Reader, *, blank: bool) -> None:
        """Takes over the sections of one file. `blank` keys inside them are as good as absent."""
        bases = reader.child("bases", blank=blank)
        if bases is not None:
            for side in ("primary", "candidate"):
                self.bases[side] += _addresses(bases, side)
            bases.finish(("primary", "candidate"))
        self._drop_query(reader)
        class1 = reader.child("class1", blank=blank)
        if class1 is not None:
            self._class1(class1)
        limits = reader.child("limits", blank=blank)
        if limits is not None:
            for key in BOUNDS:
                self._limit(limits, key)
            limits.finish(BOUNDS)

    def made(self) -> dict[str, Any]:
        """Keyword arguments of RuleSet."""
        return {
            "bases": Bases(*(tuple(sorted(set(self.bases[side]))) for side in ("primary", "candidate"))),
            "drop_query": tuple(sorted(set(self.drop_query))),
            "class1_off": self.class1["disable"][1] if self.class1 else frozenset(),
            "limits": Limits(**{key: value for key, (_, value) in self.limits.items()}),
        }

    def _drop_query(self, reader: Reader) -> None:
        entries = reader.nodes("drop_query")
        flat = len(entries) == 2 and all(_plain(entry) is not None and "=" not in str(entry.value) for entry in entries)
        if flat:
            pair = ", ".join(entry.kind for entry in entries)
            reader.fault("drop_query", f"must be a list of pairs: write [[{pair}]]")
            return
        if len(entries) + len(self.drop_query) > MAX_DROPPED:
            reader.fault("drop_query", f"{len(entries)} pairs, at most {MAX_DROPPED} are read")
            return
        for entry in entries:
            values = [_plain(item) for item in entry.items or ()]
            if entry.items is None or len(entry.items) == 1:
                text = _plain(entry) if entry.items is None else values[0]
                values = list(text.partition("=")[::2]) if text and "=" in text else []
            if len(values) != 2 or values[0] is None or values[1] is None or not values[0]:
                reader.fault("drop_query", f"got {_spelled(entry)}; needed is {_PAIR}", entry.place)
                continue
            self.drop_query.append((values[0], values[1]))

    def _class1(self, reader: Reader) -> None:
        node = reader.take("disable")
        reader.finish(("disable",))
        if node is None:
            return
        # An empty list says that all are on, which a team may want to see written down.
        names = frozenset() if node.items == [] else frozenset(Words(CLASS1).read(reader, "disable"))
        place = reader.node.places.get("disable", node.place)
        known = self.class1.setdefault("disable", (place, names))
        if known[1] != names:
            here, there = (", ".join(sorted(value)) or "empty" for value in (names, known[1]))
            reader.problems.add(place, f"class1.disable is {here} here and {there} at {known[0]}; keep one")

    def _limit(self, reader: Reader, key: str) -> None:
        node = reader.take(key)
        if node is None:
            return
        low, high = BOUNDS[key]
        value = node.value
        size = re.fullmatch(_SIZE, value, re.ASCII) if key == "body" and isinstance(value, str) else None
        if size is not None:
            value = int(size[1]) * _UNITS[size[2]]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            unit = " (or a size such as 8MiB)" if key == "body" else ""
            reader.fault(key, f"must be a whole number from {low} to {high}{unit}, got {node.kind}")
            return
        place = reader.node.places.get(key, node.place)
        known = self.limits.setdefault(key, (place, value))
        if known[1] != value:
            reader.problems.add(place, f"limits.{key} is {value} here and {known[1]} at {known[0]}; keep one")


def _addresses(reader: Reader, side: str) -> list[str]:
    node = reader.take(side)
    if node is None or node.items == []:
        return []
    found = []
    for base in Words(what="an address such as https://api.example.com").read(reader, side):
        if re.fullmatch(_BASE, base):
            found.append(base.rstrip("/"))
        else:
            remedy = "a base is an address such as https://api.example.com, without a query"
            reader.fault(side, f"got {shown(base)}; {remedy}")
    return found


def _plain(node: Node) -> str | None:
    """A text, or a whole number's digits; None for anything else."""
    if isinstance(node.value, str):
        return node.value if len(node.value) <= 1_000 else None
    return (
        str(node.value)
        if isinstance(node.value, int) and not isinstance(node.value, bool) and abs(node.value) < 1 << 63
        else None
    )


def _spelled(node: Node) -> str:
    if node.items is None:
        return node.kind
    return "[" + ", ".join(item.kind for item in node.items[:3]) + (", ..." if len(node.items) > 3 else "") + "]"


def section_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each section."""
    address = {"type": "string", "pattern": f"^{_BASE}$", "examples": ["https://api.example.com"]}
    addresses = {"anyOf": [address, {"type": "array", "items": address}]}
    plain = {"type": ["string", "integer"], "maxLength": 1_000}
    joined = {"type": "string", "pattern": "^[^=]+="}
    pair = {
        "anyOf": [
            joined,
            {"type": "array", "prefixItems": [joined], "minItems": 1, "maxItems": 1},
            {"type": "array", "items": plain, "minItems": 2, "maxItems": 2},
        ]
    }
    limits: dict[str, Any] = {}
    for key, (low, high) in BOUNDS.items():
        limits[key] = {"type": "integer", "minimum": low, "maximum": high, "default": getattr(Limits(), key)}
    size = {"type": "string", "pattern": f"^{_SIZE}$"}
    limits["body"] = {"anyOf": [limits["body"], size], "default": "8MiB", "examples": ["8MiB"]}
    return {
        "bases": _mapping(
            "the two backends' own addresses as they stand in links; they fold into one",
            {"primary": addresses, "candidate": addresses},
        ),
        "drop_query": {
            "description": "query pairs of own links that mean nothing, e.g. page=1",
            "type": ["array", "null"],
            "items": pair,
            "maxItems": MAX_DROPPED,
        },
        "class1": _mapping(
            "representation normalisers; they are on",
            {"disable": {"anyOf": [{"type": "array", "items": {"enum": list(CLASS1)}}, {"enum": list(CLASS1)}]}},
        ),
        "limits": _mapping("bounds of one comparison", limits),
    }


def _mapping(about: str, members: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "type": ["object", "null"], "properties": members, "additionalProperties": False}


def read_sections(sections: Sections, node: Node, name: str, problems: Problems) -> None:
    """The sections of a case's `settings`, where nothing else may stand."""
    reader = Reader(node, name, problems)
    sections.read(reader, blank=True)
    reader.finish(SECTIONS)
