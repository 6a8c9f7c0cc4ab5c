"""Compares Set-Cookie per cookie: value and attributes apart, order and spelling of attributes folded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from differ.explains import MISSING, Correlations, explains
from differ.findings import Findings
from differ.in_force import InForce
from differ.moments import http_moment
from rules.model import Rule
from traffic.message import Headers, header_values

_AGE = re.compile(r"-?[0-9]+")
_NAMELESS = "(no name)"
"""Stands among the attributes of `Set-Cookie: a`, which browsers keep as a value without a name; `a=` is another cookie."""


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie line. A deleted cookie has no value and keeps only what says which cookie is meant."""

    name: str
    value: str
    attributes: tuple[tuple[str, str], ...]
    deleted: bool = False

    @property
    def scope(self) -> tuple[tuple[str, str], ...]:
        """Domain and path: of two cookies with one name and one scope the later one counts."""
        return tuple(pair for pair in self.attributes if pair[0] in ("domain", "path"))


def parse_cookie(line: str, today: date, *, fold: bool = True) -> SetCookie:
    """The cookie of one line. `fold` off keeps the spelling of attributes."""
    pair, *parts = line.split(";")
    name, sign, value = pair.partition("=")
    attributes: dict[str, str] = {} if sign else {_NAMELESS: ""}
    if not fold:
        return SetCookie(name.strip(), value.strip(), (*attributes.items(), *((part.strip(), "") for part in parts)))
    for part in parts:
        key, _, text = part.partition("=")
        key = key.strip().lower()
        text = text.strip()
        if key:
            attributes[key] = text.lower() if key in ("samesite", "domain", "priority") else text
    if "max-age" in attributes and not _AGE.fullmatch(attributes["max-age"]):
        attributes["max-age (no number)"] = attributes.pop("max-age")  # browsers leave it out: `Expires` counts
    deleted = _deleted(attributes, today)
    if deleted:  # how it is deleted says nothing; which cookie is meant does
        attributes = {key: text for key, text in attributes.items() if key in ("path", "domain", _NAMELESS)}
        return SetCookie(name.strip(), "", tuple(sorted(attributes.items())), True)
    if "max-age" in attributes:
        attributes.pop("expires", None)
    elif "expires" in attributes:
        at = http_moment(attributes["expires"])
        if at is not None:
            attributes["expires"] = str(at.local)
    return SetCookie(name.strip(), value.strip(), tuple(sorted(attributes.items())))


def _deleted(attributes: dict[str, str], today: date) -> bool:
    if "max-age" in attributes:
        return attributes["max-age"].startswith("-") or not attributes["max-age"].strip("0")
    at = http_moment(attributes.get("expires", ""))
    if at is None:
        return False
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    return at.local < midnight.timestamp()


def compare_cookies(
    primary: Headers,
    candidate: Headers,
    force: InForce,
    findings: Findings,
    correlations: Correlations,
    matching: set[str] | None = None,
) -> None:
    """Adds the differing cookies to `findings`; a location is the cookie's name alone. The order of cookies says nothing."""
    ours, theirs = _by_name(primary, force), _by_name(candidate, force)
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name, []), theirs.get(name, [])
        if a == b:
            continue
        for rule in force.for_target("cookie", name):
            if _explains(rule, a, b, correlations):
                findings.applied.add(rule.called)
                if matching is not None:
                    rules = force.for_target("cookie", name)
                    matching |= {other.called for other in rules if _explains(other, a, b, Correlations())}
                break
        else:
            note = ""
            for rule in force.for_target("cookie", name, expired=True):
                if _explains(rule, a, b, Correlations()):
                    note = f"expired:{rule.called}"
            kind = "removed" if not b else "added" if not a else _what(a, b)
            if kind == "attributes" and not note:
                note = _changed_attributes(a, b)
            findings.add((name,), kind, _shown(a), _shown(b), lambda note=note: note)  # type: ignore[misc]


def _by_name(headers: Headers, force: InForce) -> dict[str, list[SetCookie]]:
    found: dict[str, list[SetCookie]] = {}
    for raw in header_values(headers, b"set-cookie"):
        line = raw.decode("latin-1")
        name = line.partition(";")[0].partition("=")[0].strip()
        fold = force.class1("cookie:attributes") and not force.exact("cookie", name)
        found.setdefault(name, []).append(parse_cookie(line, force.today, fold=fold))
    for cookies in found.values():
        cookies.sort(key=lambda cookie: cookie.scope)  # stable: the order within one scope stays
    return found


def _explains(rule: Rule, a: list[SetCookie], b: list[SetCookie], correlations: Correlations) -> bool:
    """Rules of a cookie are about its value; only `ignore` and `present_only` also cover attributes."""
    if rule.action == "ignore":
        return True
    if not a or not b:
        return False
    if rule.action == "present_only":  # a cookie that is deleted is not present
        return any(not cookie.deleted for cookie in a) is any(not cookie.deleted for cookie in b)
    if [(cookie.attributes, cookie.deleted) for cookie in a] != [(cookie.attributes, cookie.deleted) for cookie in b]:
        return False
    return all(
        one.value == other.value or explains(rule, one.value, other.value, correlations)
        for one, other in zip(a, b, strict=True)
    )


def _what(a: list[SetCookie], b: list[SetCookie]) -> str:
    return "value" if [cookie.attributes for cookie in a] == [cookie.attributes for cookie in b] else "attributes"


def _changed_attributes(a: list[SetCookie], b: list[SetCookie]) -> str:
    """Which attributes changed, e.g. `httponly lost`; attributes are no secret, while the value beside them may be one."""
    ours, theirs = (dict(pair for cookie in cookies for pair in cookie.attributes) for cookies in (a, b))
    changes = []
    for key in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(key), theirs.get(key)
        if one == other:
            continue
        if other is None:
            changes.append(f"{key} lost")
        elif one is None:
            changes.append(f"{key}{f'={other}' if other else ''} added")
        else:
            changes.append(f"{key}={one} became {other}")
    return ", ".join(changes)[:200]


def _shown(cookies: list[SetCookie]) -> object:
    if not cookies:
        return MISSING
    return ", ".join(
        "; ".join([f"{cookie.name}={cookie.value}", *(f"{key}={text}" if text else key for key, text in cookie.attributes)])
        for cookie in cookies
    )
