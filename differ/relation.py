"""How two different values hang together: the relation names the bug (a time zone, a lost trim, cents for euros)."""

from __future__ import annotations

from typing import Any

from differ.explains import MISSING
from differ.forms import string_and_number, text_form
from differ.moments import moment
from differ.numbers import is_number, number_key

_EMPTY: tuple[Any, ...] = ("", [], {})
_FACTORS = (10, 60, 100, 1_000, 3_600, 1_000_000)
MAX_TEXT = 10_000


def relation(a: Any, b: Any) -> str:
    """A short name of the relation of primary `a` to candidate `b`, empty where none is known."""
    if a is MISSING or b is MISSING:
        present = b if a is MISSING else a
        if present is None:
            return "null_vs_absent"
        return "empty_vs_absent" if type(present) in (str, list, dict) and present in _EMPTY else ""
    if (a is None) is not (b is None):
        other = b if a is None else a
        return "null_vs_empty" if type(other) in (str, list, dict) and other in _EMPTY else ""
    if is_number(a) and is_number(b):
        try:
            return _numbers(float(a), float(b))
        except OverflowError:  # an integer beyond every double
            return ""
    if type(a) is str and type(b) is str:
        return _texts(a, b) if max(len(a), len(b)) <= MAX_TEXT else ""
    if string_and_number(a, b):
        return "number_vs_string"
    if isinstance(a, bool) or isinstance(b, bool):
        return "boolean_vs_other" if str(a).lower() == str(b).lower() or {str(a), str(b)} & {"1", "0"} else ""
    return ""


def _numbers(a: float, b: float) -> str:
    if a and b:
        for factor in _FACTORS:
            if a * factor == b:
                return f"factor x{factor}"
            if b * factor == a:
                return f"factor /{factor}"
        if a == -b:
            return "sign"
    if abs(a - b) < 1e-6 * max(abs(a), abs(b)):
        return "rounding"
    return f"offset {b - a:+g}" if float(b - a).is_integer() and 0 < abs(b - a) <= 2 else ""


def _texts(a: str, b: str) -> str:
    one, other = moment(a), moment(b)
    if one is not None and other is not None:
        return _moments(one.instant, other.instant, (one.offset is None) is (other.offset is None))
    if a.strip() == b.strip():
        return "trimmed"
    if "".join(a.split()) == "".join(b.split()):
        return "whitespace"
    if a.casefold() == b.casefold():
        return "case"
    if text_form(a) == b or a == text_form(b):
        return "html_escaped"
    if a and b and (a.startswith(b) or b.startswith(a)):
        return "truncated" if a.startswith(b) else "prefix"
    try:
        if a.strip() and b.strip() and number_key(float(a)) == number_key(float(b)):
            return "decimal_digits"
    except (ValueError, OverflowError):
        pass
    return "empty" if not a or not b else ""


def _moments(one: Any, other: Any, comparable: bool) -> str:
    gap = float(other - one)
    if not comparable:
        return "naive_vs_aware" if gap == 0 else ""
    if gap == 0:
        return "same_instant"
    if abs(gap) < 0.001:
        return "below_ms"
    if gap % 900 == 0 and abs(gap) <= 86_400 * 2:
        hours = gap / 3_600
        return f"offset {hours:+g}h"
    return "seconds" if abs(gap) <= 60 else ""


def masked_relation(a: Any, b: Any) -> str:
    """The relation of two values that a rule hides, where it smells of a bug: a constant offset of zones, a factor."""
    if not (isinstance(a, str) and isinstance(b, str)) or max(len(a), len(b)) > 64:
        return ""
    found = relation(a, b)
    return found if found.startswith("offset ") and found.endswith("h") else ""
