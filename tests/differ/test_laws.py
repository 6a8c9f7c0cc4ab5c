"""The laws of judging documents: reflexive, symmetric, monotone in the rules, blind to their order and to spelling."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from differ.facts import Judgement
from differ.judge import judge
from rules.errors import RuleError
from rules.load import load_rules, rules_from_case
from rules.model import RuleSet
from tests.differ.oracle_rules import Rule
from tests.differ.oracle_values import MISSING, Number, exactly
from tests.differ.random_pairs import Case, Maker
from traffic.message import Request, Response

TODAY = date(2026, 11, 21)
JSON = ((b"Content-Type", b"application/json"),)
SEEDS = st.integers(0, 10**12)
CASES = SEEDS.map(lambda seed: Maker(seed).case())
LAW = settings(max_examples=300, deadline=None)


def loaded(case: Case, rules: tuple[Rule, ...]) -> RuleSet | None:
    """The rule set of a case with other rules; None where they do not load."""
    try:
        return rules_from_case(Case(case.primary, case.candidate, case.bodies, rules, case.off, case.drop_query).document)
    except RuleError:
        return None


def judged(bodies: tuple[bytes, bytes], rules: RuleSet | None) -> Judgement:
    """The judgement of two JSON bodies."""
    assume(rules is not None)
    assert rules is not None
    answers = [Response(200, JSON, body) for body in bodies]
    return judge(Request("GET", b"/api/items/"), "GET /api/items/", answers[0], answers[1], rules, TODAY)


def said(judgement: Judgement) -> tuple[str, list[str], tuple[str, ...]]:
    """Verdict, paths, and what was named."""
    return judgement.verdict.value, judgement.paths, judgement.tolerated


def extra(maker: Maker, case: Case) -> Rule:
    """One more rule that explains: neither `exact` nor `keyed` with its order kept."""
    while True:
        for found in maker.rules(case.primary, case.candidate):
            if found.own and found.action != "exact" and found.entry.get("order") != "kept":
                return Rule("extra", found.entry, found.segments)


@LAW
@given(case=CASES, seed=SEEDS)
def test_a_document_matches_itself_in_any_spelling_under_any_rules(case: Case, seed: int) -> None:
    maker = Maker(seed)
    bodies = maker.body(case.primary), maker.body(case.primary)

    assert said(judged(bodies, loaded(case, case.rules))) == ("match", [], ())


@LAW
@given(case=CASES)
def test_sides_are_judged_alike(case: Case) -> None:
    """No rule for bodies has a direction."""
    rules = loaded(case, case.rules)

    assert judged(case.bodies, rules).verdict is judged(case.bodies[::-1], rules).verdict


@settings(max_examples=600, deadline=None)
@given(case=CASES, seed=SEEDS)
def test_one_more_rule_never_makes_a_mismatch(case: Case, seed: int) -> None:
    more = (*case.rules, extra(Maker(seed), case))
    before, after = judged(case.bodies, loaded(case, case.rules)), judged(case.bodies, loaded(case, more))

    assert before.verdict.value == "mismatch" or after.verdict.value != "mismatch"
    assert before.verdict.value != "match" or after.verdict.value == "match"


@settings(max_examples=600, deadline=None)
@given(case=CASES, seed=SEEDS)
def test_one_more_rule_adds_no_other_place_to_a_mismatch(case: Case, seed: int) -> None:
    """What is left lies at, in or around a place that differed: a list may turn out to be in another order once less counts."""
    more = (*case.rules, extra(Maker(seed), case))
    before, after = judged(case.bodies, loaded(case, case.rules)), judged(case.bodies, loaded(case, more))

    for path in after.paths:
        assert any(path == known or inside(path, known) or inside(known, path) for known in before.paths)


def inside(path: str, upper: str) -> bool:
    """Whether a generalised path lies below another one."""
    return path.startswith((upper + ".", upper + "["))


@LAW
@given(case=CASES, data=st.data())
def test_the_order_of_rules_says_nothing(case: Case, data: st.DataObject) -> None:
    mixed = tuple(data.draw(st.permutations(case.rules)))

    assert judged(case.bodies, loaded(case, case.rules)) == judged(case.bodies, loaded(case, mixed))


@settings(max_examples=60, deadline=None)
@given(case=CASES, data=st.data())
def test_the_order_of_files_and_of_rules_in_them_says_nothing(case: Case, data: st.DataObject) -> None:
    account = {"reason": "r", "owner": "o", "permanent": True, "decision": "d"}
    entries = [
        {
            "id": rule.called,
            "path": rule.path,
            **{key: value for key, value in rule.entry.items() if key != "expires"},
            **account,
        }
        for rule in case.rules
        if rule.own
    ]
    made = []
    for _ in range(2):
        mixed = data.draw(st.permutations(entries))
        cut = data.draw(st.integers(0, len(mixed)))
        files = [
            (f"{at}.yaml", yaml.safe_dump({"version": 1, "rules": part})) for at, part in enumerate((mixed[:cut], mixed[cut:]))
        ]
        try:
            made.append(load_rules(data.draw(st.permutations(files)), TODAY))
        except RuleError:
            made.append(None)
    assert (made[0] is None) == (made[1] is None)

    assert judged(case.bodies, made[0]) == judged(case.bodies, made[1])


@LAW
@given(case=CASES, data=st.data())
def test_an_expired_rule_is_none_but_for_notes(case: Case, data: st.DataObject) -> None:
    maker = Maker(data.draw(SEEDS))
    rule = next((rule for rule in maker.rules(case.primary, case.candidate) if rule.own), None)
    assume(rule is not None)
    assert rule is not None
    late = Rule("late", {**rule.entry, "expires": "2026-11-20"}, rule.segments)
    rules = loaded(case, (*case.rules, late))

    one, other = judged(case.bodies, loaded(case, case.rules)), judged(case.bodies, rules)

    assert said(one) == said(other)
    assert [difference.atom for difference in one.differences] == [difference.atom for difference in other.differences]


@LAW
@given(case=CASES, seed=SEEDS)
def test_spelling_and_order_of_members_say_nothing(case: Case, seed: int) -> None:
    maker = Maker(seed)
    rules = loaded(case, case.rules)

    one, other = judged(case.bodies, rules), judged((maker.body(case.primary), maker.body(case.candidate)), rules)

    assert said(one) == said(other)


@LAW
@given(case=CASES)
def test_a_judgement_says_no_more_than_its_verdict(case: Case) -> None:
    judgement = judged(case.bodies, loaded(case, case.rules))
    names = {rule.called for rule in case.rules} | ({"drop_query"} if case.drop_query else set())

    assert bool(judgement.paths) == (judgement.verdict.value == "mismatch")
    assert set(judgement.tolerated) <= names
    assert judgement.verdict.value != "match" or not judgement.tolerated
    assert judgement.verdict.value != "tolerated" or judgement.tolerated


def wrapped(how: str, inner: Any, more: Any) -> Any:
    """A container around a value, and something else in it."""
    return {"list": [inner, more], "object": {"a": inner}, "beside": {"b": more, "k": inner}}[how]


@settings(max_examples=500, deadline=None)
@given(seed=SEEDS, data=st.data())
def test_a_boolean_is_never_the_number_that_it_equals_in_python(seed: int, data: st.DataObject) -> None:
    """However much else is alike, changed or hidden beside it."""
    maker = Maker(seed)
    swapped = data.draw(
        st.sampled_from([(True, Number("1")), (False, Number("0")), (True, Number("1.0")), (False, Number("-0"))])
    )
    leaves = data.draw(st.lists(st.sampled_from([True, False, Number("1"), Number("0"), "x"]), max_size=30))
    at = data.draw(st.integers(0, len(leaves)))
    one, other = ([*leaves[:at], value, *leaves[at:]] for value in data.draw(st.permutations(swapped)))
    for wrap in data.draw(st.lists(st.sampled_from(["list", "object", "beside"]), max_size=4)):
        more = maker.scalar()
        one, other = (wrapped(wrap, side, more) for side in (one, other))
    rest = maker.value()
    bodies = maker.body({"k": one, "rest": rest}), maker.body({"k": other, "rest": maker.mutated(rest)})
    hidden = rules_from_case({"rules": [{"id": "r", "path": "$.rest", "action": "ignore"}]})

    assert judged(bodies, hidden).verdict.value == "mismatch"
    assert judged(bodies, rules_from_case({})).verdict.value == "mismatch"


# `correlate` learns, so that one more rule has more ways to do harm

IDS = st.integers(0, 4)
CORRELATED = st.lists(st.tuples(IDS, IDS), max_size=5)
PLACES = st.sampled_from(["$.a[*]", "$.b[*]", "$..*", "$.*[*]", "$.a[0]", "$.b[1]", "$.a[?@ > 1]", "$.b"])
TAUGHT = st.builds(
    lambda path, action: {"path": path, **action},
    PLACES,
    st.sampled_from(
        [
            *({"action": "correlate", "name": name} for name in ("x", "x", "y")),
            {"action": "type_only"},
            {"action": "tolerance", "abs": 1},
            {"action": "unordered"},
            {"action": "ignore"},
        ]
    ),
).filter(lambda rule: rule["action"] != "ignore" or rule["path"] != "$..*")


def contested(rules: list[dict[str, Any]]) -> bool:
    """Whether two names may claim one place: the first that can learns a pair there, and the law does not hold (docs/rules.md)."""
    lists = {
        name: {
            side
            for rule in rules
            if rule.get("name") == name
            for side in "ab"
            if side in rule["path"] or "*" in rule["path"][:4]
        }
        for name in "xy"
    }
    return bool(lists["x"] & lists["y"])


ANY_ORDER = {"path": "$..*", "action": "unordered"}
SHIFTED = [(3, 3), (3, 3), (1, 2), (2, 0), (0, 1)]


@settings(max_examples=1_000, deadline=None)
@given(a=CORRELATED, b=CORRELATED, rules=st.lists(TAUGHT, max_size=3), more=TAUGHT)
@example(a=[(0, 0), (0, 1), (1, 0)], b=[], rules=[ANY_ORDER], more={"path": "$.a[*]", "action": "correlate", "name": "x"})
@example(
    a=[(2, 0), (2, 0)],
    b=SHIFTED,
    rules=[{"path": "$..*", "action": "correlate", "name": "x"}],
    more={"path": "$.b", "action": "unordered"},
)
def test_one_more_rule_beside_correlate_never_makes_a_mismatch(
    a: list[tuple[int, int]], b: list[tuple[int, int]], rules: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    if contested([*rules, more]):
        return
    bodies = tuple(
        json.dumps({"a": [pair[side] for pair in a], "b": [pair[side] for pair in b]}, indent=side).encode() for side in (0, 1)
    )
    try:
        before, after = (
            rules_from_case({"rules": [{"id": f"r{at}", **rule} for at, rule in enumerate(found)]})
            for found in (rules, [*rules, more])
        )
    except RuleError:
        return  # a tolerance under a list without order

    assert judged(bodies, before).verdict.value == "mismatch" or judged(bodies, after).verdict.value != "mismatch"


# what `exact` removes

LEAVES = st.sampled_from(
    [MISSING, None, True, Number("1"), Number("1.0"), "x", " x", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00+00:00"]
)
LESS_SPECIFIC = st.sampled_from(
    [
        {"path": "$.*", "action": "type_only"},
        {"path": "$..b", "action": "ignore"},
        {"path": "$..a", "action": "ignore"},
        {"path": "$.*.b", "action": "normalise", "as": "strip"},
        {"path": "$..*", "action": "normalise", "as": "strip"},
        {"path": "$..*", "action": "tolerance", "abs": 1},
        {"path": "$.*", "action": "missing_is_null"},
        {"path": "$.o.*", "action": "missing_is_null"},
        {"path": "$.o", "action": "ignore"},
        {"path": "$.o[?@ != 7]", "action": "type_only"},
    ]
)


def document(a: Any, b: Any, c: Any) -> dict[str, Any]:
    """`a` beside an object with `b` and `c`; any of them may be missing."""
    inner = {name: value for name, value in (("b", b), ("c", c)) if value is not MISSING}
    return {"o": inner} if a is MISSING else {"a": a, "o": inner}


@settings(max_examples=500, deadline=None)
@given(
    ours=st.tuples(LEAVES, LEAVES, LEAVES),
    theirs=st.tuples(LEAVES, LEAVES, LEAVES),
    rules=st.lists(LESS_SPECIFIC, max_size=4),
    place=st.sampled_from(["$.a", "$.o.b"]),
)
def test_exact_takes_away_what_is_less_specific_at_its_place_and_nothing_else(
    ours: tuple[Any, ...], theirs: tuple[Any, ...], rules: list[dict[str, Any]], place: str
) -> None:
    maker = Maker(0)
    bodies = maker.body(document(*ours)), maker.body(document(*theirs))
    named = [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)]
    without = judged(bodies, rules_from_case({"rules": named}))
    under = judged(bodies, rules_from_case({"rules": [*named, {"id": "e", "path": place, "action": "exact"}]}))
    one, other = (side[0] if place == "$.a" else side[1] for side in (ours, theirs))

    assert {*under.paths} - {place} == {*without.paths} - {place}
    assert (place in under.paths) is not (exactly(one, other) or one is other is MISSING)


@LAW
@given(ours=LEAVES, theirs=LEAVES)
def test_exact_leaves_what_is_as_specific_or_more(ours: Any, theirs: Any) -> None:
    maker = Maker(0)
    bodies = maker.body(document(1, ours, None)), maker.body(document(1, theirs, None))
    exact = {"id": "e", "path": "$.o.*", "action": "exact"}
    rules = [{"id": "n", "path": "$.o.b", "action": "ignore"}, {"id": "s", "path": "$.o.*", "action": "missing_is_null"}]

    for rule in rules:
        alone = judged(bodies, rules_from_case({"rules": [rule]}))
        assert alone.tolerated == () or judged(bodies, rules_from_case({"rules": [rule, exact]})) == alone


# content codings and chunks


@pytest.mark.parametrize("sides", [(0,), (1,), (0, 1)])
@settings(max_examples=60, deadline=None)
@given(case=CASES, data=st.data())
def test_content_codings_and_chunks_say_nothing(
    sides: tuple[int, ...], case: Case, data: st.DataObject, in_flight: Callable[..., Response]
) -> None:
    rules = loaded(case, case.rules)
    assume(rules is not None)
    assert rules is not None
    answers = [Response(200, JSON, body) for body in case.bodies]
    sent = list(answers)
    for side in sides:
        sizes = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=5))
        coding = data.draw(st.sampled_from(["", "gzip", "deflate", "br", "zstd", "gzip, br", "x-gzip"]))
        sent[side] = in_flight(case.bodies[side], coding, sizes)

    one, other = (judge(Request("GET", b"/api/items/"), "GET /api/items/", *pair, rules, TODAY) for pair in (answers, sent))

    assert said(one) == said(other)


@pytest.fixture(scope="module")
def in_flight() -> Callable[..., Response]:
    """A body as a raw message spells it: coded, in chunks of given sizes, read back."""
    import gzip
    import zlib

    import brotli
    import zstandard

    from differ.message_file import parse_response

    coders = {
        "gzip": gzip.compress,
        "x-gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }

    def made(body: bytes, coding: str, sizes: list[int]) -> Response:
        for name in coding.split(", ") if coding else ():
            body = coders[name](body)
        chunks, at, turn = [], 0, 0
        while at < len(body):
            size = sizes[turn % len(sizes)]
            piece = body[at : at + size]
            chunks.append(b"%x;x=y\r\n%s\r\n" % (len(piece), piece))
            at, turn = at + size, turn + 1
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        head += b"Content-Encoding: %s\r\n" % coding.encode() if coding else b""
        return parse_response(head + b"\r\n" + b"".join(chunks) + b"0\r\n\r\n")

    return made


def test_bodies_of_the_laws_are_json() -> None:
    assert all(isinstance(json.loads(body.decode("utf-8")), object) for seed in range(50) for body in Maker(seed).case().bodies)
