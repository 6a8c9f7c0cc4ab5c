"""Compares two decoded bodies by their media type: JSON, HTML, forms, text, bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from urllib.parse import parse_qsl

from differ.atoms import body_differences
from differ.budget import Budget, NodesSpent
from differ.correlated import settled
from differ.equal import Equality, typed_equal
from differ.explains import Correlations
from differ.facts import Atom, Difference, Masked
from differ.findings import Findings
from differ.html_markup import Token
from differ.html_tokens import tokens
from differ.in_force import InForce
from differ.json_exact import Document, InvalidJson, parse_both
from differ.links import Addresses, link
from differ.media_types import charset_of
from differ.multipart import boundary_of, parts_of
from differ.relation import masked_relation
from differ.validation_errors import field_differences
from differ.walk import Walk

_TEXTS = ("+xml", "/xml", "javascript", "ndjson", "/jsonl", "/json-seq", "/yaml", "/x-yaml")
MAX_RELATED = 8
"""Masked pairs of one answer that are looked at for a relation; what holds over many answers is counted elsewhere."""
TOKENS = 16
"""What two tokens of pages cost, in nodes."""
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
    masked: list[Masked] = field(default_factory=list)


def kind_of(media: str) -> str:
    """How a media type is compared."""
    if media.endswith(("/json", "+json")):
        return "json"
    if media in ("text/html", "application/xhtml+xml"):
        return "html"
    if media == "application/x-www-form-urlencoded":
        return "form"
    if media.startswith("multipart/"):
        return "multipart"
    if media.startswith("text/") or media.endswith(_TEXTS):
        return "text"
    return "bytes"


@dataclass
class BodyComparison:
    """One pair of decoded bodies under the rules in force. `empty_request` says that the request had no body.

    `matching` collects the names of all rules that would explain something.
    """

    force: InForce
    route: str
    status: int
    statuses: str
    correlations: Correlations
    empty_request: bool = False
    matching: set[str] | None = None

    def whole(self, kind: str, types: str, primary: bytes, candidate: bytes, note: str = "") -> BodyResult:
        """One difference for the whole body."""
        atom = Atom(self.route, self.statuses, "body", "$", kind, types)
        return BodyResult([Difference(atom, _preview(primary), _preview(candidate), "$", note)])

    def compare(self, primary: bytes, candidate: bytes, kind: str, types: tuple[str, str] = ("", "")) -> BodyResult:
        """Compares unequal bodies; `types` are their content types.

        Raises LimitHit or PrimaryInvalid; nothing a body holds raises anything else.
        """
        if primary == candidate and (kind != "multipart" or boundary_of(types[0]) == boundary_of(types[1])):
            return BodyResult()
        if not primary or not candidate:
            if kind in ("json", "text", "html") and not (primary or candidate).strip():
                return BodyResult() if kind == "html" else self.whole("value", "empty>blank", primary, candidate)
            return self.whole("value", "content>empty" if primary else "empty>content", primary, candidate)
        if kind == "json":
            return self._json(primary, candidate)
        if kind == "bytes":
            return self.whole("value", "bytes>bytes", primary, candidate)
        if kind == "multipart":
            return self._multipart(primary, candidate, types)
        texts = [_text(body, charset_of(kind)) for body, kind in zip((primary, candidate), types, strict=True)]
        if texts[0] is None or texts[1] is None:
            return self.whole("value", "bytes>bytes", primary, candidate)
        if kind == "html" and self.force.class1("html:tokens"):
            return self._html(texts[0], texts[1])
        if kind == "form" and _pairs(texts[0]) is not None and _pairs(texts[0]) == _pairs(texts[1]):
            return BodyResult()
        return self._walked(texts[0], texts[1], Equality(True), plain=True)

    def _multipart(self, primary: bytes, candidate: bytes, types: tuple[str, str]) -> BodyResult:
        """Also asked where the bytes are equal: under another boundary they are other parts."""
        ones, others = parts_of(primary, types[0]), parts_of(candidate, types[1])
        if ones is not None and ones == others:
            return BodyResult()
        if ones is not None and others is None:
            return self.whole("invalid", "", primary, candidate, "the candidate's body has not the parts it announces")
        return self.whole("value", "bytes>bytes", primary, candidate)

    def _json(self, primary: bytes, candidate: bytes) -> BodyResult:
        one, other, leaf = parse_both(primary, candidate, self.force.rules.limits)
        if isinstance(one, InvalidJson):
            raise PrimaryInvalid(str(one))
        if isinstance(other, InvalidJson):
            return self.whole("invalid", "", primary, candidate, str(other))
        if one.bom is not other.bom:
            return self.whole("bom", "", primary, candidate)
        if one.duplicates or other.duplicates:
            return self._duplicates(one, other, primary, candidate)
        if one.text is not None and one.text == other.text:
            return BodyResult()
        representation = not self.force.has_exact and self.force.class1("repr:number")  # else 1 and 1.0 have to be told apart
        trusting = representation and leaf is not None and leaf.holds_no_boolean(primary, candidate)
        return self._walked(one.value, other.value, Equality(one.fast and other.fast, trusting))

    def _duplicates(self, one: Document, other: Document, primary: bytes, candidate: bytes) -> BodyResult:
        """A name that stands twice means one thing to one parser and another to the next: only the same pairs are the same."""
        if one.duplicates and other.duplicates and typed_equal(one.value, other.value):
            return BodyResult()
        return self.whole("duplicate_key", "", primary, candidate)

    def _walked(self, a: Any, b: Any, equality: Equality, *, plain: bool = False) -> BodyResult:
        if not equality.trusting and equality.same_documents(a, b):  # the same values in another spelling need no rule
            return BodyResult()
        rule = None if plain or self.status < 400 else self.force.builtin("drf-fastapi-errors")
        if rule is not None:
            fields = field_differences(a, b, self.empty_request)
            if fields is not None:
                return self._fields(fields, rule.called)
        budget = Budget(self.force.rules.limits.nodes)
        self.force.locate_dynamic(a, b, budget.spend)
        known = self.correlations
        walk = Walk(self.force, budget, known, equality, plain=plain, matching=self.matching)
        more, spent = Budget(budget.nodes), False

        def again(apart: Equality | None) -> Walk:
            return Walk(self.force, more, known, apart or equality, plain=plain, matching=None if apart else self.matching)

        try:
            walk = settled(walk, a, b, again)
        except NodesSpent:
            if walk.findings.clean:
                raise
            spent = True  # there may be more: what was found is a mismatch all the same
        if walk.findings.clean and walk.findings.applied and self.force.has_exact:
            # Under an `ignore` with `exact` below it the walk cannot tell what would have been the same without any rule
            bare = Walk(self.force.only_exact(), Budget(budget.nodes), Correlations(), equality, plain=plain)
            spelled = bare.clean(lambda: bare.walk(a, b, bare.start()))
            if spelled is not None:
                return BodyResult(applied=spelled.applied)
        found = walk.findings
        walk.aligner.part()
        differences, truncated = body_differences(found, self.route, self.statuses, self.force.rules.limits.diffs)
        truncated = truncated or spent or walk.hurried
        return BodyResult(differences, found.applied, truncated, _relations(found), found.masked)

    def _fields(self, fields: list[tuple[Any, str]], called: str) -> BodyResult:
        findings = Findings(applied={called})
        for location, kind in fields:
            sides = ("accepted", "refused") if kind == "added" else ("refused", "accepted")
            findings.add(location, kind, *sides)
        differences, truncated = body_differences(findings, self.route, self.statuses, self.force.rules.limits.diffs)
        return BodyResult(differences, {called}, truncated)

    def _html(self, a: str, b: str) -> BodyResult:
        mask, budget = self.force.class1("html:csrf"), Budget(self.force.rules.limits.nodes)
        ones, others = tokens(a, mask_csrf=mask), tokens(b, mask_csrf=mask)
        for one, other in zip_longest(ones, others):
            budget.spend(TOKENS)
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
    for pair in found.masked[:MAX_RELATED]:
        relation = masked_relation(pair.primary, pair.candidate)
        if relation:
            seen[f"{pair.rule} hides {pair.path}: {relation}"] = None
    return list(seen)[:5]


def _pairs(text: str) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="surrogateescape", max_num_fields=10_000)
    except ValueError:
        return None


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
