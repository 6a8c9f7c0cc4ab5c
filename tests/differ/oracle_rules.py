"""Rules as the slow judge reads them: what they select is asked of jsonpath_rfc9535 alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonpath_rfc9535

from tests.differ.oracle_values import Number

Location = tuple[str | int, ...]
Rank = tuple[int, ...]


@dataclass(frozen=True)
class Segment:
    """One segment of a path: its selectors as text (`a` for a name), and whether it descends."""

    text: str
    kinds: tuple[str, ...]
    """`name index star dynamic`, one for each selector."""
    descends: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule as the generator made it. `entry` is the rule in the case file's form."""

    called: str
    entry: dict[str, Any] = field(hash=False)
    segments: tuple[Segment, ...]
    own: bool = True

    @property
    def action(self) -> str:
        """Its action."""
        return str(self.entry["action"])

    @property
    def path(self) -> str:
        """Its path as text."""
        return "$" + "".join(segment.text for segment in self.segments)

    @property
    def dynamic(self) -> bool:
        """Whether what it selects depends on the document."""
        return any("dynamic" in segment.kinds for segment in self.segments)

    @property
    def rank(self) -> Rank:
        """Specificity: named segments, indices, `*`, `..` of the path, own rules before presets, then route, method, status, type."""
        named = sum(set(segment.kinds) == {"name"} for segment in self.segments)
        indices = sum(set(segment.kinds) <= {"index", "dynamic"} for segment in self.segments)
        descents = sum(segment.descends for segment in self.segments)
        scope = self.entry.get("scope", {})
        narrowed = (int(key in scope) for key in ("route", "method", "status", "content_type"))
        return (named, indices, len(self.segments) - named - indices, -descents, int(self.own), *narrowed)


def plain(value: Any) -> Any:
    """A document as the JSON library reads it."""
    if isinstance(value, Number):
        return int(value.token) if value.whole else float(value.token)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def locations(path: str, document: Any) -> frozenset[Location]:
    """What a path selects in a document."""
    return frozenset(tuple(node.location) for node in jsonpath_rfc9535.find(path, plain(document)))


@lru_cache(maxsize=200_000)
def reaches(path: str, location: Location) -> bool:
    """Whether a path selects a place, asked of a document that has this place and what leads to it."""
    document: Any = None
    for step in reversed(location):
        document = {step: document} if isinstance(step, str) else [None] * step + [document]
    return location in locations(path, document)


def in_scope(rule: Rule, *, method: str, template: str, status: int, media: str, today: str) -> bool:
    """Whether a rule holds for an answer and has not expired."""
    scope = rule.entry.get("scope", {})
    if rule.entry.get("expires", today) < today:
        return False
    if method not in scope.get("method", [method]) or scope.get("route", template) != template:
        return False
    wanted = scope.get("content_type", media)
    if not (media.startswith(wanted[:-1]) if wanted.endswith("/*") else media == wanted):
        return False
    entries = scope.get("status", [str(status)])
    denied = [entry[1:] for entry in entries if entry.startswith("!")]
    allowed = [entry for entry in entries if not entry.startswith("!")]
    if any(_status(entry, status) for entry in denied):
        return False
    return not allowed or any(_status(entry, status) for entry in allowed)


def _status(entry: str, status: int) -> bool:
    return entry.replace("xx", str(status)[1:]) == str(status)


def general(location: Location) -> str:
    """A place as reports name it."""
    made = "$"
    for step in location:
        if isinstance(step, int):
            made += "[*]"
        elif re.fullmatch(r"\d+|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d", step):
            made += ".*"
        elif re.fullmatch(r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][\w\u0080-\ud7ff\ue000-\U0010ffff]*", step, re.ASCII):
            made += f".{step}"
        else:
            made += f"[{json.dumps(step, ensure_ascii=False)}]"
    return made
