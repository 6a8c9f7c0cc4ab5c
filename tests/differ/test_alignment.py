"""Which rules hold for a pair of elements that stand at different indices, and what a list that was aligned says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from differ.facts import Judgement
from traffic.message import Response

Say = Callable[..., tuple[str, list[str]]]
BY_ID = {"path": "$", "action": "keyed", "by": "id"}


def items(*pairs: tuple[int, Any]) -> list[dict[str, Any]]:
    return [{"id": key, "x": value} for key, value in pairs]


@pytest.mark.parametrize("path", ["$[0].x", "$[?@.id==1].x"])
def test_a_rule_explains_an_aligned_pair_that_it_selects_on_both_sides(path: str, say: Say) -> None:
    rule = {"path": path, "action": "ignore"}

    assert say(items((1, "a"), (2, "b")), items((1, "z"), (2, "b")), BY_ID, rule)[0] == "tolerated"


@pytest.mark.parametrize("path", ["$[0].x", "$[?@.id==2].x"])
def test_a_rule_does_not_explain_a_pair_that_it_selects_on_one_side_alone(path: str, say: Say) -> None:
    ours, theirs = items((1, "a"), (2, "b")), items((2, "b"), (1, "z"))

    assert say(ours, theirs, BY_ID, {"path": path, "action": "ignore"}) == ("mismatch", ["$[*].x"])


def test_exact_on_one_side_of_a_pair_is_enough(say: Say) -> None:
    ours, theirs = items((1, 1), (2, 5)), items((2, 5), (1, 1.0))
    rules = [BY_ID, {"path": "$[*].x", "action": "type_only"}, {"path": "$[0].x", "action": "exact"}]

    assert say(ours, theirs, *rules)[0] == "mismatch"


def test_an_element_that_one_side_lacks_is_selected_by_its_own_index(say: Say) -> None:
    rules = [BY_ID, {"path": "$[?@.id==9]", "action": "ignore"}]

    assert say(items((1, 1)), items((1, 1), (9, 9)), *rules) == (
        "mismatch",
        ["$[*]"],
    )  # its contents, not the length of the list


def test_the_same_elements_in_another_order_are_one_difference(say: Say) -> None:
    assert say({"l": [{"a": 1}, {"a": 2.5}, {"a": "x"}]}, {"l": [{"a": "x"}, {"a": 1.0}, {"a": 2.5}]}) == ("mismatch", ["$.l"])


def test_an_ignored_list_hides_no_order_of_what_exact_carves_out(say: Say) -> None:
    rules = [{"path": "$.a", "action": "ignore"}, {"path": "$.a[*]", "action": "exact"}]

    assert say({"a": [1, 2]}, {"a": [2, 1]}, *rules) == ("mismatch", ["$.a[*]"])


def test_nested_lists_without_order_are_tried_once_each(say: Say) -> None:
    """Ten levels, each tried in its order and without: remembered attempts keep it linear where the last leaf differs."""

    def nested(leaf: int) -> list[Any]:
        value: list[Any] = [leaf]
        for level in range(40):
            value = [value, level]
        return value

    assert say(nested(1), nested(2), {"path": "$..*", "action": "unordered"})[0] == "mismatch"


def test_more_nodes_than_allowed_leave_what_was_found(
    reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    ours, theirs = {"a": 1, "l": list(range(500))}, {"a": 2, "l": list(range(1, 501))}
    judgement = judge_pair(reply(ours), reply(theirs), limits={"nodes": 1_000})

    assert (judgement.verdict.value, judgement.truncated) == ("mismatch", True)
    assert "$.a" in judgement.paths


def test_a_rule_is_not_named_where_the_values_are_the_same_without_it(say: Say) -> None:
    assert say({"a": {"v": 1}}, {"a": {"v": 1.0}}, {"path": "$.a", "action": "ignore"})[0] == "match"
    rules = [{"path": "$.a", "action": "ignore"}, {"path": "$.b", "action": "exact"}]
    assert say({"a": {"v": 1}}, {"a": {"v": 1.0}}, *rules)[0] == "match"


def test_lists_that_nest_without_order_end_in_a_mismatch_not_in_silence(
    reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    """All differ at every level: the matching stops at half of the budget, the rest says what differs."""

    def tree(levels: int, leaf: int) -> Any:
        return leaf if not levels else [tree(levels - 1, 2 * leaf + side) for side in (0, 1)]

    judgement = judge_pair(
        reply(tree(7, 1)), reply(tree(7, 1000)), {"path": "$..*", "action": "unordered"}, limits={"nodes": 100_000}
    )

    assert (judgement.verdict.value, judgement.truncated) == ("mismatch", True)
