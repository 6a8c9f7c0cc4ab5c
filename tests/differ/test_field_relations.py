"""Pure counting of relations between fields."""

from __future__ import annotations

import random

from differ.field_relations import MIN_ANSWERS, RelationCounts
from differ.field_rows import field_rows
from traffic.message import Side


def feed(counts: RelationCounts, side: Side, answers: list[dict[str, object]]) -> None:
    for answer in answers:
        counts.observe(side, [{f"$.{name}": value for name, value in answer.items()}])  # type: ignore[dict-item]


def test_field_that_copies_the_id_only_on_the_candidate_is_found() -> None:
    rng = random.Random(1)
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"id": i, "randomNumber": 10_000 + rng.randrange(10_000)} for i in range(60)])
    feed(counts, Side.CANDIDATE, [{"id": i, "randomNumber": i} for i in range(60)])
    (found,) = counts.found()
    assert (found.field, found.other, found.answers) == ("$.randomNumber", "$.id", 60)


def test_the_order_of_fields_does_not_turn_the_relation_round() -> None:
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"randomNumber": 10_000 + i, "id": i} for i in range(60)])
    feed(counts, Side.CANDIDATE, [{"randomNumber": i, "id": i} for i in range(60)])
    assert counts.found()[0].field == "$.randomNumber"


def test_fields_equal_on_both_sides_are_no_finding() -> None:
    counts = RelationCounts()
    for side in Side:
        feed(counts, side, [{"id": i, "pk": i} for i in range(100)])
    assert counts.found() == []


def test_equal_constants_are_no_finding() -> None:
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"page": 1, "version": 2} for _ in range(100)])
    feed(counts, Side.CANDIDATE, [{"page": 1, "version": 1} for _ in range(100)])
    assert counts.found() == []


def test_too_few_answers_are_no_finding() -> None:
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"id": i, "n": -1 - i} for i in range(MIN_ANSWERS - 1)])
    feed(counts, Side.CANDIDATE, [{"id": i, "n": i} for i in range(MIN_ANSWERS + 10)])
    assert counts.found() == []


def test_one_unequal_candidate_answer_ends_the_suspicion() -> None:
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"id": i, "n": -1 - i} for i in range(80)])
    feed(counts, Side.CANDIDATE, [{"id": i, "n": i if i != 40 else 7_000} for i in range(80)])
    assert counts.found() == []


def test_values_of_different_types_are_not_compared() -> None:
    counts = RelationCounts()
    feed(counts, Side.PRIMARY, [{"id": i, "n": "x"} for i in range(80)])
    feed(counts, Side.CANDIDATE, [{"id": i, "n": float(i)} for i in range(80)])
    assert counts.found() == []


def test_many_elements_of_one_list_are_one_answer() -> None:
    counts = RelationCounts()
    counts.observe(Side.PRIMARY, [{"$[*].id": i, "$[*].n": -1 - i} for i in range(500)])
    counts.observe(Side.CANDIDATE, [{"$[*].id": i, "$[*].n": i} for i in range(500)])
    assert counts.found() == []


def test_number_of_fields_is_bounded() -> None:
    counts = RelationCounts()
    for i in range(200):
        feed(counts, Side.CANDIDATE, [{f"f{i}_{j}": j for j in range(40)}])
    assert len(counts._names) == 40


def test_rows_hold_scalars_of_one_object_by_generalised_path() -> None:
    body = b'{"id": 1, "ok": true, "none": null, "by": {"id": 2, "deep": {"x": 1}}, "items": [{"id": 3}, {"id": 4}, 5]}'
    assert field_rows(body) == [{"$.id": 1, "$.by.id": 2}, {"$.items[*].id": 3}, {"$.items[*].id": 4}]


def test_body_that_is_no_json_has_no_rows() -> None:
    assert field_rows(b"{") == []
    assert field_rows(b'"text"') == []
