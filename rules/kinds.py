"""What the values of a rule file's keys may be: each kind reads its value and says itself as JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rules.nodes import Node
from rules.reading import Reader

MAX_TEXT = 2_000
MAX_LISTED = 200
"""Values of one list."""
_CONTROL = r"[\x00-\x1f\x7f]"
_CONTROL_BUT_LINES = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_STATUS = "[1-5][0-9]{2}"
_STATUS_SCOPE = "!?[1-5](xx|[0-9]{2})"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not blank; empty by default. Only one of several `lines` may hold line ends and tabs.

    `maximum` bounds its characters and, so that a store can keep it as a key, its bytes in UTF-8 where it is less than the usual.
    """

    lines: bool = False
    maximum: int = MAX_TEXT

    def read(self, reader: Reader, key: str) -> str:
        """The text."""
        member = reader.take(key)
        if member is None:
            return ""
        value = member.value
        if not isinstance(value, str):
            remedy = ": put it in quotes" if isinstance(value, int | float) else ""
            reader.fault(key, f"must be a text, got {member.kind}{remedy}")
        elif not value.strip() or self._length(value) > self.maximum:
            reader.fault(key, f"must be a text of 1 to {self.maximum} characters, got {self._length(value)}: {member.kind}")
        elif re.search(_CONTROL_BUT_LINES if self.lines else _CONTROL, value):
            reader.fault(key, f"must not hold control characters{'' if self.lines else ' or line ends'}, got {member.kind}")
        else:
            return value
        return ""

    def _length(self, value: str) -> int:
        return len(value) if self.maximum == MAX_TEXT else len(value.encode("utf-8", "surrogatepass"))

    def schema(self) -> dict[str, Any]:
        """A text, too."""
        control = _CONTROL_BUT_LINES if self.lines else _CONTROL
        return {"type": "string", "maxLength": self.maximum, "pattern": r"\S", "not": {"pattern": control}}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    allowed: tuple[str, ...]
    default: str = ""

    def read(self, reader: Reader, key: str) -> str:
        """The word."""
        member = reader.take(key)
        if member is None:
            return self.default
        if not isinstance(member.value, str) or member.value not in self.allowed:
            reader.fault(key, f"got {member.kind}; {reader.hint(member.value, self.allowed)}allowed: {', '.join(self.allowed)}")
            return self.default
        return member.value

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.allowed)} | ({"default": self.default} if self.default else {})


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false, false by default."""

    def read(self, reader: Reader, key: str) -> bool:
        """The flag."""
        member = reader.take(key)
        if member is None:
            return False
        if not isinstance(member.value, bool):
            near = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(member.value).lower())
            reader.fault(key, f"must be true or false, got {member.kind}{f': write {near}' if near else ''}")
            return False
        return member.value

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean", "default": False}


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from 0 to `maximum`; None by default."""

    maximum: float = math.inf

    def read(self, reader: Reader, key: str) -> float | None:
        """The number as a float."""
        member = reader.take(key)
        if member is None:
            return None
        value = member.value
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= self.maximum
        if not good or value > 1e300 or not math.isfinite(value):
            bound = " upwards" if self.maximum == math.inf else f" to {self.maximum:g}"
            reader.fault(key, f"must be a number from 0{bound}, got {member.kind}{_number_remedy(value)}")
            return None
        return float(value)

    def schema(self) -> dict[str, Any]:
        """A number."""
        return {"type": "number", "minimum": 0} | ({} if self.maximum == math.inf else {"maximum": self.maximum})


def _number_remedy(value: object) -> str:
    if not isinstance(value, str) or len(value) > 40:
        return ""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value, re.ASCII):
        return ": write it without quotes and leading zeros"
    share = re.fullmatch(r"([0-9]{1,3}(\.[0-9]{1,6})?) ?%", value, re.ASCII)
    return f": write {float(share[1]) / 100:g}" if share else ""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar as YYYY-MM-DD; None by default."""

    def read(self, reader: Reader, key: str) -> date | None:
        """The day."""
        member = reader.take(key)
        if member is None:
            return None
        value = member.value
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if not isinstance(value, str) or not re.fullmatch(_DAY, value, re.ASCII):
            reader.fault(key, f"must be a date as YYYY-MM-DD, got {member.kind}")
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            reader.fault(key, f"must be a date as YYYY-MM-DD, got {member.kind}: the calendar has no such day")
            return None

    def schema(self) -> dict[str, Any]:
        """A date; in YAML 1.2, which editors read, it is a text."""
        return {"type": "string", "format": "date", "pattern": f"^{_DAY}$"}


@dataclass(frozen=True, slots=True)
class Words:
    """One word or a list of them, each once; none by default. `allowed` closes the set."""

    allowed: tuple[str, ...] = ()
    what: str = "a text"

    def read(self, reader: Reader, key: str) -> tuple[str, ...]:
        """The words in the order of the file."""
        found: list[str] = []
        for item in _items(reader, key):
            value = "null" if item.blank and "null" in self.allowed else item.value  # YAML reads the word `null` as no value
            if not isinstance(value, str) or (self.allowed and value not in self.allowed):
                spelled = value.upper() if isinstance(value, str) and value.upper() in self.allowed else value
                near = f"did you mean {spelled!r}? " if spelled != value else reader.hint(value, self.allowed)
                allowed = (
                    f"{near}allowed: {', '.join(self.allowed)}" if self.allowed else f"{self.what} or a list of them is needed"
                )
                reader.fault(key, f"got {item.kind}; {allowed}", item.place)
            elif not value.strip() or len(value) > MAX_TEXT or re.search(_CONTROL, value):
                reader.fault(
                    key, f"got {item.kind}; {self.what} of 1 to {MAX_TEXT} characters on one line is needed", item.place
                )
            elif value not in found:
                found.append(value)
        return tuple(found)

    def schema(self) -> dict[str, Any]:
        """One or several."""
        nullable = {"enum": [*self.allowed, None]} if "null" in self.allowed else {"enum": list(self.allowed)}
        return _one_or_more(nullable if self.allowed else Text().schema())


@dataclass(frozen=True, slots=True)
class Statuses:
    """A status from 100 to 599, or a list of them."""

    def read(self, reader: Reader, key: str) -> frozenset[int]:
        """The statuses."""
        found = set()
        for item in _items(reader, key):
            status = _status(item)
            if status is None:
                reader.fault(key, f"must be a status from 100 to 599, or a list of them, got {item.kind}", item.place)
            else:
                found.add(status)
        return frozenset(found)

    def schema(self) -> dict[str, Any]:
        """Numbers, or their digits as texts."""
        return _one_or_more({"anyOf": [_STATUS_NUMBER, {"type": "string", "pattern": f"^{_STATUS}$"}]})


@dataclass(frozen=True, slots=True)
class StatusScope:
    """Statuses such as 404, classes such as 4xx, or !405 for any other; one or a list."""

    def read(self, reader: Reader, key: str) -> tuple[str, ...]:
        """The entries, sorted, as texts."""
        found = set()
        for item in _items(reader, key):
            value = item.value
            text = str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000 else value
            if isinstance(text, str) and re.fullmatch(_STATUS_SCOPE, text, re.ASCII):
                found.add(text)
                continue
            lower = (
                f"did you mean {text.lower()!r}? "
                if isinstance(text, str) and re.fullmatch(_STATUS_SCOPE, text.lower())
                else ""
            )
            allowed = "allowed: a status such as 404, a class such as 4xx, or !405 for any other"
            reader.fault(key, f"got {item.kind}; {lower}{allowed}", item.place)
        return tuple(sorted(found))

    def schema(self) -> dict[str, Any]:
        """Numbers and texts."""
        return _one_or_more({"anyOf": [_STATUS_NUMBER, {"type": "string", "pattern": f"^{_STATUS_SCOPE}$"}]})


_STATUS_NUMBER = {"type": "integer", "minimum": 100, "maximum": 599}


def _status(item: Node) -> int | None:
    value = item.value
    if isinstance(value, str) and re.fullmatch(_STATUS, value, re.ASCII):
        return int(value)
    good = isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599
    return value if good else None


def _items(reader: Reader, key: str) -> Sequence[Node]:
    """One value, or those of a list; an empty list would mean nothing or everything, so it is refused."""
    member = reader.take(key)
    if member is None:
        return ()
    if member.items is None:
        return (member,)
    if not member.items:
        reader.fault(key, "the list is empty: name at least one, or remove the key")
    if len(member.items) > MAX_LISTED:
        reader.fault(key, f"the list holds {len(member.items)} values, at most {MAX_LISTED} are read")
        return ()
    return member.items


def _one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_LISTED}]}
