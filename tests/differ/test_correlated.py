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
