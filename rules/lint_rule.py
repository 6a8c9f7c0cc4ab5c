"""Remarks on one rule or preset use by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from rules.jsonpath import Path
from rules.model import PresetUse, Rule, RuleSet
from rules.regexes import matches
from rules.remarks import Lint
from rules.scopes import statuses

MAX_DAYS = 90
"""Days ahead that a rule may end; a later end is no end."""
NEVER_COMPARED = frozenset(
    {"server", "date", "via", "x-powered-by", "alt-svc", "connection", "keep-alive", "transfer-encoding", "te", "trailer"}
    | {"upgrade", "proxy-connection", "proxy-authenticate", "proxy-authorization", "content-length"}
)
"""Headers that the differ leaves out: identity of the server, hop-by-hop, framing."""
_PROBES = (
    *("a", "7", "-", "Hello, World!", "<p>&amp;</p>", "äöü€漢字", '{"a": [1]}', "2026-11-21T10:00:00Z"),
    *("C:\\x", "'; DROP TABLE", "\u202e\u200b", "50 %", "😀=?"),
)
_BODILESS = frozenset({204, 304})


def rule_remarks(rule: Rule, rules: RuleSet, today: date) -> Iterator[Lint]:
    """Everything about one rule."""

    def remark(kind: str, text: str) -> Lint:
        return Lint(kind, rule.place, rule.id, text)

    yield from end_remarks(rule, rule.place, rule.id, today)
    if rule.action == "ignore" and not rule.why_not:
        text = "ignore needs 'why_not': the narrower action (normalise, tolerance, type_only, regex ...) and why it does not do"
        yield remark("why_not", text)
    for text in _too_broad(rule):
        yield remark("over_broad", text)
    if rule.action == "regex" and all(matches(rule.pattern, probe) for probe in _PROBES):
        text = f"the pattern {rule.pattern[:80]!r} matches any text: 'type_only' with types: [string] says the same; name the shape"
        yield remark("matches_everything", text)
    for text in _never(rule, rules):
        yield remark("never_applies", text)
    if rule.path is not None and rule.path.dynamic:
        text = f"{rule.path.text} is dynamic (filter, slice or negative index): it is asked of each unequal pair of documents; "
        yield remark("dynamic_path", text + "a path of names, [*] and indices costs nothing")


def end_remarks(entry: Rule | PresetUse, place: str, name: str, today: date) -> Iterator[Lint]:
    """Whether it is past its last day, or that day is too far off."""
    if entry.expires is None or entry.permanent:
        return
    if today > entry.expires:
        text = (
            f"expired on {entry.expires}: it explains nothing any more; renew it after a look at what comes back, or remove it"
        )
        yield Lint("expired", place, name, text)
    elif entry.expires > today + timedelta(days=MAX_DAYS):
        last = today + timedelta(days=MAX_DAYS)
        text = f"expires {entry.expires}, more than {MAX_DAYS} days ahead: end it by {last}, or 'permanent: true' with a 'decision'"
        yield Lint("far_off", place, name, text)


def _too_broad(rule: Rule) -> Iterator[str]:
    if rule.path is not None and rule.action in ("ignore", "type_only", "correlate") and not _named(rule.path):
        yield f"{rule.action} on {rule.path.text} reaches into whole documents; name the members that may differ"
    if rule.rel is not None and rule.rel >= 1:
        yield f"rel: {rule.rel:g} takes any two numbers of one sign for equal: a share such as 0.01 is meant"
    if rule.tol_s is not None and rule.tol_s >= 86_400 * 366:
        yield f"tol_s: {rule.tol_s:g} is more than a year: 'normalise as: datetime' with truncate or any_offset, or a smaller bound"
    if rule.target == "status" and rule.action == "map" and len(rule.primary) * len(rule.candidate) > 50:
        text = f"maps {len(rule.primary)} statuses to {len(rule.candidate)}"
        yield f"{text}: every pair of them is held equal; write the pairs that are meant"


def _named(path: Path) -> bool:
    return any(isinstance(selector, str) for step in path.steps for selector in step.selectors)


def _never(rule: Rule, rules: RuleSet) -> Iterator[str]:
    admitted = statuses(rule.scope.statuses)
    if not admitted:
        yield "scope.status admits no status: its entries cancel each other"
        return
    if rule.target == "header" and rule.name in NEVER_COMPARED:
        yield f"the header {rule.name} is never compared: it names the server, one hop or the framing; remove the rule"
    if rule.target == "body" and rule.scope.methods == {"HEAD"}:
        yield "answers to HEAD have no body"
    if rule.target == "body" and admitted <= _BODILESS:
        yield "answers with these statuses have no body"
    if rule.target == "body" and rule.path is not None:
        yield from _unread(rule.scope.content_type, rule.path, rules)
    if rule.action == "map" and not rule.primary & admitted:
        yield "scope.status is the primary's status, and admits none of 'primary': leave it out"
    elif rule.action == "map" and len(rule.primary | rule.candidate) == 1:
        yield "it maps a status to itself"


def _unread(media: str, path: Path, rules: RuleSet) -> Iterator[str]:
    if media in ("text/html", "application/xhtml+xml") and "html:tokens" not in rules.class1_off:
        yield f"{media} is compared token by token: no rule of the body reaches into it"
    elif path.steps and media in ("text/plain", "text/csv", "text/xml", "application/xml"):
        yield f"a body of {media} is one text without members: the path $ selects it"
