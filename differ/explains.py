"""Whether one rule explains one pair of values. Every relation here is a function of the two values and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from differ.forms import canonical, duration_pair, string_and_number
from differ.moments import Moment, moment
from differ.numbers import Opaque, Special, is_number, within
from rules.model import Rule
from rules.regexes import matches


class _Missing:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "absent"


MISSING = _Missing()


def type_name(value: Any) -> str:
    """The JSON type, as rules and atoms name it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Special | Opaque) or is_number(value):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is MISSING:
        return "absent"
    return "object" if isinstance(value, dict) else "array"


class Correlations:
    """Which primary id goes with which candidate id, for each `correlate` rule: one to one, bounded.

    One answer pair uses a fresh one unless the caller keeps one for a run. Rules of one `name` share a mapping: what it names has
    one id on each side wherever it stands. Adding a rule must never add a mismatch, so a pair is learnt only where nothing else
    explains the place: `correlate` is asked last.
    """

    MAXIMUM = 100_000

    def __init__(self) -> None:
        self._forth: dict[tuple[str, Any], Any] = {}
        self._back: dict[tuple[str, Any], Any] = {}
        self._learnt: list[tuple[tuple[str, Any], tuple[str, Any]]] = []
        self._states = [0]

    @property
    def mark(self) -> int:
        """How much is known; see `back_to`."""
        return len(self._learnt)

    @property
    def state(self) -> tuple[int, int]:
        """Equal for equal knowledge that was learnt in the same order."""
        return len(self._learnt), self._states[-1]

    def back_to(self, mark: int) -> None:
        """Forgets what an attempt that failed has taught since `mark`."""
        while len(self._learnt) > mark:
            forth, back = self._learnt.pop()
            self._states.pop()
            del self._forth[forth], self._back[back]

    def knows(self, name: str, a: Any, b: Any) -> bool:
        """Whether the pair has been learnt."""
        return type(a) not in (dict, list) and bool(self._forth.get((name, a), MISSING) == b)

    def consistent(self, name: str, a: Any, b: Any) -> bool:
        """Whether the pair fits what is known; learns it where both ids are new."""
        if type_name(a) not in ("string", "number") or type_name(a) != type_name(b):
            return False
        forth, back = (name, a), (name, b)
        if forth not in self._forth and back not in self._back:
            if len(self._forth) < self.MAXIMUM:
                self._forth[forth] = b
                self._back[back] = a
                self._learnt.append((forth, back))
                self._states.append(hash((self._states[-1], forth, back)))
            return True
        return bool(self._forth.get(forth, MISSING) == b and self._back.get(back, MISSING) == a)


def explains(rule: Rule, a: Any, b: Any, correlations: Correlations, spend: Callable[[int], None] | None = None) -> bool:
    """Whether `rule` explains the difference of `a` and `b`; either may be MISSING. `spend` pays for the work of patterns."""
    action = rule.action
    if action == "ignore":
        return True
    if action == "missing_is_null":
        return (a is MISSING and b is None) or (a is None and b is MISSING)
    if a is MISSING or b is MISSING:
        return False
    if action == "type_only":
        kind = type_name(a)
        return kind == type_name(b) and (not rule.types or kind in rule.types)
    if action == "regex":
        return type(a) is str and type(b) is str and matches(rule.pattern, a, spend) and matches(rule.pattern, b, spend)
    if action == "correlate":
        return correlations.consistent(rule.bijection, a, b)
    if action == "tolerance":
        return _tolerates(rule, a, b)
    if action == "builtin":
        return rule.builtin == "decimal-string-number" and string_and_number(a, b)
    return action == "normalise" and _normalises(rule, a, b)


def _tolerates(rule: Rule, a: Any, b: Any) -> bool:
    if is_number(a) and is_number(b):
        return (rule.abs is not None or rule.rel is not None) and within(a, b, rule.abs, rule.rel)
    if rule.tol_s is None:
        return False
    return close(moment(a), moment(b), rule.tol_s)


def close(one: Moment | None, other: Moment | None, seconds: float) -> bool:
    """Whether two moments, both with an offset or both without, lie within `seconds`, inclusive."""
    if one is None or other is None or (one.offset is None) is not (other.offset is None):
        return False
    return within(one.instant, other.instant, seconds, None)


def _normalises(rule: Rule, a: Any, b: Any) -> bool:
    if rule.form == "duration" and duration_pair(a, b):
        return True
    if rule.form == "duration" and is_number(a) and is_number(b):
        return False
    if rule.tol_s is not None:
        one, other = moment(a), moment(b)
        if one is None or other is None or (one.offset != other.offset and not rule.any_offset):
            return False
        return close(one.cut(rule.truncate), other.cut(rule.truncate), rule.tol_s)
    form = canonical(rule, a)
    return form is not None and form == canonical(rule, b)
