"""What a difference means: rules, presets and settings as frozen facts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from rules.automaton import Automaton
from rules.jsonpath import Path

if TYPE_CHECKING:
    from rules.selection import Selection

UNROUTED = "__unrouted__"
CLASS1 = (
    "repr:number",
    "repr:datetime",
    "repr:url",
    "header:token-set",
    "header:media-type",
    "header:disposition",
    "cookie:attributes",
    "html:tokens",
    "html:csrf",
)
"""The representation normalisers that can be switched off; the others are part of parsing."""
_PARAMETER = re.compile(r"\{[^{}]*\}")
Rank = tuple[int, ...]


def template_of(route: str) -> str:
    """The template of a route label, or of a bare template, without parameter names."""
    head, _, rest = route.partition(" ")
    template = rest if rest and not head.startswith("/") else route
    return _PARAMETER.sub("{}", UNROUTED if template == "unrouted" else template)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a rule holds; an empty part holds everywhere. `statuses` has entries like `404`, `4xx` and `!405`."""

    methods: frozenset[str] = frozenset()
    route: str = ""
    statuses: tuple[str, ...] = ()
    content_type: str = ""

    def admits(self, method: str, template: str, status: int, content_type: str) -> bool:
        """Whether a pair is in scope: its method, its route's template (template_of), the primary's status and media type."""
        if self.methods and method not in self.methods:
            return False
        if self.route and self.route != template:
            return False
        if self.content_type and not _media_admits(self.content_type, content_type):
            return False
        if not self.statuses:
            return True
        denied = [entry[1:] for entry in self.statuses if entry.startswith("!")]
        allowed = [entry for entry in self.statuses if not entry.startswith("!")]
        if any(_status_is(entry, status) for entry in denied):
            return False
        return not allowed or any(_status_is(entry, status) for entry in allowed)

    @property
    def rank(self) -> Rank:
        """Specificity: route before method before status before media type."""
        return (int(bool(self.route)), int(bool(self.methods)), int(bool(self.statuses)), int(bool(self.content_type)))


def _media_admits(wanted: str, got: str) -> bool:
    if wanted.endswith("/*"):
        return got.startswith(wanted[:-1])
    return got == wanted


def _status_is(entry: str, status: int) -> bool:
    return entry == str(status) or (entry.endswith("xx") and entry[0] == str(status)[:1])


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `target` is `body header cookie status`, `name` the header's (lower case) or cookie's name.

    `id` is what reports call it. The fields after `action` belong to single actions, see the table in the reference.
    """

    id: str
    target: str
    action: str
    name: str = ""
    path: Path | None = None
    scope: Scope = Scope()
    form: str = ""
    truncate: str = ""
    any_offset: bool = False
    tol_s: float | None = None
    abs: float | None = None
    rel: float | None = None
    types: tuple[str, ...] = ()
    pattern: str = ""
    by: tuple[str, ...] = ()
    order: str = "free"
    bijection: str = ""
    primary: frozenset[int] = frozenset()
    candidate: frozenset[int] = frozenset()
    builtin: str = ""
    reason: str = ""
    owner: str = ""
    ticket: str = ""
    expires: date | None = None
    permanent: bool = False
    decision: str = ""
    max_rate: float | None = None
    why_not: str = ""
    preset: str = ""
    place: str = field(default="", compare=False)

    @property
    def rank(self) -> Rank:
        """Specificity, greater is more specific: path, own rules before those of presets whatever scope a preset has inside, scope."""
        path = self.path.rank if self.path is not None else (1, 0, 0, 0)
        return (*path, int(not self.preset), *self.scope.rank)

    @property
    def called(self) -> str:
        """What `tolerated` names: the preset, else the rule."""
        return self.preset or self.id

    @property
    def is_tolerance(self) -> bool:
        """True where the rule compares within a bound: such a relation is not transitive and cannot be hashed."""
        return self.action == "tolerance" or self.tol_s is not None

    def expired(self, today: date) -> bool:
        """Whether the rule no longer suppresses; it holds through its last day."""
        return self.expires is not None and not self.permanent and today > self.expires


@dataclass(frozen=True, slots=True)
class PresetUse:
    """A preset switched on, with who answers for it."""

    name: str
    reason: str = ""
    owner: str = ""
    ticket: str = ""
    expires: date | None = None
    permanent: bool = False
    decision: str = ""
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Bases:
    """The two backends' own addresses, as they stand in links; no trailing slash."""

    primary: tuple[str, ...] = ()
    candidate: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one comparison: decoded bytes, nesting, recorded differences, nodes visited."""

    body: int = 8 << 20
    depth: int = 200
    diffs: int = 50
    nodes: int = 2_000_000


@dataclass(frozen=True)
class RuleSet:
    """Everything that decides what a difference means. `preset_rules` are the rules the presets stand for."""

    rules: tuple[Rule, ...] = ()
    presets: tuple[PresetUse, ...] = ()
    preset_rules: tuple[Rule, ...] = ()
    bases: Bases = Bases()
    drop_query: tuple[tuple[str, str], ...] = ()
    class1_off: frozenset[str] = frozenset()
    limits: Limits = Limits()

    @cached_property
    def all_rules(self) -> tuple[Rule, ...]:
        """Own rules and those of presets, most specific first; equals stand by name, never by order of files."""
        ordered = sorted((*self.rules, *self.preset_rules), key=lambda rule: (rule.called, rule.id, _described(rule)))
        return tuple(sorted(ordered, key=lambda rule: rule.rank, reverse=True))

    @cached_property
    def body_rules(self) -> tuple[Rule, ...]:
        """The rules with a static path; the automaton's numbers are positions in this tuple."""
        return tuple(rule for rule in self.all_rules if rule.path is not None and not rule.path.dynamic)

    @cached_property
    def dynamic_rules(self) -> tuple[Rule, ...]:
        """The rules whose path needs the documents (filters, slices, negative indices): they cost a query per unequal pair."""
        return tuple(rule for rule in self.all_rules if rule.path is not None and rule.path.dynamic)

    @cached_property
    def automaton(self) -> Automaton:
        """The paths of `body_rules`."""
        return Automaton([rule.path for rule in self.body_rules if rule.path is not None])

    @cached_property
    def remembered(self) -> dict[tuple[str, str, int, str, date], Selection]:
        """What rules.selection chose so far; it keeps this small."""
        return {}

    @cached_property
    def digest(self) -> str:
        """16 hex digits; the same for the same rules in any order, spread over any files."""
        parts = sorted(_described(rule) for rule in (*self.rules, *self.preset_rules))
        parts += sorted(f"preset {use.name} {use.expires} {use.permanent}" for use in self.presets)
        parts.append(f"bases {sorted(self.bases.primary)} {sorted(self.bases.candidate)}")
        parts.append(f"drop_query {sorted(self.drop_query)}")
        parts.append(f"off {sorted(self.class1_off)} {self.limits}")
        return hashlib.blake2b(json.dumps(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def expired(self, today: date) -> tuple[str, ...]:
        """The names of rules and presets that no longer suppress anything."""
        return tuple(sorted({rule.called for rule in self.all_rules if rule.expired(today)}))


_ACCOUNT = {"reason", "owner", "ticket", "decision", "max_rate", "why_not", "place"}


def _described(rule: Rule) -> str:
    """What decides a verdict, as text; who answers for a rule does not."""
    return json.dumps(list(_parts(rule)), default=str)


def _parts(rule: Rule) -> Iterator[tuple[str, object]]:
    for item in fields(rule):
        value = getattr(rule, item.name)
        if item.name in _ACCOUNT or value == item.default:
            continue
        if isinstance(value, Path):
            value = value.text
        elif isinstance(value, Scope):
            value = [sorted(value.methods), value.route, sorted(value.statuses), value.content_type]
        elif isinstance(value, frozenset):
            value = sorted(value)
        yield item.name, value
