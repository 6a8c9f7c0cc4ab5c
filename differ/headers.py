"""Compares header lists: by name, lines joined, spelling of known headers folded, rules applied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from differ.accepted import accepted_codings
from differ.decode import codings_of
from differ.explains import MISSING, Correlations, close, explains
from differ.findings import Findings
from differ.in_force import InForce
from differ.links import link_header, readings, target
from differ.media_types import media_form
from differ.moments import http_moment, moment
from differ.numbers import parse_fraction, within
from rules.model import Rule
from traffic.message import Headers, Request

DROPPED = frozenset(
    {"server", "date", "via", "x-powered-by", "alt-svc", "connection", "keep-alive", "transfer-encoding", "te", "trailer"}
    | {"upgrade", "proxy-connection", "proxy-authenticate", "proxy-authorization"}
    | {"content-length", "content-encoding", "set-cookie"}
)
"""Identity of the server, hop-by-hop, framing; Set-Cookie is compared cookie by cookie."""
TOKEN_SETS = frozenset(
    {"vary", "allow", "cache-control", "pragma", "access-control-allow-methods"}
    | {"access-control-allow-headers", "access-control-expose-headers"}
)
_END_TO_END = (
    TOKEN_SETS
    | {"location", "link", "etag", "last-modified", "expires", "age", "accept-ranges", "retry-after", "www-authenticate"}
    | {"strict-transport-security", "x-frame-options", "x-content-type-options", "referrer-policy", "set-cookie"}
)
"""Fields that a Connection header cannot make hop-by-hop: they are meant for everyone."""
Fields = dict[bytes, bytes]
Codings = tuple[list[str], list[str]]
_CASED = frozenset({"allow", "access-control-allow-methods"})
_LINKS = frozenset({"location", "content-location"})
_TOKENS = re.compile(r'(?>(?:[^,"]|"(?>(?:[^"\\]|\\.)*)")+)')
_LABEL = re.compile(r""" "(?>(?:[^"\\]|\\.)*)" | \*\s*+=\s*+([A-Za-z0-9\-]++)' """, re.VERBOSE)
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)


def joined(headers: Headers) -> Fields:
    """Headers by lower-case name, several lines joined with a comma; what Connection names is hop-by-hop and left out."""
    made: Fields = {}
    for name, value in headers:
        key = name.strip().lower()
        made[key] = value.strip() if key not in made else b"%b, %b" % (made[key], value.strip())
    if made.get(b"connection", b"close").lower() not in (b"close", b"keep-alive"):
        for option in made[b"connection"].lower().split(b","):
            name = option.strip()
            if name.decode("latin-1") not in _END_TO_END and not name.startswith(b"content-"):
                made.pop(name, None)
    return made


def content_type(fields: Fields) -> str:
    """The Content-Type, empty where there is none."""
    return fields.get(b"content-type", b"").decode("latin-1")


def differing(ours: Fields, theirs: Fields, identity: frozenset[str]) -> list[str]:
    """The names of the headers that are compared and are not the same text, in order."""
    found = []
    for name in ours.keys() | theirs.keys():
        if ours.get(name) != theirs.get(name):
            text = name.decode("latin-1")
            if text not in DROPPED and text not in identity:
                found.append(text)
    return sorted(found)


@dataclass
class HeaderComparison:
    """Compares the headers of two answers into `findings`; a location is the header's name alone.

    `identity` are lower-case names that are not compared. `matching` collects the names of all rules that would explain something.
    """

    force: InForce
    findings: Findings
    correlations: Correlations
    identity: frozenset[str]
    matching: set[str] | None = None

    def compare(self, names: list[str], ours: Fields, theirs: Fields, request: Request, bodiless: bool) -> None:
        """Compares the headers of these names. `bodiless`: neither answer has a body, so Content-Type and Content-Encoding say nothing.

        Content codings are no difference but for one that `request` refused.
        """
        codings = codings_of(ours.get(b"content-encoding", b"")), codings_of(theirs.get(b"content-encoding", b""))
        for name in names:
            if name == "content-type" and bodiless:
                continue
            self._header(name, _text(ours, name), _text(theirs, name), codings)
        if any(codings) and not bodiless and "content-encoding" not in self.identity:
            accepted = accepted_codings(request)
            if not accepted.admit(codings[1]) and accepted.admit(codings[0]):
                self._judge("content-encoding", _text(ours, "content-encoding"), _text(theirs, "content-encoding"))

    def _header(self, name: str, a: str | None, b: str | None, codings: Codings) -> None:
        exact = self.force.exact("header", name)
        forms = [] if exact else list(_forms(name, a, b, self.force, codings))
        if any(one == other for one, other in forms):
            return
        if not exact and name in _LINKS and _dropped_query(a, b, self.force):
            self.findings.applied.add("drop_query")
            return
        if name == "vary" and forms:  # what follows the coding is settled: rules see the rest
            a, b = (", ".join(sorted(tokens)) or None for tokens in forms[0])  # type: ignore[call-overload]
        self._judge(name, a, b)

    def _judge(self, name: str, a: str | None, b: str | None) -> None:
        rules = self.force.for_target("header", name)
        named = next((rule for rule in rules if _explains(rule, name, a, b, self.correlations)), None)
        if named is not None:
            self.findings.applied.add(named.called)
            if self.matching is not None:
                self.matching |= {rule.called for rule in rules if _explains(rule, name, a, b, Correlations())}
            return
        kind = "removed" if b is None else "added" if a is None else "value"
        sides = (a if a is not None else MISSING, b if b is not None else MISSING)
        self.findings.add((name,), kind, *sides, lambda: self._expired(name, a, b))

    def _expired(self, name: str, a: str | None, b: str | None) -> str:
        for rule in self.force.for_target("header", name, expired=True):
            if _explains(rule, name, a, b, Correlations()):
                return f"expired:{rule.called}"
        return ""


def _text(headers: Fields, name: str) -> str | None:
    value = headers.get(name.encode("latin-1"))
    return None if value is None else value.decode("latin-1")


def _forms(name: str, a: str | None, b: str | None, force: InForce, codings: Codings) -> Iterator[tuple[object, object]]:
    """Comparable forms of both values under the representation normalisers that are on."""
    if name in TOKEN_SETS and force.class1("header:token-set"):
        some, others = _tokens(name, a), _tokens(name, b)
        if name == "vary" and any(codings):
            # Vary follows the coding: a side without one need not name it, a coded answer without it poisons caches
            if "accept-encoding" not in some and not codings[0]:
                others.discard("accept-encoding")
            if "accept-encoding" not in others and not codings[1]:
                some.discard("accept-encoding")
        yield some, others
    if a is None or b is None:
        return
    if name == "content-type" and force.class1("header:media-type"):
        yield media_form(a), media_form(b)
    if name == "content-disposition" and force.class1("header:disposition"):
        yield _LABEL.sub(_lower, a), _LABEL.sub(_lower, b)
    if force.class1("repr:url"):
        for one, other in readings(force.own) if name in _LINKS or name == "link" else ():
            ours = target(a, one) if name in _LINKS else link_header(a, one)
            if ours is not None:
                yield ours, target(b, other) if name in _LINKS else link_header(b, other)


def _dropped_query(a: str | None, b: str | None, force: InForce) -> bool:
    drop = force.rules.drop_query
    if not drop or a is None or b is None or not force.class1("repr:url"):
        return False
    pairs = ((target(a, one, drop), target(b, other, drop)) for one, other in readings(force.own))
    return any(ours is not None and ours == theirs for ours, theirs in pairs)


def _lower(found: re.Match[str]) -> str:
    return f"*={found[1].lower()}'" if found[1] else found[0]  # a quoted text stays as it is


def _tokens(name: str, value: str | None) -> set[str]:
    """The parts of a list; a directive that stands twice with two values keeps their order, as readers differ in which counts."""
    parts = ["=".join([word.strip() for word in part.split("=", 1)]) for part in _TOKENS.findall(value or "")]
    found = [part if name in _CASED else part.lower() for part in parts if part]
    made = set(found)
    if len({part.partition("=")[0] for part in made}) < len(made):
        made.add(",".join(dict.fromkeys(part for part in found if "=" in part)))
    return made


def _explains(rule: Rule, name: str, a: str | None, b: str | None, correlations: Correlations) -> bool:
    if rule.action == "ignore":
        return True
    if rule.builtin == "absent-on-candidate":
        return b is None
    if rule.builtin == "vary-accept-cookie":
        return _tokens(name, b) <= _tokens(name, a) <= _tokens(name, b) | {"accept", "cookie"}
    if a is None or b is None:
        return False
    if rule.action == "present_only":
        return True
    if rule.builtin == "text-charset":
        return _text_charset(a) == _text_charset(b)
    if rule.builtin == "allow-head-options":
        return _tokens(name, a) - {"HEAD", "OPTIONS"} == _tokens(name, b) - {"HEAD", "OPTIONS"}
    if rule.action == "tolerance":
        return _near(rule, a, b)
    if rule.form == "datetime" and moment(a) is None and _close_dates(a, b, rule.tol_s or 0.0):
        return True  # the date of HTTP has no fraction and no offset
    return explains(rule, a, b, correlations)


def _text_charset(value: str) -> tuple[object, ...]:
    kind, parameters = media_form(value)
    if str(kind).startswith("text/"):
        return (kind, tuple(pair for pair in parameters if pair != ("charset", "utf-8")))
    return (kind, parameters)


def _near(rule: Rule, a: str, b: str) -> bool:
    """A header's value is text: numbers in it and HTTP dates are read for a tolerance."""
    if rule.tol_s is not None and _close_dates(a, b, rule.tol_s):
        return True
    if not _NUMBER.fullmatch(a) or not _NUMBER.fullmatch(b):
        return False
    one, other = parse_fraction(a), parse_fraction(b)
    return within(one, other, rule.abs, rule.rel)  # type: ignore[arg-type]


def _close_dates(a: str, b: str, seconds: float) -> bool:
    """Whether two dates, both in the form of HTTP or both in that of ISO 8601, lie within `seconds`."""
    one = moment(a)
    return close(one, moment(b), seconds) if one is not None else close(http_moment(a), http_moment(b), seconds)
