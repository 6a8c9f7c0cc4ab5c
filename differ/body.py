"""Compares two decoded bodies by their media type: JSON, HTML, forms, text, bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from urllib.parse import parse_qsl

from differ.atoms import body_differences
from differ.budget import Budget
from differ.explains import Correlations
from differ.facts import Atom, Difference
from differ.findings import Findings, Found
from differ.html_markup import Token
from differ.html_tokens import tokens
from differ.in_force import InForce
from differ.json_exact import Document, InvalidJson, parse_both
from differ.links import Addresses, link
from differ.paths import general
from differ.relation import masked_relation
from differ.validation_errors import field_differences
from differ.walk import Walk

_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._:-]{1,40})", re.I)
_LINK_ATTRIBUTES = ("href", "src", "action", "content", "formaction")


class PrimaryInvalid(Exception):
    """The primary's body is not what it says it is: there is nothing to compare with."""


@dataclass
class BodyResult:
    """What comparing two bodies gave."""

    differences: list[Difference] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    truncated: bool = False
    relations: list[str] = field(default_factory=list)


def kind_of(media: str) -> str:
    """How a media type is compared."""
    if media.endswith("json"):
        return "json"
    if media in ("text/html", "application/xhtml+xml"):
        return "html"
    if media == "application/x-www-form-urlencoded":
        return "form"
    if media.startswith("text/") or media.endswith(("+xml", "/xml", "javascript", "/x-ndjson", "/yaml", "/x-yaml")):
        return "text"
    return "bytes"


@dataclass
class BodyComparison:
    """One pair of decoded bodies under the rules in force. `empty_request` says that the request had no body."""

    force: InForce
    route: str
    statuses: str
    correlations: Correlations
    empty_request: bool = False

    def whole(self, kind: str, types: str, primary: bytes, candidate: bytes, note: str = "") -> BodyResult:
        """One difference for the whole body."""
        atom = Atom(self.route, self.statuses, "body", "$", kind, types)
        return BodyResult([Difference(atom, _preview(primary), _preview(candidate), "$", note)])

    def compare(self, primary: bytes, candidate: bytes, kind: str, charsets: tuple[str, str] = ("", "")) -> BodyResult:
        """Compares unequal bodies. Raises LimitHit or PrimaryInvalid; nothing a body holds raises anything else."""
        if primary == candidate:
            return BodyResult()
        if not primary or not candidate:
            if kind in ("json", "text", "html") and not (primary or candidate).strip():
                return BodyResult() if kind == "html" else self.whole("value", "empty>blank", primary, candidate)
            return self.whole("value", "content>empty" if primary else "empty>content", primary, candidate)
        if kind == "json":
            return self._json(primary, candidate)
        if kind == "bytes":
            return self.whole("value", "bytes>bytes", primary, candidate)
        texts = [_text(body, charset) for body, charset in zip((primary, candidate), charsets, strict=True)]
        if texts[0] is None or texts[1] is None:
            return self.whole("value", "bytes>bytes", primary, candidate)
        if kind == "html" and self.force.class1("html:tokens"):
            return self._html(texts[0], texts[1])
        if kind == "form" and _pairs(texts[0]) is not None and _pairs(texts[0]) == _pairs(texts[1]):
            return BodyResult()
        return self._walked(texts[0], texts[1], fast=True, plain=True)

    def _json(self, primary: bytes, candidate: bytes) -> BodyResult:
        one, other = parse_both(primary, candidate, self.force.rules.limits)
        if isinstance(one, InvalidJson):
            raise PrimaryInvalid(str(one))
        if isinstance(other, InvalidJson):
            return self.whole("invalid", "", primary, candidate, str(other))
        if one.bom is not other.bom:
            return self.whole("bom", "", primary, candidate)
        if one.duplicates or other.duplicates:
            return self._duplicates(one, other, primary, candidate)
        same = one.text is not None and one.text == other.text
        return self._walked(one.value, other.value, fast=one.fast and other.fast, same=same)

    def _duplicates(self, one: Document, other: Document, primary: bytes, candidate: bytes) -> BodyResult:
        """A name that stands twice means one thing to one parser and another to the next: only the same pairs are the same."""
        if one.duplicates and other.duplicates and repr(one.value) == repr(other.value):
            return BodyResult()
        return self.whole("duplicate_key", "", primary, candidate)

    def _walked(self, a: Any, b: Any, *, fast: bool, plain: bool = False, same: bool = False) -> BodyResult:
        rule = None if plain else self.force.builtin("drf-fastapi-errors")
        if rule is not None:
            fields = field_differences(a, b, self.empty_request)
            if fields is not None:
                return self._fields(fields, rule.called)
        budget = Budget(self.force.rules.limits.nodes)
        self.force.locate_dynamic((a, b), budget.spend)
        walk = Walk(self.force, budget, self.correlations, fast=fast, plain=plain)
        if not same and not walk.same(a, b):  # the same values in another spelling need no rule
            walk.walk(a, b, walk.start())
        found = walk.findings
        differences, truncated = body_differences(found, self.route, self.statuses, self.force.rules.limits.diffs)
        return BodyResult(differences, found.applied, truncated, _relations(found))

    def _fields(self, fields: list[tuple[Any, str]], called: str) -> BodyResult:
        findings = Findings(applied={called})
        for location, kind in fields:
            findings.add(
                Found(
                    location, kind, "refused" if kind != "added" else "accepted", "refused" if kind == "added" else "accepted"
                )
            )
        differences, truncated = body_differences(findings, self.route, self.statuses, self.force.rules.limits.diffs)
        return BodyResult(differences, {called}, truncated)

    def _html(self, a: str, b: str) -> BodyResult:
        mask = self.force.class1("html:csrf")
        ones, others = tokens(a, mask_csrf=mask), tokens(b, mask_csrf=mask)
        for one, other in zip_longest(ones, others):
            if one is not None and other is not None and self._token(one) == self._token(other):
                continue
            first = one or other
            kind = "removed" if other is None else "added" if one is None else "value" if one.kind == other.kind else "type"
            atom = Atom(self.route, self.statuses, "body", f"html:{first.within}", kind, first.kind)
            return BodyResult([Difference(atom, _token_text(one), _token_text(other), f"html:{first.shown[:200]}")])
        return BodyResult()

    def _token(self, token: Token) -> object:
        if token.kind != "start" or not self.force.class1("repr:url"):
            return token.key
        folded = [
            (name, _folded(value, self.force.own) if name in _LINK_ATTRIBUTES else value) for name, value in token.attributes
        ]
        return (token.kind, token.name, tuple(folded))


def _folded(value: str, own: Addresses) -> object:
    return link(value, own, ()) or value


def _token_text(token: Token | None) -> str | None:
    if token is None:
        return None
    if token.kind == "start":
        return f"<{' '.join([token.name, *(f'{name}={value!r}' for name, value in token.attributes)])}>"[:200]
    return (f"</{token.name}>" if token.kind == "end" else token.name)[:200]


def _relations(found: Findings) -> list[str]:
    """Relations that a mask would lose: a constant offset of zones behind an ignored timestamp."""
    seen: dict[str, None] = {}
    for called, location, a, b in found.masked:
        relation = masked_relation(a, b)
        if relation:
            seen[f"{called} hides {general(location)}: {relation}"] = None
    return list(seen)[:5]


def _pairs(text: str) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=10_000)
    except ValueError:
        return None


def charset_of(content_type: str) -> str:
    """The charset parameter in lower case, empty where there is none."""
    found = _CHARSET.search(content_type)
    return found[1].lower() if found else ""


def _text(body: bytes, charset: str) -> str | None:
    for name in (charset or "utf-8", "utf-8"):
        if name in (
            "utf-8",
            "utf8",
            "us-ascii",
            "ascii",
            "iso-8859-1",
            "latin-1",
            "latin1",
            "windows-1252",
            "cp1252",
            "utf-16",
        ):
            try:
                return body.decode(name)
            except (UnicodeDecodeError, LookupError):
                continue
    return None


def _preview(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace")
