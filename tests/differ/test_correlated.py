"""`correlate`: one id on each side for one thing, wherever its name stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Say = Callable[..., tuple[str, list[str]]]


def correlate(path: str, name: str = "item") -> dict[str, Any]:
    return {"path": path, "action": "correlate", "name": name}


UID, PARENT = correlate("$.uid"), correlate("$.parent")


def test_rules_of_one_name_share_a_mapping(say: Say) -> None:
    assert say({"uid": "A", "parent": "A"}, {"uid": "X", "parent": "X"}, UID, PARENT)[0] == "tolerated"
    assert say({"uid": "A", "parent": "A"}, {"uid": "X", "parent": "Y"}, UID, PARENT)[0] == "mismatch"


def test_rules_of_two_names_do_not(say: Say) -> None:
    assert say({"uid": "A", "parent": "A"}, {"uid": "X", "parent": "Y"}, UID, correlate("$.parent", "other"))[0] == "tolerated"


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([5, 6], [5, 5], "mismatch"),  # 5 stands for itself, so it cannot stand for 6 too
        ([5, 5], [5, 6], "mismatch"),
        ([1, 2], [2, 3], "tolerated"),
        ([1, 2], [2, 1], "tolerated"),
        ([1, 2], [3, 3], "mismatch"),
    ],
)
def test_a_mapping_is_one_to_one_for_equal_ids_too(ours: list[int], theirs: list[int], verdict: str, say: Say) -> None:
    rule = correlate("$[*].id")

    assert (
        say([{"id": n, "at": i} for i, n in enumerate(ours)], [{"id": n, "at": i} for i, n in enumerate(theirs)], rule)[0]
        == verdict
    )


def test_what_another_rule_explains_teaches_nothing(say: Say) -> None:
    rules = [correlate("$[*]"), {"path": "$[1]", "action": "type_only"}]

    assert say([1, 2], [2, 3], *rules)[0] == "tolerated"
    assert say([1, 2, 7], [9, 9, 7], correlate("$[*]"), {"path": "$[1]", "action": "ignore"})[0] == "tolerated"


def test_equal_ids_at_the_place_of_another_rule_add_no_mismatch(say: Say) -> None:
    ours, theirs = {"a": [0], "b": [0]}, {"a": [0], "b": [1]}

    assert say(ours, theirs, correlate("$.b[*]"))[0] == "tolerated"
    assert say(ours, theirs, correlate("$.b[*]"), correlate("$.a[*]"))[0] == "tolerated"


UNORDERED = {"path": "$..*", "action": "unordered"}


def test_a_list_in_another_order_is_not_taken_for_one_of_other_ids(say: Say) -> None:
    assert say({"a": [0, 0, 1]}, {"a": [0, 1, 0]}, UNORDERED, correlate("$.a[*]")) == ("tolerated", [])
    assert say({"a": [0, 1], "b": [0]}, {"a": [1, 0], "b": [0]}, UNORDERED, correlate("$.*[*]")) == ("tolerated", [])


def test_where_another_order_is_refuted_elsewhere_the_order_as_it_stands_is_tried(say: Say) -> None:
    ours, theirs = {"a": [2, 2], "b": [3, 1, 2, 0]}, {"a": [0, 0], "b": [3, 2, 0, 1]}

    assert say(ours, theirs, {"path": "$.b", "action": "unordered"}, correlate("$..*")) == ("tolerated", [])


def test_a_pairing_that_a_second_name_made_possible_and_that_is_refuted_hides_no_better_one(say: Say) -> None:
    ours, theirs = {"b": [2, 0, 0, 0, 2]}, {"b": [1, 0, 1, 0, 0]}

    assert say(ours, theirs, UNORDERED, correlate("$.b[*]", "x")) == ("tolerated", [])
    assert say(ours, theirs, UNORDERED, correlate("$.b[*]", "x"), correlate("$.b[*]", "y")) == ("tolerated", [])


def test_a_mapping_that_knows_a_pair_is_asked_before_one_that_would_learn_it(say: Say) -> None:
    a, b = [[2, 0], [0, 1]], [[4, 1], [2, 0], [1, 0], [0, 3], [4, 3]]
    ours, theirs = ({"a": [pair[side] for pair in a], "b": [pair[side] for pair in b]} for side in (0, 1))
    rules = [correlate("$..*", "y"), {"path": "$.b", "action": "unordered"}, correlate("$..*", "x"), correlate("$.b[*]", "x")]

    assert say(ours, theirs, *rules)[0] == "tolerated"


def test_what_no_pairing_explains_is_still_refuted(say: Say) -> None:
    assert say({"a": [0, 1], "b": [0]}, {"a": [5, 1], "b": [0]}, UNORDERED, correlate("$.*[*]")) == ("mismatch", ["$.a[*]"])
