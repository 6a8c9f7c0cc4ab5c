"""T11: what filters of RFC 9535 mean: the table of comparisons (2.3.5.3), the functions (2.4) and what they leave open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from differ.json_exact import parse_one
from rules.jsonpath import PathError, locate, parse_path
from rules.model import Limits

OBJ_AND_ARR = {"obj": {"x": "y"}, "arr": [2, 3]}


def chosen(query: str, document: Any) -> list[Any]:
    """The last key of each place that is selected."""
    return [location[-1] for location in locate(parse_path(query), document, lambda _: None)]


def holds(test: str, document: Any) -> bool:
    """Whether a test that asks the root alone is true: then it selects every member."""
    found = chosen(f"$[?{test}]", document)
    assert len(found) in (0, len(document))
    return bool(found)


@pytest.mark.parametrize(
    ("comparison", "result"),
    [
        ("$.absent1 == $.absent2", True),
        ("$.absent1 <= $.absent2", True),
        ("$.absent == 'g'", False),
        ("$.absent1 != $.absent2", False),
        ("$.absent != 'g'", True),
        ("1 <= 2", True),
        ("1 > 2", False),
        ("13 == '13'", False),
        ("'a' <= 'b'", True),
        ("'a' > 'b'", False),
        ("$.obj == $.arr", False),
        ("$.obj != $.arr", True),
        ("$.obj == $.obj", True),
        ("$.obj != $.obj", False),
        ("$.arr == $.arr", True),
        ("$.arr != $.arr", False),
        ("$.obj == 17", False),
        ("$.obj != 17", True),
        ("$.obj <= $.arr", False),
        ("$.obj < $.arr", False),
        ("$.obj <= $.obj", True),
        ("$.arr <= $.arr", True),
        ("1 <= $.arr", False),
        ("1 >= $.arr", False),
        ("1 > $.arr", False),
        ("1 < $.arr", False),
        ("true <= true", True),
        ("true > true", False),
    ],
)
def test_t11_a_comparison_of_table_11_gives_its_result(comparison: str, result: bool) -> None:
    assert holds(comparison, OBJ_AND_ARR) is result


@pytest.mark.parametrize(
    ("comparison", "result"),
    [
        ("$.absent < $.absent2", False),
        ("$.absent >= $.absent2", True),
        ("null == $.absent", False),
        ("null <= null", True),
        ("null < null", False),
        ("false < true", False),
        ("1 == true", False),
        ("0 == false", False),
        ("'' < 'a'", True),
        ("'a' < 'aa'", True),
        ("'Z' < 'a'", True),
        ("'\uffff' < '\U0001f600'", True),
        ("1 == 1.0", True),
        ("100 == 1e2", True),
        ("0 == -0.0", True),
        ("0.1 == 1E-1", True),
        ("0.1 < 1E-1", False),
        ("1E400 == 1e400", True),
        ("1E400 < 1e401", True),
        ("1e400 > 9007199254740993", True),
        ("9007199254740993 == 9007199254740992", False),
        ("1e-400 > 0", True),
    ],
)
def test_comparisons_follow_types_and_exact_numbers(comparison: str, result: bool) -> None:
    assert holds(comparison, OBJ_AND_ARR) is result


@pytest.mark.parametrize(
    ("spelled", "literal", "equal"),
    [
        ("0.1", "0.1", True),
        ("1e-1", "0.1", True),
        ("0.1", "1e-1", True),
        ("0.10000000000000000000000000000000001", "0.1", False),
        ("1e2", "100", True),
        ("100", "1E2", True),
        ("1E400", "1e400", True),
        ("1E400", "1e401", False),
        ("12345678901234567890", "12345678901234567890", True),
        ("12345678901234567891", "12345678901234567890", False),
        ("NaN", "0", False),
        ('"1"', "1", False),
        ("1e99999999999999999999", "1", False),
    ],
)
def test_numbers_of_a_body_compare_as_the_differ_reads_them(spelled: str, literal: str, equal: bool) -> None:
    document = parse_one(
        f'{{"n": {spelled}, "far": 1e-9999}}'.encode(), Limits()
    ).value  # the exponent asks for the exact parser

    assert holds(f"$.n == {literal}", document) is equal
    assert holds(f"$.n != {literal}", document) is not equal


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ([True], [1], False),
        ([1], [1.0], True),
        ({"a": [0]}, {"a": [False]}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ([[]], [[]], True),
        ({"a": None}, {}, False),
        ({"a": None}, {"b": None}, False),
    ],
)
def test_arrays_and_objects_are_equal_member_by_member_and_type_by_type(left: Any, right: Any, equal: bool) -> None:
    assert holds("$[0] == $[1]", [left, right]) is equal


def test_an_existence_test_does_not_ask_for_the_value() -> None:
    assert chosen("$[?@]", [None, False, 0, "", [], {}]) == [0, 1, 2, 3, 4, 5]
    assert chosen("$[?@.a]", [{"a": None}, {"a": False}, {"b": 1}, [], 0]) == [0, 1]
    assert chosen("$[?!@.a]", [{"a": None}, {"b": 1}, 0]) == [1, 2]


def test_the_root_in_a_nested_filter_is_the_document_and_no_node() -> None:
    document = {"limit": 2, "groups": [{"limit": 9, "items": [1, 2]}, {"limit": 9, "items": [3, 4]}]}

    assert chosen("$.groups[?@.items[?@ > $.limit]]", document) == [1]


def test_and_binds_tighter_than_or() -> None:
    rows = [{"a": 1}, {"a": 1, "b": 1}, {"b": 1, "c": 1}, {"c": 1}]

    assert chosen("$[?@.a || @.b && @.c]", rows) == [0, 1, 2]
    assert chosen("$[?(@.a || @.b) && @.c]", rows) == [2]
    assert chosen("$[?!@.a && !(@.b || @.x)]", rows) == [3]


@pytest.mark.parametrize(
    ("query", "well_typed"),
    [
        ("$[?length(@) < 3]", True),
        ("$[?length(@.*) < 3]", False),
        ("$[?count(@.*) == 1]", True),
        ("$[?count(1) == 1]", False),
        ("$[?count(foo(@.*)) == 1]", False),
        ("$[?match(@.timezone, 'Europe/.*')]", True),
        ("$[?match(@.timezone, 'Europe/.*') == true]", False),
        ('$[?value(@..color) == "red"]', True),
        ("$[?value(@..color)]", False),
        ("$[?bar(@.a)]", False),
        ("$[?bnl(@.*)]", False),
        ("$[?blt(1==1)]", False),
        ("$[?blt(1)]", False),
        ("$[?bal(1)]", False),
    ],
)
def test_t11_a_function_of_the_table_is_taken_where_it_is_known_and_well_typed(query: str, well_typed: bool) -> None:
    if well_typed:
        assert parse_path(query).dynamic
    else:
        with pytest.raises(PathError):
            parse_path(query)


def test_length_counts_characters_elements_and_members() -> None:
    document = ["", "é한😀", [1, 2, 3], {"a": 1, "b": 2, "c": 3}, 3, None, True]

    assert chosen("$[?length(@) == 3]", document) == [1, 2, 3]
    assert chosen("$[?length(@) == $.absent]", document) == [4, 5, 6]
    assert chosen("$[?length(@.a) == 1]", [{"a": "x"}, {"b": "x"}]) == [0]


def test_count_keeps_duplicates_and_a_single_node_counts_one() -> None:
    assert chosen("$[?count(@['a','a']) == 2]", [{"a": 0}, {"b": 0}]) == [0]
    assert chosen("$[?count(@) == 1]", [[1, 2], 0]) == [0, 1]
    assert chosen("$[?count(@.*) == 0]", [[], {}, 1, [1]]) == [0, 1, 2]
    assert chosen("$[?count($..*) == 4]", [0, 1, [2]]) == [0, 1, 2]


def test_value_is_nothing_unless_there_is_one_node() -> None:
    document = [{"a": {"c": 1}}, {"a": {"c": 1}, "b": {"c": 1}}, {"c": 2}, {}]

    assert chosen("$[?value(@..c) == 1]", document) == [0]
    assert chosen("$[?value(@..c) == $.absent]", document) == [1, 3]


def test_match_asks_for_the_whole_text_and_search_for_a_part() -> None:
    document = ["abc", "ab", "xabx", "", 1, None, ["ab"]]

    assert chosen("$[?match(@, 'ab')]", document) == [1]
    assert chosen("$[?search(@, 'ab')]", document) == [0, 1, 2]
    assert chosen("$[?!search(@, 'ab')]", document) == [3, 4, 5, 6]
    assert chosen("$[?match(@, 'a|ab')]", document) == [1]


def test_a_pattern_may_come_from_the_document_and_what_is_no_pattern_matches_nothing() -> None:
    document = {"rows": ["ab", "a", "("], "good": "a.", "bad": "(", "other": 1}

    assert chosen("$.rows[?match(@, $.good)]", document) == [0]
    assert chosen("$.rows[?match(@, $.bad)]", document) == []
    assert chosen("$.rows[?match(@, $.other)]", document) == []
    assert chosen("$.rows[?match(@, $.absent)]", document) == []
    assert chosen("$.rows[?search(@, '(?=a)')]", document) == []


def test_half_a_surrogate_pair_matches_nothing_and_ends_nothing() -> None:
    document = json.loads(r'["\ud800", "a\udc00", "a", "\ud83d\ude00"]')

    assert chosen("$[?match(@, '.')]", document) == [2, 3]
    assert chosen("$[?length(@) == 1]", document) == [0, 2, 3]
    assert chosen("$[?@ == $[0]]", document) == [0]


@pytest.mark.parametrize("bound", ["-9007199254740991", "9007199254740991", "-8", "8", "-7", "7", "-1", "0", "1", "6", ""])
@pytest.mark.parametrize("step", ["", "1", "2", "-1", "-3", "0", "9007199254740991", "-9007199254740991"])
def test_a_slice_selects_what_the_normative_text_says(bound: str, step: str) -> None:
    letters = list("abcdefg")
    for end in ("", "-3", "5", bound):
        assert chosen(f"$[{bound}:{end}:{step}]", letters) == _slice_of_the_rfc(7, bound, end, step)


def _slice_of_the_rfc(length: int, start: str, end: str, step: str) -> list[int]:
    """2.3.4.2.2, word for word."""
    by = int(step or 1)
    first = int(start or (0 if by >= 0 else length - 1))
    last = int(end or (length if by >= 0 else -length - 1))
    n_first, n_last = (bound if bound >= 0 else length + bound for bound in (first, last))
    selected = []
    if by > 0:
        lower, upper = min(max(n_first, 0), length), min(max(n_last, 0), length)
        at = lower
        while at < upper:
            selected.append(at)
            at += by
    elif by < 0:
        upper, lower = min(max(n_first, -1), length - 1), min(max(n_last, -1), length - 1)
        at = upper
        while lower < at:
            selected.append(at)
            at += by
    return selected
