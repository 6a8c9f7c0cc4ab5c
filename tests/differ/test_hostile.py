"""Hostile bodies end in a verdict, within a bounded number of visited nodes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import date
from typing import Any

import brotli
import pytest
import zstandard

from differ.budget import Budget
from differ.equal import Equality
from differ.explains import Correlations
from differ.facts import Judgement
from differ.html_tokens import tokens
from differ.in_force import in_force
from differ.walk import Walk
from rules.load import rules_from_case
from traffic.message import Request, Response

Say = Callable[..., tuple[str, list[str]]]
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("deep", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 100_000])
def test_deep_nesting_is_inconclusive_on_either_side(deep: bytes, say: Say) -> None:
    assert say(deep, {"a": 1}) == ("inconclusive", [])
    assert say({"a": 1}, deep) == ("inconclusive", [])


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_up_to_the_limit_is_walked(opening: str, say: Say) -> None:
    closing = "]" if opening == "[" else "}"
    bodies = [(opening * 195 + value + closing * 195).encode() for value in ("1", "2")]

    assert say(*bodies)[0] == "mismatch"


@pytest.mark.parametrize("name", CODINGS)
def test_a_bomb_is_inconclusive(name: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]) -> None:
    bomb = reply(CODINGS[name](b"0" * 30_000_000), headers={"Content-Encoding": name})

    assert "limits.body" in judge_pair(reply({}), bomb).reason


@pytest.mark.parametrize("name", CODINGS)
def test_a_coding_that_ends_early_is_inconclusive(
    name: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    cut = reply(CODINGS[name](b'{"a": 1}')[:-1], headers={"Content-Encoding": name})

    assert judge_pair(reply({"a": 1}), cut).verdict.value == "inconclusive"
    assert judge_pair(cut, reply({"a": 1})).verdict.value == "inconclusive"


@pytest.mark.parametrize("name", CODINGS)
def test_bytes_that_are_no_such_coding_count_against_the_candidate(
    name: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    rubbish = reply(b'{"a": 1} is no coding', headers={"Content-Encoding": name})

    assert judge_pair(reply({"a": 1}), rubbish).paths == ["$"]
    assert judge_pair(rubbish, reply({"a": 1})).verdict.value == "inconclusive"


def test_an_integer_beyond_the_interpreter_is_invalid_json(say: Say) -> None:
    huge = b"[" + b"9" * 5_000 + b"]"

    assert say([1], huge) == ("mismatch", ["$"])
    assert say(huge, [1]) == ("inconclusive", [])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"[100000000000000000000]", b"[100000000000000000001]", "mismatch"),
        (b"[1e400]", b"[1e401]", "mismatch"),
        (b"[1e400]", b"[1E+400]", "match"),
        (b"[1E+2]", b"[100]", "match"),
        (b"[1e99999999999999999999]", b"[1]", "mismatch"),
        (b'["\\ud800"]', b'["\\ud801"]', "mismatch"),
        (b"[NaN]", b'["NaN"]', "mismatch"),
        (b"[NaN]", b"[null]", "mismatch"),
        (b"[-Infinity]", b"[ -Infinity]", "match"),
        (b'{"a":1,"a":2}', b'{"a":1, "a":2}', "match"),
        (b'{"a":1,"a":2}', b'{"a":2,"a":1}', "mismatch"),
        (b"\xef\xbb\xbf[1]", b"\xef\xbb\xbf[ 1]", "match"),
        (b"[1.0]", b"[1]", "match"),
        (b"[true]", b"[1]", "mismatch"),
    ],
)
def test_json_is_compared_exactly(a: bytes, b: bytes, expected: str, say: Say) -> None:
    assert say(a, b)[0] == expected


@pytest.mark.parametrize("rule", [[], [{"path": "$", "action": "unordered"}]])
def test_long_lists_of_two_values_cost_linear_work(rule: list[dict[str, Any]]) -> None:
    """16,000 elements of 0 and 1 against 16,007 others: at most some tens of nodes visited per element."""
    one = [(at * 7919) % 5 % 2 for at in range(16_000)]
    other = [(at * 104_729) % 7 % 2 for at in range(16_007)]
    force = in_force(rules_from_case({"rules": rule}), Request("GET", b"/"), "/", 200, "application/json", date(2026, 1, 1))
    walk = Walk(force, Budget(10_000_000), Correlations(), Equality(True))

    walk.walk(one, other, walk.start())

    assert not walk.findings.clean
    assert walk.budget.spent < 10 * 32_007


def test_16000_unequal_elements_are_one_difference(
    reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    judgement = judge_pair(reply([0] * 16_000), reply([1] * 16_000))

    assert (len(judgement.differences), judgement.truncated) == (1, False)


def test_hostile_keys_become_one_place(say: Say) -> None:
    assert say({f"k{at}": 1 for at in range(3_000)}, {f"k{at}": 2 for at in range(3_000)}) == ("mismatch", ["$.*"])


def test_too_many_nodes_are_inconclusive(reply: Callable[..., Response], judge_pair: Callable[..., Judgement]) -> None:
    judgement = judge_pair(reply(list(range(200))), reply(list(range(1, 201))), limits={"nodes": 100})

    assert judgement.verdict.value == "inconclusive"
    assert "limits.nodes" in judgement.reason


@pytest.mark.parametrize(
    "unit", ["<a ", '<a "', "<!--", "<script>", "</", "<a b='\"", "<a" + " " * 50, "&#" + "9" * 5_000, "<" * 50]
)
def test_hostile_pages_are_tokenized_in_one_pass(unit: str) -> None:
    assert len(list(tokens(unit * 2_000, mask_csrf=True))) <= 2 * 50 * 2_000


def test_a_hostile_pattern_is_linear(say: Say) -> None:
    rule = {"path": "$.a", "action": "regex", "pattern": "(\\w+\\s?)*$"}

    assert say({"a": "a" * 9_000 + "!"}, {"a": "b"}, rule)[0] == "mismatch"


def test_embedded_json_is_bounded(say: Say) -> None:
    rule = {"path": "$.a", "action": "normalise", "as": "json"}

    assert say({"a": "[" * 50_000}, {"a": "["}, rule)[0] == "mismatch"
    assert say({"a": json.dumps({"x": 1, "y": 2.0})}, {"a": '{"y":2,"x":1}'}, rule)[0] == "tolerated"


def test_what_an_ignore_hides_is_looked_at_within_the_budget(
    reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    """Whether the rule was needed at all is asked of the hidden subtree, which may be large."""
    ours, theirs = {"a": [1] * 5_000, "b": 1}, {"a": [1.0] * 5_000, "b": 1}
    rule = {"path": "$.a", "action": "ignore"}

    assert judge_pair(reply(ours), reply(theirs), rule).verdict.value == "match"
    assert judge_pair(reply(ours), reply(theirs), rule, limits={"nodes": 1_000}).verdict.value == "inconclusive"
