"""The laws of judging: reflexive, idempotent, monotone in the rules, blind to their order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from differ.facts import Judgement
from differ.forms import canonical
from rules.actions import FORMS
from rules.errors import RuleError
from rules.load import rules_from_case
from rules.model import Rule
from traffic.message import Response

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 1e20, "a", " a", "A", "", "1.0", "1.10", "PT1H"]),
    st.sampled_from(["2024-01-15T10:30:00Z", "2024-01-15T10:30:00+00:00", "2024-01-15T12:30:00+02:00", "01:00:00", "NaN"]),
)
NAMES = st.sampled_from(["a", "b", "id", "results"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)), max_leaves=12
)
PATHS = st.sampled_from(
    ["$", "$.a", "$.b", "$.results", "$.results[*]", "$.results[*].a", "$..a", "$[0]", "$[*]", "$..*", "$[?@.a]"]
)
RULES = st.builds(
    lambda path, action: {"path": path, **action},
    PATHS,
    st.sampled_from(
        [
            {"action": "ignore"},
            {"action": "type_only"},
            {"action": "missing_is_null"},
            {"action": "unordered"},
            {"action": "keyed", "by": "id"},
            {"action": "regex", "pattern": "[a-z ]*"},
            {"action": "normalise", "as": "strip"},
            {"action": "normalise", "as": "decimal"},
            {"action": "normalise", "as": "datetime", "any_offset": True},
            {"action": "normalise", "as": "duration"},
            {"action": "correlate", "name": "x"},
            {"action": "tolerance", "abs": 1},
            {"action": "normalise", "as": "datetime", "tol_s": 5},
        ]
    ),
)


def lawful(rules: list[dict[str, Any]]) -> bool:
    """Whether the rules load: a tolerance under an unordered list does not."""
    try:
        rules_from_case({"rules": rules})
    except RuleError:
        return False
    return True


LAW = settings(max_examples=150, deadline=None)


@LAW
@given(document=DOCUMENTS, rules=st.lists(RULES, max_size=3))
def test_a_body_matches_itself_in_any_spelling(
    document: Any, rules: list[dict[str, Any]], reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    assume(lawful(rules))
    compact = json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()

    assert judge_pair(reply(document), reply(compact), *rules).verdict.value == "match"


@LAW
@given(a=DOCUMENTS, b=DOCUMENTS, rules=st.lists(RULES, max_size=3), extra=RULES)
def test_one_more_rule_never_makes_a_mismatch(
    a: Any,
    b: Any,
    rules: list[dict[str, Any]],
    extra: dict[str, Any],
    reply: Callable[..., Response],
    judge_pair: Callable[..., Judgement],
) -> None:
    assume(lawful([*rules, extra]))
    before = judge_pair(reply(a), reply(b), *rules).verdict.value
    after = judge_pair(reply(a), reply(b), *rules, extra).verdict.value

    assert before == "mismatch" or after != "mismatch"


@LAW
@given(a=DOCUMENTS, b=DOCUMENTS, rules=st.lists(RULES, min_size=2, max_size=4), data=st.data())
def test_the_order_of_rules_says_nothing(
    a: Any, b: Any, rules: list[dict[str, Any]], data: Any, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    assume(lawful(rules))
    named = [{"id": f"r{at}", **rule} for at, rule in enumerate(rules)]
    mixed = data.draw(st.permutations(named))

    assert judge_pair(reply(a), reply(b), *named) == judge_pair(reply(a), reply(b), *mixed)


@LAW
@given(a=DOCUMENTS, b=DOCUMENTS)
def test_sides_are_judged_alike(a: Any, b: Any, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]) -> None:
    assert judge_pair(reply(a), reply(b)).verdict is judge_pair(reply(b), reply(a)).verdict


@LAW
@given(value=SCALARS, form=st.sampled_from(FORMS))
def test_normalising_twice_changes_nothing(value: Any, form: str) -> None:
    rule = Rule("r", "body", "normalise", form=form)
    once = canonical(rule, value)
    if once is None or len(once) != 2 or not isinstance(once[1], str):
        return
    twice = canonical(rule, once[-1])

    assert twice is None or twice == once


@LAW
@given(
    body=st.binary(max_size=60),
    other=st.binary(max_size=60),
    kind=st.sampled_from(["application/json", "text/html", "text/plain", ""]),
    coding=st.sampled_from(["", "gzip", "br", "zstd", "deflate", "foo", "gzip, br"]),
)
def test_no_body_raises(
    body: bytes, other: bytes, kind: str, coding: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    headers = {"Content-Encoding": coding} if coding else {}

    assert judge_pair(reply(body, kind=kind), reply(other, kind=kind, headers=headers)).verdict
