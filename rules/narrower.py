"""Whether a narrower action would do for an `ignore`, asked of stored answers: judged again, each with one rule exchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rules.automaton import may_lie_under
from rules.jsonpath import PathError, parse_path
from rules.model import Rule, RuleSet
from rules.remarks import Lint
from rules.subset import without

MIN_PAIRS = 3
"""Stored answers in which an ignore must have hidden something before anything is said of it."""
MAX_PLACES = 10
MAX_JUDGEMENTS = 20_000
"""Judgements that are asked for; with thousands of stored answers some rules stay without a remark."""
Found = tuple[str, str, str, str]
"""A difference: aspect, generalised path, kind and types, exact location."""


_DATETIME: dict[str, Any] = {"action": "normalise", "form": "datetime"}
_BODY: tuple[dict[str, Any], ...] = (
    {"action": "missing_is_null"},
    *({"action": "normalise", "form": form} for form in ("uuid", "url", "decimal", "date", "duration")),
    _DATETIME | {"truncate": "ms"},
    _DATETIME | {"any_offset": True},
    _DATETIME | {"tol_s": 1.0},
    _DATETIME | {"tol_s": 60.0},
    *({"action": "normalise", "form": form} for form in ("strip", "whitespace", "casefold", "json", "html")),
    {"action": "tolerance", "rel": 1e-6},
    {"action": "unordered"},
    {"action": "type_only"},
)
_HEADER: tuple[dict[str, Any], ...] = (
    *({"action": "normalise", "form": form} for form in ("whitespace", "casefold", "url")),
    _DATETIME | {"tol_s": 60.0},
    {"action": "tolerance", "tol_s": 60.0},
    {"action": "present_only"},
)
_NARROWER = {"body": _BODY, "header": _HEADER, "cookie": ({"action": "type_only"}, {"action": "present_only"})}
"""From the narrowest on."""
_SPELLED = {"form": "as"}


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A stored pair of answers of one route, to be judged under any rules.

    `judged` gives what differs, None where that cannot be said; `applied` the names that explained something.
    """

    route: str
    judged: Callable[[RuleSet], frozenset[Found] | None]
    applied: Callable[[RuleSet], frozenset[str]]


class _Enough(Exception):
    pass


@dataclass
class _Pairs:
    """Counts judgements."""

    left: int = MAX_JUDGEMENTS

    def judged(self, pair: StoredPair, rules: RuleSet) -> frozenset[Found] | None:
        self.left -= 1
        if self.left < 0:
            raise _Enough
        return pair.judged(rules)


_Used = list[tuple[StoredPair, frozenset[Found]]]


def narrower_actions(rules: RuleSet, pairs: Sequence[StoredPair], today: date) -> Iterator[Lint]:
    """A remark for each `ignore` in place of which a narrower action explains all that it hides in the stored pairs."""
    work = _Pairs()
    try:
        bases = [(pair, base, pair.applied(rules)) for pair in pairs if (base := work.judged(pair, rules)) is not None]
        for rule in rules.rules:
            if rule.action != "ignore" or rule.expired(today):
                continue
            applied = [(pair, base) for pair, base, names in bases if rule.id in names]
            if len(applied) < MIN_PAIRS:
                continue
            fewer, hidden, used = without(rules, rule.id), Counter[Found](), []
            for pair, found in applied:
                opened = work.judged(pair, fewer)
                if opened is not None and opened - found:
                    used.append((pair, found))
                    hidden.update((aspect, path, kind, "") for aspect, path, kind, _ in opened - found)
            if len(used) >= MIN_PAIRS:
                yield from _remark(work, rules, rule, used, hidden)
    except _Enough:
        return


def _remark(work: _Pairs, rules: RuleSet, rule: Rule, used: _Used, hidden: Counter[Found]) -> Iterator[Lint]:
    count = f"in all {len(used)} stored answers in which it hides something"
    places = _places(rule, hidden)
    for option in _NARROWER[rule.target]:
        # The type of a whole subtree says little of the places in it that differ.
        if not (places and option["action"] == "type_only") and _does(work, rules, rule, [_instead(rule, option)], used):
            yield Lint("narrower", rule.place, rule.id, f"{count}, {_spelled(option)} explains it too: write that instead")
            return
    shown = ", ".join(f"{path} ({number} times)" for path, number in places.items())
    for option in (*_BODY, {"action": "ignore"}) if places else ():
        instead = [_instead(rule, option, path, at) for at, path in enumerate(places)]
        if _does(work, rules, rule, instead, used):
            text = f"{count}, that stands at {shown}, where {_spelled(option)} explains it: write that instead"
            yield Lint("narrower", rule.place, rule.id, text)
            return


def _instead(rule: Rule, option: dict[str, Any], path: str = "", number: int = 0) -> Rule:
    place = parse_path(path) if path else rule.path
    return replace(rule, id=f"{rule.id}\0{number}", path=place, why_not="", **option)


def _places(rule: Rule, hidden: Counter[Found]) -> dict[str, int]:
    """Paths below the rule's own at which it hides something, and how often; empty where there is none, or too many."""
    if rule.path is None:
        return {}
    found: Counter[str] = Counter()
    for (aspect, path, _, _), number in hidden.items():
        if aspect != "body":
            return {}
        found[path] += number
    if set(found) == {rule.path.text} or len(found) > MAX_PLACES:
        return {}
    try:
        return {path: found[path] for path in sorted(found) if parse_path(path).steps}
    except PathError:
        return {}


def _does(work: _Pairs, rules: RuleSet, rule: Rule, instead: list[Rule], used: _Used) -> bool:
    """Whether the rules `instead` of `rule` let nothing come back in any of the pairs."""
    rest = without(rules, rule.id)
    if any(new.action == "unordered" and _over_tolerance(new, rest) for new in instead):
        return False
    tried = replace(rest, rules=(*rest.rules, *instead))
    for pair, base in used:
        left = work.judged(pair, tried)
        if left is None or left - base:
            return False
    return True


def _over_tolerance(new: Rule, rest: RuleSet) -> bool:
    return any(
        rule.is_tolerance and rule.path is not None and new.path is not None and may_lie_under(new.path, rule.path)
        for rule in rest.rules
    )


def _spelled(option: dict[str, Any]) -> str:
    """An action as a rule file writes it."""
    parts = (f"{_SPELLED.get(key, key)}: {'true' if value is True else value}" for key, value in option.items())
    return f"'{', '.join(parts)}'"
