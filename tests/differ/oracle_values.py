"""Values as the slow judge compares them: numbers by value, datetimes and links by what they name, rules one by one.

It knows the vocabulary of `tests.differ.random_pairs`, not all of JSON: datetimes have at most six digits of a second.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

BASES = ("http://django.internal:8000", "http://fastapi.internal:8001")


class Missing:
    """A member that is not there."""


MISSING = Missing()


@dataclass(frozen=True)
class Number:
    """A number as it is spelled. A fraction is the double that it names, or itself beyond all doubles."""

    token: str

    @property
    def whole(self) -> bool:
        """Whether it is spelled as an integer."""
        return not set(self.token) & set(".eE")

    @property
    def value(self) -> Fraction:
        """Its exact value."""
        if self.whole:
            return Fraction(int(self.token))
        double = float(self.token)
        if double in (float("inf"), float("-inf")) or (double == 0 and Decimal(self.token) != 0):
            return Fraction(Decimal(self.token))
        return Fraction(Decimal(repr(double)))


def type_of(value: Any) -> str:
    """The JSON type."""
    if value is MISSING:
        return "absent"
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (Number, "number"), (str, "string"), (dict, "object"), (list, "array")):
        if isinstance(value, kind):
            return name
    raise TypeError(type(value))


def exactly(a: Any, b: Any) -> bool:
    """Whether two values are one value in one representation: spelling of fractions and order of members say nothing."""
    if type_of(a) != type_of(b) or a is MISSING:
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(exactly(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(exactly, a, b))
    if isinstance(a, Number):
        return a.whole is b.whole and a.value == b.value
    return bool(a == b)


def identity(value: Any) -> object:
    """An id as something to look up: `1` is `1.0`, not `"1"`."""
    return ("number", value.value) if isinstance(value, Number) else ("string", value)


def same_value(a: Any, b: Any, off: frozenset[str] = frozenset(), drop: tuple[tuple[str, str], ...] = ()) -> bool:
    """Whether two values are one value in two representations; `off` are the normalisers that are switched off."""
    if a is MISSING or b is MISSING or type_of(a) != type_of(b):
        return False
    if isinstance(a, Number):
        if a.whole is not b.whole and "repr:number" in off:
            return False
        return a.value == b.value or (not a.whole and not b.whole and _double(a) == _double(b) != float("inf"))
    if not isinstance(a, str):
        return bool(a == b)
    if a == b:
        return True
    if "repr:datetime" not in off:
        x, y = moment(a), moment(b)
        if x is not None and y is not None and x == y and x.utcoffset() == y.utcoffset() and a[10] == b[10]:
            return True
    if "repr:url" in off:
        return False
    return any(_link(a, dropped) is not None and _link(a, dropped) == _link(b, dropped) for dropped in ((), drop))


def moment(text: object) -> datetime | None:
    """The datetime a text spells, with seconds."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def explains(entry: dict[str, Any], a: Any, b: Any) -> bool:
    """Whether one rule explains two values that are both there."""
    action = entry["action"]
    if action == "type_only":
        return type_of(a) == type_of(b) and (not entry.get("types") or type_of(a) in entry["types"])
    if action == "regex":
        texts = isinstance(a, str) and isinstance(b, str) and not _surrogates(a + b)
        return texts and all(re.fullmatch(entry["pattern"], value) is not None for value in (a, b))
    if action == "tolerance":
        return _tolerance(entry, a, b)
    if action == "builtin":
        return _string_and_number(a, b)
    if action != "normalise":
        return False
    form = entry["as"]
    if form == "datetime":
        return _datetimes(entry, a, b)
    if form == "duration":
        x, y = _seconds(a), _seconds(b)
        x, y = (side if side is not None else _value(value) for side, value in ((x, a), (y, b)))
        return x is not None and x == y and not (isinstance(a, Number) and isinstance(b, Number))
    x, y = FORMS[form](a), FORMS[form](b)
    return x is not None and x == y


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _value(value: Any) -> Fraction | None:
    return value.value if isinstance(value, Number) else None


def _double(number: Number) -> float:
    return abs(float(number.token))


def _tolerance(entry: dict[str, Any], a: Any, b: Any) -> bool:
    if isinstance(a, Number) and isinstance(b, Number):
        gap = abs(a.value - b.value)
        absolute, relative = entry.get("abs"), entry.get("rel")
        if absolute is not None and gap <= Fraction(str(absolute)):
            return True
        return relative is not None and gap <= Fraction(str(relative)) * max(abs(a.value), abs(b.value))
    x, y = moment(a), moment(b)
    if entry.get("tol_s") is None or x is None or y is None or (x.tzinfo is None) is not (y.tzinfo is None):
        return False
    return abs(x - y) <= timedelta(seconds=entry["tol_s"])


def _datetimes(entry: dict[str, Any], a: Any, b: Any) -> bool:
    x, y = moment(a), moment(b)
    if x is None or y is None or (x.tzinfo is None) is not (y.tzinfo is None):
        return False
    cut = {"ms": 1_000, "s": 1_000_000}.get(entry.get("truncate", ""), 1)
    x, y = (side.replace(microsecond=side.microsecond // cut * cut) for side in (x, y))
    if x.utcoffset() != y.utcoffset() and not entry.get("any_offset"):
        return False
    return abs(x - y) <= timedelta(seconds=entry.get("tol_s") or 0)


def _string_and_number(a: Any, b: Any) -> bool:
    number, text = (a, b) if isinstance(a, Number) else (b, a)
    if not isinstance(number, Number) or not isinstance(text, str):
        return False
    if not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?", text):
        return False
    return Number(text).value == number.value


def _decimal(value: Any) -> object:
    if isinstance(value, Number):
        return value.value
    if not isinstance(value, str) or not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", value, re.ASCII):
        return None
    try:
        return Fraction(Decimal(value))
    except InvalidOperation:
        return None


def _date(value: Any) -> object:
    if not isinstance(value, str):
        return None
    at = moment(value)
    if at is not None and (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0):
        return value[:10]
    return value if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None


def _seconds(value: Any) -> Fraction | None:
    known = {"PT1H": 3_600, "01:00:00": 3_600, "PT3600S": 3_600, "P1D": 86_400, "1 00:00:00": 86_400, "PT24H": 86_400}
    return Fraction(known[value]) if isinstance(value, str) and value in known else None


def _uuid(value: Any) -> object:
    if not isinstance(value, str):
        return None
    digits = value.lower().removeprefix("urn:uuid:").strip("{}").replace("-", "")
    return digits if re.fullmatch(r"[0-9a-f]{32}", digits) else None


def _url(value: Any) -> object:
    """Case of scheme and host, the default port and the order of the query say nothing."""
    found = re.fullmatch(r"([a-zA-Z]+)://([^/?#]+)([^?#]*)(\?[^#]*)?", value) if isinstance(value, str) else None
    if found is None:
        return None
    scheme, host = found[1].lower(), found[2].lower()
    query = None if found[4] is None else tuple(sorted(found[4][1:].split("&")))
    return scheme, host.removesuffix(":80") if scheme == "http" else host, found[3] or "/", query


def _html(value: Any) -> object:
    if not isinstance(value, str):
        return None
    if "<" in value:
        return value.lower()
    return " ".join(part for part in re.split(r"[ \t\n\f\r]+", value) if part)


def _json(value: Any) -> object:
    if not isinstance(value, str):
        return None
    try:
        return repr(_sorted(json.loads(value)))
    except ValueError:
        return None


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


FORMS = {
    "date": _date,
    "decimal": _decimal,
    "uuid": _uuid,
    "url": _url,
    "whitespace": lambda value: " ".join(value.split()) if isinstance(value, str) else None,
    "strip": lambda value: value.strip() if isinstance(value, str) else None,
    "casefold": lambda value: value.casefold() if isinstance(value, str) else None,
    "html": _html,
    "number": _value,
    "json": _json,
}


def _link(text: str, drop: tuple[tuple[str, str], ...]) -> object:
    """An absolute link; the two configured bases are one, a third host never."""
    if not re.match(r"https?://[^\s\"<>\\]", text, re.IGNORECASE) or re.search(r"[\s\"<>\\]", text):
        return None
    own = next((base for base in BASES if re.fullmatch(re.escape(base) + r"([/?#].*)?", text)), "")
    found = re.fullmatch(r"([a-zA-Z]+://[^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", text)
    assert found is not None
    base, path, query, fragment = found.groups()
    pairs = None if query is None else sorted(query.split("&"))
    if own and pairs is not None:
        left = [pair for pair in pairs if tuple(pair.partition("=")[::2]) not in drop]
        pairs = None if not left and len(left) < len(pairs) else left
    return "own" if own else base, path, pairs if pairs is None else tuple(pairs), fragment
