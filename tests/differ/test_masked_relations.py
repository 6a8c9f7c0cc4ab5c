"""What a mask hides over many pairs: constant offsets and factors, and nothing where there is only noise."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.facts import Judgement, Masked
from differ.masked_relations import MAX_PLACES, MIN_ANSWERS, MaskedRelations, constant_relations
from traffic.message import Response

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def observed(pairs: list[tuple[Any, Any]], key: str = "a", others: int = 0) -> MaskedRelations:
    """Counts where each pair is one answer's; `others` more answers have nothing masked."""
    counts = MaskedRelations()
    for a, b in pairs:
        counts.observe([Masked("rule", (key,), a, b)])
    for _ in range(others):
        counts.observe([])
    return counts


def found(counts: MaskedRelations) -> list[str]:
    return [relation.relation for relation in counts.found()]


@pytest.mark.parametrize(
    ("a", "b", "relations"),
    [
        (at(0), at(5 * 3600 + 0.3), {"offset +5h"}),
        ("2026-11-21T10:00:00+02:00", "2026-11-21T10:00:00Z", {"offset +2h"}),
        (at(0), at(-19_800), {"offset -5.5h"}),
        (at(0), at(100), {"offset +100s"}),
        (at(0), at(59), set()),
        (1_700_000_000, 1_700_018_004, {"offset +5h"}),
        (1_700_000_000_000, 1_700_018_000_500, {"offset +5h"}),
        (1_700_000_000, 1_700_000_001, set()),
        (1_700_000_000, 1_700_000_001_500, {"offset +1698300001500", "factor x1000"}),
        (12.5, 1250, {"offset +1237.5", "factor x100"}),
        ("12.50", "1250", {"offset +1237.5", "factor x100"}),
        (90, 1.5, {"offset -88.5", "factor /60"}),
        (4, 5, {"offset +1", "factor x1.25"}),
        (7, 9, {"offset +2"}),
        (3, -3, {"offset -6", "sign"}),
        (0, 4, {"offset +4"}),
        (Decimal("1.10"), 1.1, set()),
        ("1.0", 1, set()),
        (True, 2, set()),
        (None, 1, set()),
        ("abc", "abd", set()),
        ({"a": 1}, {"a": 2}, set()),
        pytest.param(10**5000, 1, set(), id="huge"),
        (1e300, 2e300, set()),
        (float("nan"), 1.0, set()),
        ("9" * 30, "1", set()),
    ],
)
def test_how_two_values_could_hang_together_in_every_pair(a: Any, b: Any, relations: set[str]) -> None:
    assert constant_relations(a, b) == relations


@settings(max_examples=300, deadline=None)
@given(*[st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.integers()))] * 2)
def test_no_pair_raises_and_equal_values_have_no_relation(a: Any, b: Any) -> None:
    constant_relations(a, b)
    assert constant_relations(a, a) == frozenset()


def test_same_hours_in_every_pair_are_found_through_the_jitter_of_two_clocks() -> None:
    rng = random.Random(1)
    pairs = [(at(i * 61), at(i * 61 + 5 * 3600 + rng.random() * 3)) for i in range(MIN_ANSWERS)]
    (relation,) = observed(pairs, "updated_at").found()
    assert (relation.rule, relation.path, relation.relation) == ("rule", "$.updated_at", "offset +5h")
    assert (relation.holds, relation.answers) == (MIN_ANSWERS, MIN_ANSWERS)


def test_one_pair_less_than_enough_is_no_finding() -> None:
    assert found(observed([(at(i * 61), at(i * 61 + 7200)) for i in range(MIN_ANSWERS - 1)])) == []


def test_a_few_pairs_without_the_relation_do_not_hide_it_and_many_do() -> None:
    pairs = [(10 * i, 10 * i + 7 + (i % 25 == 24)) for i in range(100)]
    assert found(observed(pairs)) == ["offset +7"]
    pairs = [(10 * i, 10 * i + 7 + (i % 10 == 9)) for i in range(100)]
    assert found(observed(pairs)) == []


def test_two_clocks_asked_one_after_the_other_are_no_finding() -> None:
    rng = random.Random(2)
    assert found(observed([(at(i * 61), at(i * 61 + rng.random())) for i in range(200)])) == []


@pytest.mark.parametrize("seed", range(5))
def test_random_values_are_no_finding(seed: int) -> None:
    rng = random.Random(seed)
    pairs = [(rng.randrange(1_000), rng.randrange(1_000)) for _ in range(500)]
    assert found(observed(pairs)) == []


def test_constants_on_both_sides_prove_nothing() -> None:
    assert found(observed([(1, 2)] * 500)) == []


def test_a_number_that_is_only_now_and_then_off_by_one_has_no_constant_offset() -> None:
    """Equal pairs are never masked, so those that are all look alike."""
    pairs = [(i, i + 1) for i in range(60)]
    assert found(observed(pairs, others=200)) == []
    assert found(observed(pairs, others=20)) == ["offset +1"]


def test_hours_need_not_be_in_most_answers() -> None:
    assert found(observed([(at(i * 61), at(i * 61 + 3600)) for i in range(60)], others=1_000)) == ["offset +1h"]


def test_factor_is_named_where_the_offset_varies() -> None:
    assert found(observed([(i, i * 100) for i in range(1, 60)])) == ["factor x100"]


def test_elements_of_one_list_are_one_answer_and_must_agree() -> None:
    counts = MaskedRelations()
    for answer in range(MIN_ANSWERS):
        counts.observe([Masked("rule", (i, "n"), answer + i, answer + i + 3) for i in range(5)])
    (relation,) = counts.found()
    assert (relation.path, relation.relation, relation.answers) == ("$[*].n", "offset +3", MIN_ANSWERS)
    for answer in range(MIN_ANSWERS):
        counts.observe([Masked("rule", (i, "n"), answer + i, answer + i + 3 + (i == 4)) for i in range(5)])
    assert counts.found() == []


def test_a_hundred_elements_of_one_answer_are_no_proof() -> None:
    counts = MaskedRelations()
    counts.observe([Masked("rule", (i, "n"), i, i + 3) for i in range(500)])
    assert counts.found() == []


def test_places_and_what_is_known_of_each_are_bounded() -> None:
    counts = MaskedRelations()
    for answer in range(300):
        counts.observe(
            [Masked("rule", (f"k{answer}_{i}",), answer * 7 + i * i, i) for i in range(3)]
            + [Masked("r", ("x",), 0, answer**2 + 1)]
        )
    assert len(counts._places) == MAX_PLACES
    assert counts._places["r", "$.x"].hopeless
    assert all(len(place.holds) <= 16 for place in counts._places.values())


def test_what_the_differ_masks_is_what_is_counted(reply: Callable[..., Response], judge_pair: Callable[..., Judgement]) -> None:
    """A time zone behind `ignore` and cents for euros behind `type_only`, over real judgements."""
    rules = ({"path": "$.results[*].at", "action": "ignore"}, {"path": "$.total", "action": "type_only"})
    counts = MaskedRelations()
    for number in range(1, 40):
        a = {"results": [{"at": at(number * 60 + i)} for i in range(3)], "total": number / 4}
        b = {"results": [{"at": at(number * 60 + i - 18_000)} for i in range(3)], "total": number * 25}
        judgement = judge_pair(reply(a), reply(b), *rules)
        assert judgement.verdict.value == "tolerated"
        counts.observe(judgement.masked)
    assert sorted((relation.path, relation.relation) for relation in counts.found()) == [
        ("$.results[*].at", "offset -5h"),
        ("$.total", "factor x100"),
    ]
