"""Datetimes, dates and durations as texts spell them, compared without losing a digit."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_DATETIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DJANGO = re.compile(r"(?:(-?\d{1,9}) )?(-?)(\d\d):([0-5]\d):([0-5]\d)(?:\.(\d{1,6}))?", re.ASCII)
_ISO = re.compile(
    r"([+-]?)P(?:(\d{1,9}(?:\.\d+)?)W)?(?:(\d{1,9}(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d{1,9}(?:\.\d+)?)H)?(?:(\d{1,9}(?:\.\d+)?)M)?(?:(\d{1,12}(?:\.\d{1,12})?)S)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()


class Moment(NamedTuple):
    """A datetime as spelled: `local` seconds since 1970 ignoring the offset, exact `fraction` digits, offset in minutes or None."""

    local: int
    fraction: str
    offset: int | None
    separator: str

    @property
    def instant(self) -> Decimal:
        """Seconds since 1970; of the local reading where there is no offset."""
        return Decimal(self.local - 60 * (self.offset or 0)) + Decimal(f"0.{self.fraction or '0'}")

    def cut(self, unit: str) -> Moment:
        """The moment cut to `ms` or `s`; anything else leaves it."""
        digits = {"ms": 3, "s": 0}.get(unit)
        if digits is None:
            return self
        return Moment(self.local, self.fraction[:digits].rstrip("0"), self.offset, self.separator)


def moment(text: object) -> Moment | None:
    """The datetime that `text` spells, or None: an ISO 8601 one with seconds that exists in the calendar."""
    if not isinstance(text, str) or not 19 <= len(text) <= 38 or text[4] != "-":
        return None
    found = _DATETIME.fullmatch(text)
    if found is None:
        return None
    day, separator, hour_text, minute_text, second_text, fraction, zone = found.groups()
    hour, minute, second = int(hour_text), int(minute_text), int(second_text)
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    offset: int | None = None
    if zone == "Z":
        offset = 0
    elif zone is not None:
        digits = zone[1:].replace(":", "")
        if int(digits[:2]) > 23 or int(digits[2:]) > 59:
            return None
        offset = (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 60 + int(digits[2:]))
    local = days * 86_400 + hour * 3_600 + minute * 60 + second
    return Moment(local, fraction.rstrip("0") if fraction else "", offset, separator)


def is_utc_moment(text: str) -> bool:
    """Whether `moment` knows a text that ends in Z; half the work of taking it apart."""
    if not 20 <= len(text) <= 38 or text[-1] != "Z" or _DATETIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True


def http_moment(text: str) -> Moment | None:
    """The moment of an HTTP date such as `Fri, 20 Nov 2026 06:02:03 GMT`, or None."""
    if len(text) > 60:
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        gap = at - _EPOCH
    except OverflowError:
        return None
    return Moment(gap.days * 86_400 + gap.seconds, "", 0, ",")


def calendar_day(text: object) -> date | None:
    """The day of a date, or of a datetime at midnight; None for anything else."""
    if not isinstance(text, str):
        return None
    found = _DATE.fullmatch(text)
    if found is not None:
        try:
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            return None
    at = moment(text)
    if at is None or at.local % 86_400 or at.fraction:
        return None
    return date.fromisoformat(str(text)[:10])


def duration(text: object) -> Decimal | None:
    """Seconds of a duration in ISO 8601 (`-PT1H`) or Django's form (`-1 23:00:00`), or None. Plain numbers are none."""
    if not isinstance(text, str) or not 3 <= len(text) <= 80:
        return None
    found = _ISO.fullmatch(text) if "P" in text[:2] else None
    if found is not None and any(found.groups()[1:]):
        sign, *parts = found.groups()
        weeks, days, hours, minutes, seconds = (Decimal(part or 0) for part in parts)
        total = weeks * 604_800 + days * 86_400 + hours * 3_600 + minutes * 60 + seconds
        return -total if sign == "-" else total
    found = _DJANGO.fullmatch(text)
    if found is None:
        return None
    days_text, sign, hour, minute, second, fraction = found.groups()
    clock = Decimal(int(hour) * 3_600 + int(minute) * 60 + int(second)) + Decimal(f"0.{fraction or '0'}")
    return Decimal(int(days_text or 0) * 86_400) + (-clock if sign else clock)
