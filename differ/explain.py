"""Explains a difference for people: DeepDiff on pruned pairs of unequal parts, bounded. It never gives a verdict."""

from __future__ import annotations

from datetime import date
from typing import Any

from differ.budget import Budget, LimitHit
from differ.equal import Equality
from differ.explains import MISSING, Correlations
from differ.findings import Found
from differ.in_force import in_force
from differ.json_exact import InvalidJson, parse_one
from differ.paths import exact
from differ.walk import Walk
from rules.load import EMPTY
from traffic.message import Request

MAX_PAIRS = 50
MAX_STRING = 4_096
MAX_ITEMS = 50
MAX_NESTING = 8
_NO_DAY = date(1970, 1, 1)


def explain(primary_body: bytes, candidate_body: bytes) -> str:
    """One line for each unequal part, at most 50; decoded bodies in, text out. Never raises on what they hold."""
    if primary_body == candidate_body:
        return "The bodies are equal byte for byte."
    try:
        one, other = parse_one(primary_body, EMPTY.limits), parse_one(candidate_body, EMPTY.limits)
    except (InvalidJson, LimitHit) as error:
        return f"{_first_difference(primary_body, candidate_body)} (not compared as JSON: {error})"
    if one.duplicates or other.duplicates:
        return "A name stands twice in one object: which value counts depends on the parser."
    force = in_force(EMPTY, Request("GET", b"/"), "/", 200, "application/json", _NO_DAY)
    walk = Walk(force, Budget(EMPTY.limits.nodes), Correlations(), Equality(False))
    try:
        walk.walk(one.value, other.value, walk.start())
    except (LimitHit, RecursionError) as error:
        return f"{_first_difference(primary_body, candidate_body)} ({error})"
    if walk.findings.clean:
        return "The bodies differ in spelling only: the same values."
    lines = [_line(found) for found in walk.findings.differences[:MAX_PAIRS]]
    more = walk.findings.count - len(lines)
    return "\n".join([*lines, f"... and {more} more"] if more > 0 else lines)


def _line(found: Found) -> str:
    place, note = exact(found.location), f" ({found.note})" if found.note else ""
    if found.kind == "reordered":
        return f"{place}: the same elements in another order{note}"
    if found.primary is MISSING or found.candidate is MISSING:
        side = "candidate" if found.primary is MISSING else "primary"
        value = found.candidate if found.primary is MISSING else found.primary
        return f"{place}: only in the {side}: {_pruned(value)!r}{note}"
    from deepdiff import (
        DeepDiff,
    )  # half a second to import, with pandas where that is installed, and every command imports this module

    found_diff = DeepDiff(
        _pruned(found.primary),
        _pruned(found.candidate),
        ignore_private_variables=False,
        ignore_nan_inequality=True,
        zip_ordered_iterables=True,
        threshold_to_diff_deeper=0,
        view="tree",
    )
    text = " ".join(str(found_diff.pretty()).split())
    return f"{place}: {text or f'{_pruned(found.primary)!r} became {_pruned(found.candidate)!r}'}{note}"


def _pruned(value: Any, depth: int = 0) -> Any:
    """The value, small enough for DeepDiff: strings, containers, nesting and numbers are cut."""
    if isinstance(value, str):
        return str(value)[:MAX_STRING]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**300:
        return f"integer of {value.bit_length()} bits"
    if not isinstance(value, dict | list):
        return value
    if depth >= MAX_NESTING:
        return "..."
    if isinstance(value, dict):
        return {key[:MAX_STRING]: _pruned(value[key], depth + 1) for key in list(value)[:MAX_ITEMS]}
    return [_pruned(item, depth + 1) for item in value[:MAX_ITEMS]]


def _first_difference(a: bytes, b: bytes) -> str:
    low, high = 0, min(len(a), len(b))
    while low < high:  # the first unequal byte, by halving: slices compare at C speed
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    start = max(0, low - 20)
    ours, theirs = (body[start : low + 60].decode("utf-8", "replace") for body in (a, b))
    return f"The bodies differ from byte {low} on: {ours!r} became {theirs!r}"
