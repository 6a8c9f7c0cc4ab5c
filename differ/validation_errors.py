"""The builtin behind the preset drf-fastapi-errors: the same refused fields, told in two shapes.

DRF: `400 {"lines": {"0": {"qty": ["..."]}}}`; FastAPI: `422 {"detail": [{"loc": ["body", "lines", 0, "qty"], ...}]}`.
Only the sets of field paths are compared; `non_field_errors` stands for its parent.
"""

from __future__ import annotations

import re
from typing import Any

from rules.jsonpath import Location

_ORIGINS = ("body", "query", "path", "header", "cookie", "form")
_NON_FIELD = ("non_field_errors", "__all__")
_SYNTAX = "JSON parse error"
MAX_FIELDS = 1_000
_WORD = re.compile(r"[A-Za-z_][\w-]{0,40}", re.ASCII)
ALL_FIELDS: Location = ("\0all",)
SYNTAX: Location = ("\0syntax",)


def drf_fields(document: Any) -> set[Location] | None:
    """The refused fields of a DRF answer; None when the document has another shape."""
    if isinstance(document, dict) and isinstance(document.get("detail"), str):
        return {SYNTAX} if len(document) == 1 and document["detail"].startswith(_SYNTAX) else None
    if isinstance(document, list) and _messages(document):
        return {()}
    found: set[Location] = set()
    if not document or not isinstance(document, dict | list) or not _collect(document, (), found) or not found:
        return None
    return found


def _messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _collect(node: Any, location: Location, found: set[Location]) -> bool:
    if len(found) > MAX_FIELDS or len(location) > 50:
        return False
    if _messages(node):
        found.add(location)
        return True
    if isinstance(node, dict):
        return all(
            _collect(value, location if key in _NON_FIELD else (*location, _step(key)), found) for key, value in node.items()
        )
    if isinstance(node, list):  # many=True: one entry for each element, `{}` for a good one
        return all(isinstance(item, dict) and _collect(item, (*location, at), found) for at, item in enumerate(node))
    return False


def _step(key: str) -> str | int:
    return int(key) if key.isascii() and key.isdigit() and len(key) < 10 else key


def fastapi_fields(document: Any) -> set[Location] | None:
    """The refused fields of a FastAPI answer; None when the document has another shape."""
    errors = fastapi_errors(document)
    if errors is None:
        return None
    found: set[Location] = set()
    for kind, origin, location in errors:
        if kind == "json_invalid":
            return {SYNTAX} if len(errors) == 1 else None
        if kind == "missing" and origin == "body" and not location and len(errors) == 1:
            return {ALL_FIELDS}
        found.add(location)
    return found


def fastapi_errors(document: Any) -> list[tuple[str, str, Location]] | None:
    """Type, origin and location of each error, or None."""
    details = document.get("detail") if isinstance(document, dict) and len(document) == 1 else None
    if not isinstance(details, list) or not details or len(details) > MAX_FIELDS:
        return None
    found = []
    for item in details:
        steps = item.get("loc") if isinstance(item, dict) else None
        if not isinstance(steps, list) or not all(type(step) in (str, int) for step in steps) or len(steps) > 50:
            return None
        origin = steps[0] if steps and steps[0] in _ORIGINS else ""
        location = tuple(_step(step) if isinstance(step, str) else step for step in (steps[1:] if origin else steps))
        found.append((str(item.get("type", ""))[:60], origin, location))
    return found


def field_differences(primary: Any, candidate: Any, empty_request: bool) -> list[tuple[Location, str]] | None:
    """Fields that one side alone refuses, as (location, removed or added); None when the shapes are not these two."""
    ours, theirs = drf_fields(primary), fastapi_fields(candidate)
    if theirs is None:
        return None
    errors = fastapi_errors(candidate) or []
    if ours is None:
        not_found = isinstance(primary, dict) and isinstance(primary.get("detail"), str) and len(primary) == 1
        return [] if not_found and errors and all(origin == "path" for _, origin, _ in errors) else None
    if theirs == {ALL_FIELDS}:  # a missing body is every field missing
        if ours == {()}:  # `null` is no body to FastAPI, and no data to DRF
            return []
        return [] if empty_request and ours != {SYNTAX} else [(field, "removed") for field in sorted(ours, key=repr)]
    if (ours == {SYNTAX}) is not (theirs == {SYNTAX}):
        return [((), "value")]
    gone = [(field, "removed") for field in sorted(ours - theirs, key=repr)]
    return gone + [(field, "added") for field in sorted(theirs - ours, key=repr)]


def fingerprint(status: int, document: Any) -> str:
    """What sets causes of one wrong status apart: `422:query.page=int_parsing`. Words and generalised places only, no values."""
    errors = fastapi_errors(document)
    if errors:
        kind, origin, location = min(errors, key=repr)
        words = [step if isinstance(step, str) and _WORD.fullmatch(step) else "*" for step in location[:6]]
        place = ".".join(part for part in (origin, *words) if part)
        return f"{status}:{place}={kind if _WORD.fullmatch(kind) else '*'}"
    if isinstance(document, dict):
        names = sorted(str(key) for key in document if isinstance(key, str) and _WORD.fullmatch(key))[:4]
        return f"{status}:{{{','.join(names)}}}"
    return str(status)
