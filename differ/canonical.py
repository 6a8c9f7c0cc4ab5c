"""Canonical texts of subtrees under the rules: equal texts are equal values. What lists without order are matched by."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from differ.explains import type_name
from differ.forms import canonical
from differ.links import link
from differ.moments import moment
from differ.numbers import Opaque, Special, is_number, number_key
from rules.regexes import matches

if TYPE_CHECKING:
    from differ.walk import Place, Walk
    from rules.model import Rule

IGNORED = "~"


class Canon:
    """Canonical texts of one walk. Every visited node costs one of its budget."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def text(self, value: Any, place: Place) -> str:
        """The canonical text; `~` for what an ignore hides."""
        walk = self.walk
        walk.budget.spend()
        if place.cover and not walk.force.has_exact and walk.hidden_by(place) is not None:
            return IGNORED
        for rule in place.here:
            made = _under(rule, value)
            if made is not None:
                return made
        if isinstance(value, dict):
            return self._object(value, place)
        if isinstance(value, list):
            texts = [self.text(item, walk.child(place, at)) for at, item in enumerate(value)]
            if any(rule.action == "unordered" for rule in place.here):
                texts.sort()
            return "[" + _hashed(texts)
        return self._scalar(value, place)

    def _object(self, value: dict[str, Any], place: Place) -> str:
        parts = []
        for key in sorted(value):
            below = self.walk.child(place, key)
            if value[key] is None and any(rule.action == "missing_is_null" for rule in below.here):
                continue
            made = self.text(value[key], below)
            if made != IGNORED:
                parts += [json.dumps(key), made]
        return "{" + _hashed(parts)

    def _scalar(self, value: Any, place: Place) -> str:
        if is_number(value):
            if place.guard is not None or not self.walk.numbers:
                return f"{type(value).__name__}{value!r}"
            return "#" + number_key(value)
        if isinstance(value, Special | Opaque):
            return f"{type(value).__name__}:{value}"
        if isinstance(value, str) and place.guard is None:
            at = moment(value) if self.walk.datetimes else None
            if at is not None:
                return f"@{at}"
            if self.walk.links and value[:4].lower() == "http":
                folded = link(value, self.walk.own, ())
                if folded is not None:
                    return f"<{folded}"
        return json.dumps(value)


def _under(rule: Rule, value: Any) -> str | None:
    """The text that one rule gives a value, marked by the rule: two of them are equal only where that rule explains the pair."""
    if rule.action == "type_only":
        kind = type_name(value)
        return f"T{rule.id}:{kind}" if not rule.types or kind in rule.types else None
    if rule.action == "regex" and type(value) is str and matches(rule.pattern, value):
        return f"R{rule.id}"
    if rule.action == "normalise" and rule.tol_s is None:
        if rule.form == "duration" and is_number(value):
            return None
        made = canonical(rule, value)
        return None if made is None else f"N{rule.id}:{made!r}"
    return None


def _hashed(parts: list[str]) -> str:
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
