"""T10: no path and no document make `locate` do work that is not paid for. Counted in executed lines, never in seconds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.budget import Budget, LimitHit
from differ.facts import Judgement
from differ.judge import judge
from differ.numbers import Special
from rules import evaluation
from rules.jsonpath import Location, locate, parse_path
from rules.load import rules_from_case
from rules.regexes import PatternError
from traffic.message import Request, Response

LINES_OF_A_STEP = 60
"""Lines of the evaluation, those of its generators' resumptions with them, that one unit of the budget may stand for."""


def nested(depth: int, key: str | int) -> Any:
    document: Any = 0
    for _ in range(depth):
        document = {key: document} if isinstance(key, str) else [document]
    return document


DOCUMENTS = {
    "flat": [0] * 5_000,
    "empty": [{} for _ in range(5_000)],
    "lists": json.loads("[" + ",".join(["[[[0]]]"] * 1_000) + "]"),
    "objects": [{"a": at, "b": {"a": at}} for at in range(1_000)],
    "deep": [nested(200, "a") for _ in range(10)],
    "deeper": nested(600, 0),
    "one": [[0] * 5_000],
    "wide": [[[[0] * 8 for _ in range(8)] for _ in range(8)] for _ in range(8)],
    "named": {"p": {f"k{at}": {} for at in range(500)}, "r": [{f"k{at}": {} for at in range(20)} for _ in range(50)]},
}
QUERIES = [
    "$..[?$..[?@..a]]",
    "$[?@[?@[?@.a]]]",
    "$..[?@..[?@..[?@..a]]]",
    "$..[?@.a==$.b.c]",
    "$..[?@..*]",
    "$..*..*..*[?@]",
    "$..*..*..*..*..*[-1]",
    "$..[::][::][::-1]",
    "$[-9007199254740991:9007199254740991]",
    "$[9007199254740991:-9007199254740991:-1]",
    "$..[::9007199254740991][?@]",
    "$" + "[*]" * 12 + "[?@]",
    "$[*]" + "['x','y','z',-1]" * 40,
    "$..[?" + "||".join(["1==2"] * 120) + "]",
    "$..[?" + "!(" * 30 + "@.x" + ")" * 30 + "]",
    "$..[?@==$]",
    "$..[?@==@]",
    "$..[?$==$]",
    "$.r[?@==$.p]",
    "$..[?count($..*)>1]",
    "$..[?count(@..*)>count($..*..*)]",
    "$..[?value(@..*)==value($..*..*)]",
    "$..[?length(value(@..*))>0]",
    "$..[?match(@.a,'(a+)+')||search(@.b,'(x+x+)+y')]",
    "$" + ".a" * 200 + "[?@]",
    "$[?" + "||".join(["count(@[::])<1"] * 40) + "]",
    "$" + "[0]" * 300 + "[::]",
]


def lines_of(work: Callable[[], object]) -> int:
    """The lines of rules/evaluation.py that `work` executes."""
    count = 0

    def inside(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return inside

    def calls(frame: FrameType, event: str, _: object) -> Any:
        return inside if frame.f_code.co_filename == evaluation.__file__ else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("query", QUERIES)
def test_t10_what_a_query_does_is_paid_for(query: str, name: str) -> None:
    budget = Budget(6_000)

    def work() -> None:
        try:
            locate(parse_path(query), DOCUMENTS[name], budget.spend)
        except LimitHit:
            assert budget.spent > budget.nodes

    lines = lines_of(work)

    assert lines <= LINES_OF_A_STEP * (min(budget.spent, budget.nodes) + 100)


@pytest.mark.parametrize("query", ["$..[?$..[?@..a]]", "$..*..*..*[?@]", "$..[?@==$]", "$..[?count(@..*)>9]"])
def test_t10_a_quadratic_query_over_a_large_document_ends_at_the_limit(query: str) -> None:
    with pytest.raises(LimitHit):
        locate(parse_path(query), nested(240, "a") | {"b": [nested(40, 0) for _ in range(500)]}, Budget(50_000).spend)


def test_t10_an_ordinary_filter_costs_a_few_steps_for_each_element() -> None:
    budget = Budget(10**9)
    rows = [{"type": "x" if at % 2 else "y", "price": at} for at in range(1_000)]

    assert len(locate(parse_path("$.results[?@.type=='x'].price"), {"results": rows}, budget.spend)) == 500
    assert budget.spent <= 6 * len(rows)


LONG = "x" * 1_000_000


COMPARED = {
    "texts ==": (LONG, "==", LONG[:-1] + "x"),
    "texts <": (LONG, "<", LONG[:-1] + "x"),
    "names ==": ({LONG: 1}, "==", {LONG[:-1] + "x": 1}),
    "numbers ==": (Decimal("1." + "0" * 1_000_000), "==", 1),
    "numbers >": (Decimal("1." + "0" * 1_000_000), ">", 1),
    "specials ==": (Special(LONG), "==", Special(LONG[:-1] + "x")),
}


@pytest.mark.parametrize(("left", "operator", "right"), COMPARED.values(), ids=COMPARED)
def test_t10_a_comparison_is_paid_by_the_length_of_its_values(left: Any, operator: str, right: Any) -> None:
    budget = Budget(10**9)

    locate(parse_path(f"$.rows[?$.left{operator}$.right]"), {"left": left, "right": right, "rows": [0] * 10}, budget.spend)

    assert budget.spent > 10 * 1_000


def test_t10_long_texts_and_large_patterns_are_paid_by_their_product() -> None:
    def spent(pattern: str, length: int) -> int:
        budget = Budget(10**9)
        locate(parse_path(f"$[?search(@,'{pattern}')]"), ["a" * length], budget.spend)
        return budget.spent

    small, longer, larger = spent("b", 10_000), spent("b", 100_000), spent("(b{1,30}c){1,30}", 10_000)

    assert longer > 8 * small
    assert larger > 20 * small


def test_t10_patterns_of_a_document_are_paid_for_as_they_are_compiled() -> None:
    patterns = [f"(a{{1,{at}}}){{1,30}}" for at in range(1, 30)]
    budget = Budget(10**9)

    locate(parse_path("$[?match('', @)]"), patterns, budget.spend)

    assert budget.spent > 10_000


@pytest.mark.parametrize("pattern", ["a{1001}", "(.{1,90}){1,90}", "x" * 5_000])
@pytest.mark.parametrize("test", ["match('a', @)", "!match('a', @)", "search('a', @)"])
def test_t10_a_pattern_of_a_document_that_cannot_be_run_is_a_limit_and_no_answer(pattern: str, test: str) -> None:
    with pytest.raises(LimitHit):
        locate(parse_path(f"$[?{test}]"), [pattern], Budget(10**9).spend)
    with pytest.raises(PatternError):
        locate(parse_path(f"$[?{test}]"), [pattern], lambda _: None)


def test_no_document_is_too_deep() -> None:
    depth = 10 * sys.getrecursionlimit()
    document = nested(depth, 0)

    assert [len(location) for location in locate(parse_path("$..[?@==0]"), document, lambda _: None)] == [depth]
    assert locate(parse_path("$[?@==$[0]]"), document, lambda _: None) == [(0,)]
    while document:  # taken apart by hand: freeing it in one go is as deep as it is
        document = document.pop()


def judged(path: str, action: dict[str, Any], primary: Any, candidate: Any) -> Judgement:
    rules = rules_from_case({"rules": [{"id": "r", "path": path, **action}], "settings": {}})
    sides = [
        Response(200, ((b"Content-Type", b"application/json"),), json.dumps(side).encode()) for side in (primary, candidate)
    ]
    return judge(Request("GET", b"/"), "GET /", sides[0], sides[1], rules, date(2026, 1, 1))


@pytest.mark.parametrize("action", [{"action": "ignore"}, {"action": "exact"}])
def test_t10_a_pair_whose_paths_cost_too_much_is_inconclusive_and_not_tolerated(action: dict[str, Any]) -> None:
    primary = {"rows": [nested(100, "a") for _ in range(300)], "x": 1}

    judgement = judged("$..[?$..[?count(@..a) == 1]]", action, primary, {**primary, "x": 2})

    assert (judgement.verdict.value, "limits.nodes" in judgement.reason) == ("inconclusive", True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=4),
    max_leaves=12,
)


@given(document=JSON, query=st.sampled_from(QUERIES[:13]), bound=st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_a_bound_ends_the_work_or_changes_nothing(document: Any, query: str, bound: int) -> None:
    whole: list[Location] = locate(parse_path(query), document, lambda _: None)
    budget = Budget(bound)

    try:
        found = locate(parse_path(query), document, budget.spend)
    except LimitHit:
        assert budget.spent > bound
    else:
        assert found == whole
