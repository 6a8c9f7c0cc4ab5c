"""The audit of rules: figures out of how much, and what stands out; no data is never 0 and never a reproach."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.audit import DEAD_RESPONSES, MIN_SAMPLED, Audited, alarms, audit
from differ.rate_alarm import ALPHA, MIN_RESPONSES, is_over, log_evidence
from differ.rule_use import DAY_S, DayUse, HiddenPlace, JudgedKind, LoadedRule, RuleTally, RuleUsage
from rules.load import load_rules
from rules.model import RuleSet
from rules.subset import names, version_of

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()
TODAY = int(NOW // DAY_S)
JSON = "application/json"


def rules_with(extra: str = "", rule: str = "id: r, path: $.a, action: type_only", expires: str = "2027-01-31") -> RuleSet:
    text = f"version: 1\nrules:\n  - {{{rule}, reason: r, owner: team, expires: {expires}{extra}}}\n"
    return load_rules([("rules.yaml", text)], date(2026, 12, 1))


def usage(rules: RuleSet, since_days: float = 30, name: str = "r", **given: Any) -> RuleUsage:
    """What is known of one rule: `judged` and `used` by days ago, the rest are fields of its tally."""
    version = version_of(rules, name)
    judged, used = given.pop("judged", {}), given.pop("used", {})
    places = given.pop("places", ())
    kinds = [JudgedKind("GET /x", 200, JSON, TODAY - ago, count) for ago, count in judged.items()]
    return RuleUsage(
        (RuleTally(name, version, "GET /x", **given),),
        tuple(HiddenPlace(name, version, "GET /x", "body", *place) for place in places),
        tuple(kinds),
        tuple(DayUse(name, version, "GET /x", TODAY - ago, count) for ago, count in used.items()),
        (LoadedRule(name, version, NOW - since_days * DAY_S, NOW),),
    )


def line(rules: RuleSet, known: RuleUsage | None = None) -> Audited:
    (found,) = audit(rules, known or RuleUsage(), NOW)
    return found


def flags(found: Audited) -> set[str]:
    return {flag.kind for flag in found.flags}


def test_figures_stand_beside_what_they_are_out_of() -> None:
    rules = rules_with()
    known = usage(
        rules, judged={0: 600, 5: 400}, used={0: 30, 5: 20}, differences=90, responses=50, sampled=20, alone=5, needed=8,
        matched=20, first_at=NOW - 9, last_at=NOW,
    )  # fmt: skip
    found = line(rules, known)
    assert (found.hits, found.responses, found.in_scope, found.rate) == (90, 50, 1_000, 0.05)
    assert (found.sampled, found.alone, found.needed, found.alone_estimate) == (20, 5, 8, 12.5)
    assert (found.owner, found.expires, found.days_left) == ("team", date(2027, 1, 31), 61)
    assert flags(found) == set()


def test_what_a_rule_hides_alone_is_estimated_route_by_route() -> None:
    """Of a rare route more is sampled: 5 of 10 there must not stand for the busy route, where none of 10 did."""
    rules = rules_with()
    version = version_of(rules, "r")
    rare = RuleTally("r", version, "GET /rare", responses=10, sampled=10, alone=5)
    busy = RuleTally("r", version, "GET /busy", responses=980, sampled=10, alone=0)
    unseen = RuleTally("r", version, "GET /unseen", responses=10)
    assert line(rules, RuleUsage((rare, busy))).alone_estimate == 5
    assert line(rules, RuleUsage((rare, busy, unseen))).alone_estimate == pytest.approx(5 * 1_000 / 990)
    assert line(rules, RuleUsage((unseen,))).alone_estimate is None


def test_without_data_nothing_is_zero_and_nothing_is_flagged() -> None:
    found = line(rules_with(", max_rate: 0.01"))
    assert (found.in_scope, found.rate, found.alone, found.needed, found.alone_estimate, found.since) == (None,) * 6
    assert flags(found) == set()


def test_counts_of_an_earlier_version_of_a_rule_are_not_this_version_s() -> None:
    before, after = rules_with(), rules_with(rule="id: r, path: $.b, action: type_only")
    known = usage(before, judged={0: 1_000}, used={0: 500}, responses=500, sampled=20, alone=20)
    assert line(after, known).responses == 0
    assert line(after, known).rate is None


def test_only_responses_in_scope_count_and_only_since_the_rule_was_loaded() -> None:
    rules = rules_with(
        rule='id: r, path: $.a, action: type_only, scope: {route: "/x", status: "2xx", content_type: application/json}'
    )
    known = usage(rules, since_days=2, judged={0: 10, 1: 20, 9: 400})
    others = [("GET /y", 200, JSON), ("GET /x", 404, JSON), ("GET /x", 200, "text/html")]
    more = tuple(JudgedKind(route, status, media, TODAY, 1_000) for route, status, media in others)
    known = RuleUsage(known.tallies, (), known.judged + more, known.days, known.loaded)
    assert line(rules, known).in_scope == 30


@pytest.mark.parametrize(
    ("since", "last_days_ago", "recent", "dead"),
    [
        (30, None, DEAD_RESPONSES + 1, True),
        (30, 15, DEAD_RESPONSES + 1, True),
        (30, None, DEAD_RESPONSES, False),
        (13, None, DEAD_RESPONSES + 1, False),
        (30, 13, DEAD_RESPONSES + 1, False),
    ],
)
def test_dead_is_what_was_unused_for_14_days_among_more_than_1000_responses(
    since: float, last_days_ago: float | None, recent: int, dead: bool
) -> None:
    rules = rules_with()
    last = None if last_days_ago is None else NOW - last_days_ago * DAY_S
    known = usage(rules, since_days=since, judged={1: recent}, responses=0 if last is None else 3, last_at=last)
    assert flags(line(rules, known)) == ({"dead"} if dead else set())


def test_a_rule_that_matches_but_is_never_named_is_redundant_and_not_dead() -> None:
    rules = rules_with()
    known = usage(rules, judged={1: 5_000}, matched=MIN_SAMPLED)
    assert flags(line(rules, known)) == {"redundant"}


def test_redundant_is_what_nothing_came_back_without() -> None:
    rules = rules_with()
    busy = {"judged": {0: 5_000}, "responses": 900, "last_at": NOW, "matched": 40}
    assert flags(line(rules, usage(rules, **busy, sampled=40, covered=40))) == {"redundant"}
    assert flags(line(rules, usage(rules, **busy, sampled=40, covered=39, needed=1))) == set()
    assert flags(line(rules, usage(rules, **busy, sampled=40, covered=0))) == set()
    assert flags(line(rules, usage(rules, **busy, sampled=9, covered=9))) == set()


@pytest.mark.parametrize(
    ("expires", "kind", "action"),
    [("2026-11-30", "expired", True), ("2026-12-01", "expires_soon", False), ("2026-12-15", "expires_soon", False)],
)
def test_the_end_of_a_rule_is_told_before_and_after(expires: str, kind: str, action: bool) -> None:
    (flag,) = line(rules_with(expires=expires)).flags
    assert (flag.kind, flag.action) == (kind, action)


def test_an_expired_rule_is_not_dead_as_well_and_its_scope_ends_with_it() -> None:
    rules = rules_with(expires="2026-11-20")
    known = usage(rules, judged={0: 5_000, 12: 100})
    assert flags(line(rules, known)) == {"expired"}
    assert line(rules, known).in_scope == 100


def test_a_permanent_rule_has_no_end() -> None:
    text = "version: 1\nrules:\n  - {id: r, path: $.a, action: type_only, reason: r, owner: o, permanent: true, decision: D}\n"
    found = line(load_rules([("r.yaml", text)], date(2026, 12, 1)))
    assert (found.expires, found.days_left, found.flags) == (None, None, ())


def test_a_bug_s_shape_in_what_a_rule_hides_is_over_broad() -> None:
    rules = rules_with()
    busy = {"judged": {0: 5_000}, "responses": 900, "last_at": NOW, "sampled": 40, "needed": 40}
    constant = [("$.at", "value", "offset +5h", 18), ("$.at", "value", "", 2)]
    (flag,) = line(rules, usage(rules, **busy, places=constant)).flags
    assert flag.kind == "over_broad"
    assert "offset +5h at $.at of GET /x in 18 of 20" in flag.text
    for harmless in (
        [("$.at", "value", "offset +5h", 10), ("$.at", "value", "seconds", 10)],
        [("$.at", "value", "offset +5h", MIN_SAMPLED - 1)],
        [("$.at", "value", "trimmed", 20)],
    ):
        assert flags(line(rules, usage(rules, **busy, places=harmless))) == set()


def test_every_name_has_a_line_presets_and_dropped_queries_too() -> None:
    text = """
version: 1
drop_query: [["page", "1"]]
presets: [{name: error-text, reason: r, owner: o, expires: 2027-01-31}]
rules: [{id: r, path: $.a, action: type_only, reason: r, owner: o, expires: 2027-01-31}]
"""
    rules = load_rules([("rules.yaml", text)], date(2026, 12, 1))
    found = audit(rules, RuleUsage(), NOW)
    assert [(item.name, item.kind) for item in found] == [("drop_query", "drop_query"), ("error-text", "preset"), ("r", "rule")]
    assert tuple(item.name for item in found) == names(rules)


def test_max_rate_is_watched_over_two_weeks_and_over_two_days() -> None:
    rules = rules_with(", max_rate: 0.05")
    calm = {"judged": {0: 1_000, 5: 50_000}, "responses": 1, "last_at": NOW}
    assert alarms([line(rules, usage(rules, **calm, used={0: 50, 5: 2_500}))]) == []
    sudden = line(rules, usage(rules, **calm, used={0: 900, 5: 0}))
    assert "90.00% of the 1000 responses in scope of the last 2 days" in sudden.flags[0].text
    assert alarms([sudden]) == [sudden]
    long = {"judged": dict.fromkeys(range(14), 300), "responses": 1, "last_at": NOW}
    steady = line(rules, usage(rules, **long, used=dict.fromkeys(range(14), 21)))
    assert "last 14 days" in steady.flags[0].text


def test_no_alarm_before_a_hundred_responses_and_none_without_max_rate() -> None:
    rules = rules_with(", max_rate: 0.05")
    few = usage(rules, judged={0: MIN_RESPONSES - 1}, used={0: MIN_RESPONSES - 1}, responses=1, last_at=NOW)
    assert flags(line(rules, few)) == set()
    free = rules_with()
    many = usage(free, judged={0: 10_000}, used={0: 10_000}, responses=1, last_at=NOW)
    assert flags(line(free, many)) == set()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.001, 0.999))
def test_evidence_is_a_number_and_no_rate_below_the_limit_is_an_alarm(one: int, other: int, limit: float) -> None:
    hits, responses = sorted((one, other))
    assert not math.isnan(log_evidence(hits, responses, limit))
    if hits <= limit * responses:
        assert not is_over(hits, responses, limit)


def test_a_limit_of_zero_allows_nothing_and_one_allows_everything() -> None:
    assert is_over(1, 100, 0.0)
    assert not is_over(0, 100, 0.0)
    assert not is_over(100, 100, 1.0)


def test_whoever_looks_after_every_response_is_alarmed_in_vain_as_seldom_as_promised() -> None:
    """At the very limit, 600 runs of 2,000 responses with a look after each."""
    rng = random.Random(7)
    vain = 0
    for _ in range(600):
        hits = 0
        for responses in range(1, 2_001):
            hits += rng.random() < 0.05
            if responses % 10 == 0 and is_over(hits, responses, 0.05):
                vain += 1
                break
    assert vain <= 600 * ALPHA * 2.5


def test_a_doubled_rate_is_found_within_a_few_hundred_responses() -> None:
    rng = random.Random(8)
    hits, found = 0, []
    for responses in range(1, 3_001):
        hits += rng.random() < 0.10
        if is_over(hits, responses, 0.05):
            found.append(responses)
    assert found
    assert found[0] < 1_000


TALLIES = st.builds(
    RuleTally,
    st.just("r"),
    st.just("v"),
    st.just("GET /x"),
    *[st.integers(0, 9)] * 2,
    *[st.one_of(st.none(), st.floats(0, 100))] * 2,
    *[st.integers(0, 9)] * 5,
)


@settings(max_examples=200, deadline=None)
@given(TALLIES, TALLIES, TALLIES)
def test_tallies_add_up_in_any_order(a: RuleTally, b: RuleTally, c: RuleTally) -> None:
    assert a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(b) == b.plus(a)
    assert a.plus(RuleTally("r", "v", "GET /x")) == a
