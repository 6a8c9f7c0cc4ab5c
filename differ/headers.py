"""Compares header lists: by name, lines joined, spelling of known headers folded, rules applied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from differ.accepted import accepted_codings
from differ.decode import coding_names
from differ.explains import MISSING, Correlations, close, explains
from differ.findings import Findings, Found
from differ.in_force import InForce
from differ.links import link_header, readings, target
from differ.moments import http_moment
from differ.numbers import parse_fraction, within
from rules.model import Rule
from traffic.message import Headers, Request, Response

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
_CASED = frozenset({"allow", "access-control-allow-methods"})
_LINKS = frozenset({"location", "content-location"})
_TOKENS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+")++')
_LABEL = re.compile(r"\*\s*=\s*([A-Za-z0-9\-]+)'")
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)


def joined(headers: Headers) -> dict[str, str]:
    """Headers by lower-case name, several lines joined with a comma."""
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name.decode("latin-1").strip().lower(), []).append(value.decode("latin-1").strip())
    return {name: ", ".join(values) for name, values in lines.items()}


def media_type(headers: Headers) -> str:
    """The bare media type in lower case, empty where there is none."""
    return joined(headers).get("content-type", "").partition(";")[0].strip().lower()


def compare_headers(
    primary: Response,
    candidate: Response,
    force: InForce,
    findings: Findings,
    correlations: Correlations,
    identity: frozenset[str],
    bodiless: bool,
    request: Request,
) -> None:
    """Adds the differing headers to `findings`; a location is the header's name alone.

    `bodiless`: neither answer has a body, so Content-Type and Content-Encoding say nothing. Content codings are no difference
    but for one that `request` refused.
    """
    ours, theirs = joined(primary.headers), joined(candidate.headers)
    coded = bool(coding_names(primary) or coding_names(candidate))
    for name in sorted(ours.keys() | theirs.keys()):
        if name in DROPPED or name in identity or (name == "content-type" and bodiless):
            continue
        a, b = ours.get(name), theirs.get(name)
        if a == b:
            continue
        exact = force.exact("header", name)
        forms = [] if exact else list(_forms(name, a, b, force, coded))
        if any(one == other for one, other in forms):
            continue
        if not exact and name in _LINKS and _dropped_query(a, b, force):
            findings.applied.add("drop_query")
            continue
        _judge_header(name, a, b, force, findings, correlations)
    if coded and not bodiless and "content-encoding" not in identity:
        accepted = accepted_codings(request)
        if not accepted.admit(coding_names(candidate)) and accepted.admit(coding_names(primary)):
            a, b = ours.get("content-encoding"), theirs.get("content-encoding")
            _judge_header("content-encoding", a, b, force, findings, correlations)


def _judge_header(
    name: str, a: str | None, b: str | None, force: InForce, findings: Findings, correlations: Correlations
) -> None:
    for rule in force.for_target("header", name):
        if _explains(rule, name, a, b, correlations):
            findings.applied.add(rule.called)
            return
    note = ""
    for rule in force.for_target("header", name, expired=True):
        if _explains(rule, name, a, b, Correlations()):
            note = f"expired:{rule.called}"
    kind = "removed" if b is None else "added" if a is None else "value"
    findings.add(Found((name,), kind, a if a is not None else MISSING, b if b is not None else MISSING, note))


def _forms(name: str, a: str | None, b: str | None, force: InForce, coded: bool) -> Iterator[tuple[object, object]]:
    """Comparable forms of both values under the representation normalisers that are on."""
    if name in TOKEN_SETS and force.class1("header:token-set"):
        left_out = {"accept-encoding"} if name == "vary" and coded else set()
        yield _tokens(name, a) - left_out, _tokens(name, b) - left_out
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
    return f"*={found[1].lower()}'"


def _tokens(name: str, value: str | None) -> set[str]:
    parts = {re.sub(r"\s*=\s*", "=", part.strip()) for part in _TOKENS.findall(value or "")} - {""}
    return parts if name in _CASED else {part.lower() for part in parts}


def media_form(value: str) -> tuple[object, ...]:
    """A media type in comparable form: JSON has no charset but UTF-8, so naming it says nothing."""
    kind, *parameters = (part.strip() for part in value.split(";"))
    kind = kind.lower()
    made = {}
    for parameter in parameters:
        name, sign, text = parameter.partition("=")
        if sign:
            text = text.strip().strip('"')
            made[name.strip().lower()] = text.lower() if name.strip().lower() == "charset" else text
    if kind.endswith("json") and made.get("charset") in ("utf-8", "utf8"):
        del made["charset"]
    return (kind, tuple(sorted(made.items())))


def _explains(rule: Rule, name: str, a: str | None, b: str | None, correlations: Correlations) -> bool:
    if rule.action == "ignore":
        return True
    if rule.builtin == "absent-on-candidate":
        return b is None
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
    return explains(rule, a, b, correlations)


def _text_charset(value: str) -> tuple[object, ...]:
    kind, parameters = media_form(value)
    if str(kind).startswith("text/"):
        return (kind, tuple(pair for pair in parameters if pair != ("charset", "utf-8")))  # type: ignore[attr-defined]
    return (kind, parameters)


def _near(rule: Rule, a: str, b: str) -> bool:
    """A header's value is text: numbers in it and HTTP dates are read for a tolerance."""
    if rule.tol_s is not None and close(http_moment(a), http_moment(b), rule.tol_s):
        return True
    if not _NUMBER.fullmatch(a) or not _NUMBER.fullmatch(b):
        return False
    one, other = parse_fraction(a), parse_fraction(b)
    return within(one, other, rule.abs, rule.rel)  # type: ignore[arg-type]
