"""Canonical forms of subtrees under the rules: equal forms are equal values. What lists without order are matched by.

A form is a value the JSON library can write. Whatever was folded is a text that begins with NUL, and a real text that begins so
gets one NUL more: no document can be made that looks like another one's form.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from differ.budget import FORM
from differ.equal import digest, sorted_text
from differ.explains import type_name
from differ.forms import canonical
from differ.numbers import is_number
from differ.place import hidden_by
from rules.regexes import matches
from traffic.message import Side

if TYPE_CHECKING:
    from differ.place import Place
    from differ.walk import Walk
    from rules.automaton import State
    from rules.model import Rule

_IGNORED = "\0~"


class Canon:
    """Canonical forms of one walk. Every visited node costs some of its budget."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.simple = walk.simple and not walk.force.dynamic

    def key(self, value: Any, place: Place) -> str | bytes:
        """What stands for a value: equal keys are values that the rules hold for equal."""
        form = self._form(value, place)
        if type(form) is str:
            return form
        return digest(_written(form)) if type(form) is dict or type(form) is list else b"%a" % form

    def keys(self, items: list[Any], place: Place, side: Side) -> list[str | bytes]:
        """The keys of the elements of one side's list."""
        walk, state = self.walk, place.state if side is Side.PRIMARY else place.twin_state
        if not self.simple or place.cover:
            return [self.key(item, walk.places.alone(place, at, side)) for at, item in enumerate(items)]
        walk.budget.spend(FORM * len(items))
        spelled = walk.spelling.form
        made: list[str | bytes] = []
        for at, item in enumerate(items):
            kind = type(item)
            if kind is dict or kind is list or state.step(at).accepted:
                made.append(self.key(item, walk.places.alone(place, at, side)))
            else:
                form = spelled(item)
                made.append(form if type(form) is str else b"%a" % form)
        return made

    def _form(self, value: Any, place: Place) -> Any:
        """The form of a value at a place. Raises LimitHit."""
        walk = self.walk
        walk.budget.spend(FORM)
        if place.cover and walk.simple and hidden_by(place) is not None:
            return _IGNORED
        kind = type(value)
        if walk.simple or (kind is not dict and kind is not list):  # something may be carved out of a container
            for rule in place.here:
                made = _under(rule, value, walk.budget.spend)
                if made is not None:
                    return made
        if kind is dict:
            return self._object(value, place)
        if kind is list:
            forms = self._elements(value, place)
            if any(rule.action == "unordered" for rule in place.here):
                forms.sort(key=_written)
            return forms
        return walk.spelling.form(value) if place.guard is None else walk.spelling.exact_form(value)

    def _object(self, value: dict[str, Any], place: Place) -> dict[str, Any]:
        walk, state, spelled = self.walk, place.state, self.walk.spelling.form
        walk.budget.spend(len(value))
        made: dict[str, Any] = {}
        for key, item in value.items():
            if self.simple:
                below = state.step(key)
                if not below.accepted:
                    kind = type(item)
                    made[key] = spelled(item) if kind is not dict and kind is not list else self._inner(item, key, below, place)
                    continue
            child = walk.child(place, key)
            if item is None and any(rule.action == "missing_is_null" for rule in child.here):
                continue
            form = self._form(item, child)
            if form != _IGNORED:
                made[key] = form
        return made

    def _inner(self, item: Any, key: str, below: State, place: Place) -> Any:
        """A container no rule selects; where no rule selects anything inside either, places are not needed."""
        if below.dead and not place.cover:
            return self._plain(item)
        return self._form(item, self.walk.child(place, key))

    def _elements(self, value: list[Any], place: Place) -> list[Any]:
        walk, state = self.walk, place.state
        if not self.simple:
            return [self._form(item, walk.child(place, at)) for at, item in enumerate(value)]
        if state.dead and not place.cover:
            return [self._plain(item) for item in value]
        walk.budget.spend(len(value))
        made = []
        for at, item in enumerate(value):
            kind = type(item)
            if kind is dict or kind is list or state.step(at).accepted:
                made.append(self._form(item, walk.child(place, at)))
            else:
                made.append(walk.spelling.form(item))
        return made

    def _plain(self, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            self.walk.budget.spend(len(value))
            return {key: self._plain(item) for key, item in value.items()}
        if kind is list:
            self.walk.budget.spend(len(value))
            return [self._plain(item) for item in value]
        return self.walk.spelling.form(value)


def _written(form: Any) -> bytes:
    try:
        return sorted_text(form)
    except (TypeError, ValueError, RecursionError):  # a lone surrogate, or nested deeper than the library writes
        return json.dumps(form, sort_keys=True).encode()


def _under(rule: Rule, value: Any, spend: Callable[[int], None]) -> str | None:
    """The text that one rule gives a value, marked by the rule: two of them are equal only where that rule explains the pair."""
    if rule.action == "type_only":
        kind = type_name(value)
        return f"\0T{rule.id}:{kind}" if not rule.types or kind in rule.types else None
    if rule.action == "regex" and type(value) is str and matches(rule.pattern, value, spend):
        return f"\0R{rule.id}"
    if rule.action == "normalise" and rule.tol_s is None:
        if rule.form == "duration" and is_number(value):
            return None
        made = canonical(rule, value)
        return None if made is None else f"\0N{rule.id}:{made!r}"
    return None
