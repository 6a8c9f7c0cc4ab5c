"""What each rule hides: judged again with one rule left out at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.left_out import MAX_LEFT_OUT, Examined, examine
from rules.load import rules_from_case
from rules.subset import Subsets
from traffic.message import Request, Response
from traffic.outcome import Verdict

ROUTE = "GET /api/items/"
TODAY = date(2026, 11, 21)
IGNORE_A = {"id": "ignore-a", "path": "$.a", "action": "ignore"}
NUMBER_A = {"id": "type-a", "path": "$.a", "action": "type_only"}
IGNORE_B = {"id": "ignore-b", "path": "$.b", "action": "ignore"}


@pytest.fixture
def examined(reply: Callable[..., Response]) -> Callable[..., Examined]:
    """Examines two JSON bodies under rules."""

    def run(
        a: Any, b: Any, *rules: dict[str, Any], presets: tuple[str, ...] = (), urgency: Any = None, **given_settings: Any
    ) -> Examined:
        made = rules_from_case({"rules": list(rules), "presets": list(presets), "settings": given_settings})
        more = {} if urgency is None else {"urgency": urgency}
        primary, candidate = (answer if isinstance(answer, Response) else reply(answer) for answer in (a, b))
        return examine(Request("GET", b"/api/items/"), ROUTE, primary, candidate, Subsets(made), TODAY, **more)

    return run


def test_the_only_rule_at_a_place_hides_its_difference_alone(examined: Callable[..., Examined]) -> None:
    (hidden,) = examined({"a": 1}, {"a": 2}, IGNORE_A).hidden
    assert (hidden.rule, hidden.verdict_with, hidden.verdict_without) == ("ignore-a", Verdict.TOLERATED, Verdict.MISMATCH)
    assert [(found.atom.path, found.atom.kind, found.note) for found in hidden.differences] == [("$.a", "value", "offset +1")]
    assert (hidden.alone, hidden.needed, hidden.covered) == (True, True, False)


def test_two_rules_at_one_place_cover_each_other_and_both_match(examined: Callable[..., Examined]) -> None:
    found = examined({"a": 1}, {"a": 5}, IGNORE_A, NUMBER_A)
    assert found.matching == {"ignore-a", "type-a"}
    (hidden,) = found.hidden
    assert (hidden.alone, hidden.needed, hidden.covered) == (False, False, True)


def test_neither_of_two_needed_rules_is_enough_and_each_is_alone(examined: Callable[..., Examined]) -> None:
    found = examined({"a": 1, "b": 1}, {"a": 2, "b": 2}, IGNORE_A, IGNORE_B)
    assert [(hidden.rule, [d.atom.path for d in hidden.differences], hidden.alone) for hidden in found.hidden] == [
        ("ignore-a", ["$.a"], True),
        ("ignore-b", ["$.b"], True),
    ]


def test_in_a_mismatch_a_rule_is_needed_but_turned_nothing(examined: Callable[..., Examined]) -> None:
    (hidden,) = examined({"a": 1, "c": 1}, {"a": 2, "c": 2}, IGNORE_A).hidden
    assert [found.atom.path for found in hidden.differences] == ["$.a"]
    assert (hidden.alone, hidden.needed, hidden.covered) == (False, True, False)


def test_a_mismatch_at_the_very_place_a_rule_hides_says_nothing_about_it(examined: Callable[..., Examined]) -> None:
    rule = {"id": "ids", "path": "$[*].a", "action": "type_only"}
    (hidden,) = examined([{"a": 1}, {"a": 1}], [{"a": "x"}, {"a": 2}], rule).hidden
    assert (hidden.alone, hidden.covered) == (False, False)


def test_a_preset_is_left_out_as_a_whole(examined: Callable[..., Examined], reply: Callable[..., Response]) -> None:
    primary = reply({}, headers={"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"})
    (hidden,) = examined(primary, reply({}), presets=("django-headers",)).hidden
    assert (hidden.rule, hidden.alone) == ("django-headers", True)
    assert {found.atom.path for found in hidden.differences} == {"x-frame-options", "referrer-policy"}


def test_dropped_query_pairs_are_left_out_too(examined: Callable[..., Examined]) -> None:
    bases = {"primary": ["http://old"], "candidate": ["http://new"]}
    a, b = {"next": "http://old/x/?page=1"}, {"next": "http://new/x/"}
    (hidden,) = examined(a, b, bases=bases, drop_query=[["page", "1"]]).hidden
    assert (hidden.rule, hidden.alone) == ("drop_query", True)


def test_answers_that_no_rule_touched_need_no_second_look(examined: Callable[..., Examined]) -> None:
    found = examined({"a": 1}, {"a": 2}, IGNORE_B)
    assert (found.hidden, found.matching) == ((), frozenset())


def test_of_many_rules_the_least_sampled_are_left_out(examined: Callable[..., Examined]) -> None:
    fields = [f"f{number:02}" for number in range(MAX_LEFT_OUT + 5)]
    rules = [{"id": name, "path": f"$.{name}", "action": "type_only"} for name in fields]
    often = set(fields[:5])
    found = examined(
        dict.fromkeys(fields, 1), dict.fromkeys(fields, 2), *rules, urgency=lambda name: 100.0 if name in often else 0.0
    )
    assert [hidden.rule for hidden in found.hidden] == fields[5:]
    assert found.matching == set(fields)


FIELDS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, 2, "x", None]), max_size=3)
RULES = st.lists(
    st.sampled_from(
        [IGNORE_A, NUMBER_A, IGNORE_B]
        + [{"id": f"any-{name}", "path": "$.*", "action": name} for name in ("type_only", "missing_is_null")]
    ),
    unique_by=lambda rule: rule["id"],
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(a=FIELDS, b=FIELDS, rules=RULES)
def test_leaving_rules_out_never_makes_answers_more_equal(
    a: Any, b: Any, rules: list[dict[str, Any]], reply: Callable[..., Response]
) -> None:
    made = rules_from_case({"rules": rules})
    found = examine(Request("GET", b"/"), ROUTE, reply(a), reply(b), Subsets(made), TODAY)
    assert {hidden.rule for hidden in found.hidden} == set(found.judgement.tolerated) <= found.matching
    for hidden in found.hidden:
        assert not (found.judgement.verdict is Verdict.MISMATCH and hidden.verdict_without is not Verdict.MISMATCH)
        assert hidden.alone <= hidden.needed
        assert not (hidden.needed and hidden.covered)
        if found.judgement.verdict is Verdict.TOLERATED:
            assert hidden.needed is not hidden.covered
