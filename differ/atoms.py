"""From findings to differences: generalised paths, one entry for each atom, collapse and caps."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from differ.explains import MISSING, type_name
from differ.facts import Atom, Difference
from differ.findings import Findings, Found
from differ.paths import exact, general
from rules.jsonpath import Location

MAX_TEXT = 200
COLLAPSE_ABOVE = 20
MAX_CHILDREN = 50
"""Distinct differing children of one node beyond which its keys count as data."""


def shown(value: Any) -> str | None:
    """A value as text of at most 200 characters; None stands for absent."""
    if value is MISSING:
        return None
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, list | dict):
        return _outline(value)
    try:
        return json.dumps(value)[:MAX_TEXT]
    except (TypeError, ValueError):
        return str(value)[:MAX_TEXT] if not isinstance(value, int) else f"integer of {value.bit_length()} bits"


def _outline(value: list[Any] | dict[str, Any]) -> str:
    """The beginning of a container, without building all of its text."""
    parts: list[str] = []
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        scalar = not isinstance(item, list | dict)
        text = shown(item) if scalar and not isinstance(item, str) else None
        if text is None:
            text = json.dumps(item[:MAX_TEXT]) if isinstance(item, str) else ("{…}" if isinstance(item, dict) else "[…]")
        parts.append(f"{json.dumps(key)}: {text}" if isinstance(value, dict) else text)
        if sum(map(len, parts)) > MAX_TEXT:
            parts.append("…")
            break
    inside = ", ".join(parts)
    return (f"{{{inside}}}" if isinstance(value, dict) else f"[{inside}]")[:MAX_TEXT]


def types_of(found: Found) -> str:
    """`string>number`, empty for items and orders."""
    return f"{type_name(found.primary)}>{type_name(found.candidate)}"


def body_differences(findings: Findings, route: str, statuses: str, limit: int) -> tuple[list[Difference], bool]:
    """One difference for each atom of a JSON body, at most `limit`; True where some were left out."""
    data = _data_nodes(findings)
    made: dict[tuple[str, str, str], Difference] = {}
    for found in findings.differences:
        path = general(found.location) if not data else _general_over(found.location, data)
        key = (path, found.kind, types_of(found))
        if key not in made:
            atom = Atom(route, statuses, "body", *key)
            made[key] = Difference(atom, shown(found.primary), shown(found.candidate), exact(found.location), found.note)
    differences = list(made.values())
    if len({difference.atom.path for difference in differences}) > COLLAPSE_ABOVE:
        differences = _collapsed(differences, findings, route, statuses)
    truncated = len(differences) > limit or findings.overflow
    return differences[:limit], truncated


def _data_nodes(findings: Findings) -> set[str]:
    """Places with so many differing names below that the names must be data, not fields."""
    if len(findings.differences) <= MAX_CHILDREN:
        return set()
    children: dict[str, set[str]] = defaultdict(set)
    for found in findings.differences:
        for at, step in enumerate(found.location):
            if isinstance(step, str):
                children[general(found.location[:at])].add(step)
    return {place for place, names in children.items() if len(names) > MAX_CHILDREN}


def _general_over(location: Location, data: set[str]) -> str:
    made = "$"
    for at, step in enumerate(location):
        if isinstance(step, str) and general(location[:at]) in data:
            made += ".*"
        else:
            made += general((step,))[1:]
    return made


def _collapsed(differences: list[Difference], findings: Findings, route: str, statuses: str) -> list[Difference]:
    """Nodes of which every child differs become one atom each, the innermost first, until few enough are left."""
    whole = sorted({(-len(location), general(location)) for location in findings.whole})
    for _, parent in whole:
        if len({difference.atom.path for difference in differences}) <= COLLAPSE_ABOVE:
            break
        below = [d for d in differences if d.atom.path.startswith((parent + ".", parent + "["))]
        if len(below) < 2:
            continue
        kept = [d for d in differences if d not in below]
        atom = Atom(route, statuses, "body", parent, "all_fields", "")
        differences = [*kept, Difference(atom, below[0].primary, below[0].candidate, below[0].location, f"{len(below)} fields")]
    return differences


def header_differences(findings: Findings, route: str, statuses: str, aspect: str) -> list[Difference]:
    """One difference for each header or cookie."""
    return [
        Difference(
            Atom(route, statuses, aspect, str(found.location[0])[:MAX_TEXT], found.kind, ""),
            shown(found.primary),
            shown(found.candidate),
            str(found.location[0]),
            found.note,
        )
        for found in findings.differences
    ]
