"""Canonical forms of single values, one for each `normalise as`. A value that a form does not know has none (None)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from differ.html_tokens import tokens
from differ.links import same_resource
from differ.moments import calendar_day, duration, moment
from differ.numbers import _WIDE, Opaque, Special, is_number, number_key, parse_fraction
from rules.model import Rule

_DECIMAL = re.compile(r"[+-]?(?:\d{1,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_UUID = re.compile(
    r"(?:urn:uuid:|(?P<brace>\{))?(?P<digits>[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})(?(brace)\})",
    re.I | re.A,
)
_SPACE = re.compile(r"\s+")
MAX_EMBEDDED = 1 << 20
Canonical = Callable[[Any], "tuple[object, ...] | None"]


def canonical(rule: Rule, value: Any) -> tuple[object, ...] | None:
    """The canonical form of `value` under a `normalise` rule without a tolerance, or None. Equal forms are equal values."""
    if rule.form == "datetime":
        return _datetime(rule, value)
    found = _FORMS[rule.form](value)
    return None if found is None else (rule.form, *found)


def _datetime(rule: Rule, value: Any) -> tuple[object, ...] | None:
    at = moment(value)
    if at is None:
        return None
    at = at.cut(rule.truncate)
    if rule.any_offset and at.offset is not None:
        return ("datetime", "instant", str(at.instant))
    return ("datetime", at.local, at.fraction, at.offset)


def _date(value: Any) -> tuple[object, ...] | None:
    day = calendar_day(value)
    return None if day is None else (day.isoformat(),)


def _decimal(value: Any) -> tuple[object, ...] | None:
    if is_number(value):
        return (number_key(value),)
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    return decimal_text(value)


def decimal_text(value: str) -> tuple[object, ...] | None:
    """The canonical form of a decimal's text."""
    made = Decimal(value, _WIDE)
    return None if made.is_nan() else (number_key(made),)


def string_and_number(a: Any, b: Any) -> bool:
    """Whether one is a number and the other the same number as a plain decimal text (`"12.50"` and `12.5`, never `"0123"`)."""
    if is_number(b):
        a, b = b, a
    if not is_number(a) or type(b) is not str or not _PLAIN_DECIMAL.fullmatch(b):
        return False
    number = int(b) if b.lstrip("-").isdigit() else parse_fraction(b)
    return is_number(number) and number_key(number) == number_key(a)  # type: ignore[arg-type]


def _duration(value: Any) -> tuple[object, ...] | None:
    seconds = duration(value)
    return None if seconds is None else (number_key(seconds),)


def duration_pair(a: Any, b: Any) -> bool:
    """Whether one is a duration's text and the other the same number of seconds."""
    if is_number(a):
        a, b = b, a
    seconds = duration(a)
    return seconds is not None and is_number(b) and number_key(seconds) == number_key(b)


def _uuid(value: Any) -> tuple[object, ...] | None:
    found = _UUID.fullmatch(value) if isinstance(value, str) and len(value) < 60 else None
    return None if found is None else (found["digits"].replace("-", "").lower(),)


def _url(value: Any) -> tuple[object, ...] | None:
    found = same_resource(value)
    return None if found is None else (found,)


def _whitespace(value: Any) -> tuple[object, ...] | None:
    return (_SPACE.sub(" ", value).strip(),) if isinstance(value, str) else None


def _strip(value: Any) -> tuple[object, ...] | None:
    return (value.strip(),) if isinstance(value, str) else None


def _casefold(value: Any) -> tuple[object, ...] | None:
    return (value.casefold(),) if isinstance(value, str) else None


def _html(value: Any) -> tuple[object, ...] | None:
    if not isinstance(value, str) or len(value) > MAX_EMBEDDED:
        return None
    return tuple(token.key for token in tokens(value, mask_csrf=True))


def _number(value: Any) -> tuple[object, ...] | None:
    return (number_key(value),) if is_number(value) else None


def _json(value: Any) -> tuple[object, ...] | None:
    """A string that holds JSON compares as JSON."""
    if not isinstance(value, str) or len(value) > MAX_EMBEDDED or value.count("[") + value.count("{") > 10_000:
        return None
    try:
        document = json.loads(value, parse_float=parse_fraction, parse_constant=Special, object_pairs_hook=_members)
        return (json.dumps(_plain(document), ensure_ascii=True),)
    except (ValueError, TypeError, RecursionError):
        return None


def _members(pairs: list[tuple[str, Any]]) -> Any:
    return {"": sorted(([name, _plain(value)] for name, value in pairs), key=lambda pair: pair[0])}


def _plain(value: Any) -> Any:
    if is_number(value):
        return {"#": number_key(value)}
    if isinstance(value, Special | Opaque):  # they are texts in Python, and no text of the document
        return {"#": value}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def text_form(value: str) -> str:
    """A text with entities undone, for notes."""
    try:
        return html.unescape(value)
    except ValueError:
        return value


_FORMS: dict[str, Canonical] = {
    "date": _date,
    "decimal": _decimal,
    "duration": _duration,
    "uuid": _uuid,
    "url": _url,
    "whitespace": _whitespace,
    "strip": _strip,
    "casefold": _casefold,
    "html": _html,
    "number": _number,
    "json": _json,
}
