"""The audit of a rule set: what each rule and preset hid, out of how much, and which of them call for somebody to act."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from differ.rate_alarm import ALPHA, is_over
from differ.rule_use import DAY_S, HiddenPlace, LoadedRule, RuleTally, RuleUsage
from rules.model import PresetUse, Rule, RuleSet, template_of
from rules.subset import called, names, version_of

DEAD_DAYS = 14
DEAD_RESPONSES = 1_000
SOON_DAYS = 14
RATE_WINDOWS_DAYS = (14, 2)
"""`max_rate` is watched over the last two weeks and over today and yesterday: the short window sees a change soon."""
MIN_SAMPLED = 10
"""Sampled answers below which nothing is said about what a rule hides."""
SMELL_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that stands out. `kind` is one of `dead over_rate expired expires_soon redundant over_broad`.

    `action`: somebody has to act; `expires_soon` is a reminder only.
    """

    kind: str
    text: str

    @property
    def action(self) -> bool:
        """Whether somebody has to act."""
        return self.kind != "expires_soon"


@dataclass(frozen=True, slots=True)
class Audited:
    """One line of the audit. `kind` is `rule`, `preset` or `drop_query`. Where nothing is known a figure is None, never 0.

    `hits` are differences explained in `responses`, both since this version of the rule was loaded first (`since`). `in_scope`
    are the responses judged in its scope since then, as far back as days are kept, `rate` is the share of them in which it
    applied. `alone` of `sampled` answers turned into a mismatch without it; `alone_estimate` is how many of `responses` that makes.
    """

    name: str
    kind: str
    version: str
    action: str = ""
    reason: str = ""
    owner: str = ""
    expires: date | None = None
    days_left: int | None = None
    since: float | None = None
    hits: int = 0
    responses: int = 0
    in_scope: int | None = None
    rate: float | None = None
    max_rate: float | None = None
    matched: int = 0
    sampled: int = 0
    alone: int | None = None
    needed: int | None = None
    alone_estimate: float | None = None
    first_at: float | None = None
    last_at: float | None = None
    routes: tuple[RuleTally, ...] = ()
    places: tuple[HiddenPlace, ...] = ()
    examples: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()


_Judged = dict[tuple[str, int, str], dict[int, int]]
"""Responses judged, by route, status and media type, and by day."""


@dataclass
class _Use:
    """What is known of one version of one rule."""

    tallies: list[RuleTally] = field(default_factory=list)
    places: list[HiddenPlace] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    days: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    loaded: LoadedRule | None = None


def audit(rules: RuleSet, usage: RuleUsage, now: float) -> list[Audited]:
    """One line for each rule, preset and `drop_query`, by name. `now` is Unix seconds; rules expire by its UTC date."""
    uses: dict[tuple[str, str], _Use] = defaultdict(_Use)
    for tally in usage.tallies:
        uses[tally.rule, tally.version].tallies.append(tally)
    for place in usage.places:
        uses[place.rule, place.version].places.append(place)
    for example in usage.examples:
        uses[example.rule, example.version].examples.append(example.example_id)
    for day in usage.days:
        uses[day.rule, day.version].days[day.day] += day.responses
    for loaded in usage.loaded:
        uses[loaded.rule, loaded.version].loaded = loaded
    judged: _Judged = defaultdict(dict)
    for kind in usage.judged:
        days = judged[kind.route, kind.status, kind.media]
        days[kind.day] = days.get(kind.day, 0) + kind.count
    today = int(now // DAY_S)
    return [_audited(rules, name, uses, judged, today, now) for name in names(rules)]


def alarms(lines: Iterable[Audited]) -> list[Audited]:
    """Those that suppress in more than their `max_rate`."""
    return [line for line in lines if any(flag.kind == "over_rate" for flag in line.flags)]


def _audited(
    rules: RuleSet,
    name: str,
    uses: dict[tuple[str, str], _Use],
    judged: _Judged,
    today: int,
    now: float,
) -> Audited:
    version = version_of(rules, name)
    use = uses.get((name, version), _Use())
    parts = called(rules, name)
    account: Rule | PresetUse | None = next((preset for preset in rules.presets if preset.name == name), None)
    account = account or next(iter(parts), None)
    expires = None if account is None or account.permanent else account.expires
    since = use.loaded.first_at if use.loaded is not None else None
    total = _total(name, version, use.tallies)
    last_day = today if expires is None else min(today, (expires - date(1970, 1, 1)).days)
    first_day = int(since // DAY_S) if since is not None else None
    scope = _in_scope(parts, judged, first_day, last_day) if first_day is not None else {}
    suppressed = {day: count for day, count in use.days.items() if day <= last_day}
    in_scope = sum(scope.values()) if first_day is not None else None
    limit = min((rule.max_rate for rule in parts if rule.max_rate is not None), default=None)
    line = Audited(
        name=name,
        kind="drop_query" if account is None else "preset" if isinstance(account, PresetUse) else "rule",
        version=version,
        action=parts[0].action if len(parts) == 1 and not parts[0].preset else "",
        reason=account.reason if account is not None else "",
        owner=account.owner if account is not None else "",
        expires=expires,
        days_left=None if expires is None else (expires - date(1970, 1, 1)).days - today,
        since=since,
        hits=total.differences,
        responses=total.responses,
        in_scope=in_scope,
        rate=sum(suppressed.values()) / in_scope if in_scope else None,
        max_rate=limit,
        matched=total.matched,
        sampled=total.sampled,
        alone=total.alone if total.sampled else None,
        needed=total.needed if total.sampled else None,
        alone_estimate=_alone_estimate(use.tallies),
        first_at=total.first_at,
        last_at=total.last_at,
        routes=tuple(sorted(use.tallies, key=lambda tally: (-tally.responses, tally.route))),
        places=tuple(sorted(use.places, key=lambda place: (-place.count, place.route, place.path, place.kind, place.note))),
        examples=tuple(use.examples),
    )
    flags = [*_ending(line), *_rate(line, scope, suppressed, today)]
    if line.action != "exact" and not (line.days_left is not None and line.days_left < 0):
        flags += [*_unused(line, total, scope, today, now), *_broad(use.places)]
    return replace(line, flags=tuple(flags))


def _alone_estimate(tallies: Iterable[RuleTally]) -> float | None:
    """Of all responses it touched, those that it alone turned: route by route, since rare routes are sampled more often."""
    shown, alone, everywhere = 0, 0.0, 0
    for tally in tallies:
        everywhere += tally.responses
        if tally.sampled:
            shown += tally.responses
            alone += tally.responses * tally.alone / tally.sampled
    return alone * everywhere / shown if shown else None


def _total(name: str, version: str, tallies: Iterable[RuleTally]) -> RuleTally:
    total = RuleTally(name, version, "")
    for tally in tallies:
        total = total.plus(tally)
    return total


def _in_scope(parts: Sequence[Rule], judged: _Judged, first_day: int, last_day: int) -> dict[int, int]:
    """Responses by day that any of the rules is about; `drop_query`, which has no rule, is about all."""
    scope: dict[int, int] = defaultdict(int)
    for (route, status, media), days in judged.items():
        method, template = route.partition(" ")[0], template_of(route)
        if not parts or any(rule.scope.admits(method, template, status, media) for rule in parts):
            for day, count in days.items():
                if first_day <= day <= last_day:
                    scope[day] += count
    return scope


def _ending(line: Audited) -> Iterable[Flag]:
    if line.days_left is None:
        return
    if line.days_left < 0:
        yield Flag("expired", f"expired on {line.expires}: it suppresses nothing any more; renew it or remove it")
    elif line.days_left <= SOON_DAYS:
        when = "today" if line.days_left == 0 else f"in {line.days_left} days"
        yield Flag("expires_soon", f"ends {when} ({line.expires}): what it hides comes back then")


def _rate(line: Audited, scope: dict[int, int], suppressed: dict[int, int], today: int) -> Iterable[Flag]:
    if line.max_rate is None:
        return
    for days in RATE_WINDOWS_DAYS:
        hits = sum(count for day, count in suppressed.items() if day > today - days)
        responses = sum(count for day, count in scope.items() if day > today - days)
        if is_over(min(hits, responses), responses, line.max_rate):
            share = min(hits, responses) / responses
            text = (
                f"suppresses in {share:.2%} of the {responses} responses in scope of the last {days} days, more than "
                f"max_rate {line.max_rate:.2%} (at most {ALPHA:.0%} chance of error): look at what it hides"
            )
            yield Flag("over_rate", text)
            return


def _unused(line: Audited, total: RuleTally, scope: dict[int, int], today: int, now: float) -> Iterable[Flag]:
    if line.since is None:
        return
    if total.covered >= MIN_SAMPLED and not total.needed:
        text = (
            f"redundant: in {total.sampled} sampled answers nothing came back without it, another rule explains the same; "
            "remove one at a time"
        )
        yield Flag("redundant", text)
    elif not total.responses and total.matched >= MIN_SAMPLED:
        text = (
            f"redundant: it matched in {total.matched} sampled answers and a more specific rule was named every time; "
            "remove one at a time"
        )
        yield Flag("redundant", text)
    elif not total.matched or total.responses:
        quiet = max(line.since, total.last_at or 0.0)
        recent = sum(count for day, count in scope.items() if day > today - DEAD_DAYS)
        if now - quiet >= DEAD_DAYS * DAY_S and recent > DEAD_RESPONSES:
            text = f"unused for {int((now - quiet) // DAY_S)} days while {recent} responses in its scope were judged: remove it"
            yield Flag("dead", text)


def _broad(places: Iterable[HiddenPlace]) -> Iterable[Flag]:
    """A place where nearly everything hidden hangs together as a bug would: one offset, one factor."""
    by_place: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for place in places:
        by_place[place.route, place.aspect, place.path][place.note] += place.count
    for (route, _, path), notes in sorted(by_place.items()):
        total = sum(notes.values())
        note = max(notes, key=lambda text: (notes[text], text))
        if total >= MIN_SAMPLED and notes[note] >= SMELL_SHARE * total and smells(note):
            text = f"hides {note} at {path} of {route} in {notes[note]} of {total} sampled answers: that is a bug's shape"
            yield Flag("over_broad", text)


def smells(note: str) -> bool:
    """Whether a difference's note names a relation that bugs have: a constant offset, a factor, a turned sign."""
    return note == "sign" or note.startswith(("offset ", "factor "))
