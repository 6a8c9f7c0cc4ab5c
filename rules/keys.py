"""The keys of a rule file beside the actions' parameters, each with what it may be and one line for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.actions import PARAMETERS
from rules.kinds import Day, Flag, Number, StatusScope, Text, Words
from rules.places import MediaType, RouteTemplate, RulePath, Target
from rules.reading import Kind
from traffic.route import METHODS

MAX_ID = 200
"""Bytes of an id in UTF-8: what the store keeps as a key without cutting it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `about` says what it is for."""

    kind: Kind
    about: str


def kinds(keys: Mapping[str, Key]) -> dict[str, Kind]:
    """The kinds of a table, for `Reader.read`."""
    return {name: key.kind for name, key in keys.items()}


ACCOUNT = {
    "reason": Key(Text(lines=True), "why this may differ; reports repeat it"),
    "owner": Key(Text(), "who answers for it: a team or a person"),
    "ticket": Key(Text(), "where the work to end it is planned"),
    "expires": Key(Day(), "the last day on which it holds, at most 90 days ahead; or 'permanent: true' with a 'decision'"),
    "permanent": Key(Flag(), "true: it never ends; needs a 'decision'"),
    "decision": Key(Text(), "where it was decided, e.g. ADR-17"),
}
SCOPE = {
    "method": Key(Words(tuple(sorted(METHODS))), "the request's method, or a list; any when left out"),
    "route": Key(RouteTemplate(), "the route's template (parameter names do not count), never a regex; any when left out"),
    "status": Key(StatusScope(), "the primary's status: 404, 4xx, !405 for any other, or a list; any when left out"),
    "content_type": Key(MediaType(), "the primary's media type without parameters, or text/*; any when left out"),
}
IDENTITY = {
    "id": Key(Text(maximum=MAX_ID), "the name that reports, 'tolerated' and the audit use; unique over all files"),
    "target": Key(Target(), "what the rule speaks of: body, header:<name>, cookie:<name> or status"),
    "path": Key(RulePath(), "where in the body, as RFC 9535 writes it; for target body only"),
}
REMARKS = {
    "max_rate": Key(Number(1.0), "alarm when it explains a difference in more than this share of the answers in its scope"),
    "why_not": Key(Text(lines=True), "for ignore: the narrower action, and why it does not do"),
}
PRESET_NAME = Key(Text(), "the preset to switch on")
RULE_KEYS = (
    *("id", "scope", "target", "path", "action", *ACCOUNT, *REMARKS),
    *sorted({name for names in PARAMETERS.values() for name in names}),
)
PRESET_KEYS = ("name", *ACCOUNT)
