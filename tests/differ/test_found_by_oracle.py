"""Pairs on which the judge once disagreed with the oracle or broke a law, as small as they get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brotli
import pytest

from differ.decode import decode
from differ.facts import Judgement
from differ.links import same_resource
from tests.differ.costly import judged_pair
from tests.differ.costly_messages import CASES
from traffic.message import Response

Reply = Callable[..., Response]
Judge = Callable[..., Judgement]


def rule(path: str, action: str, **parameters: Any) -> dict[str, Any]:
    return {"path": path, "action": action, **parameters}


KEYED, UNORDERED = rule("$", "keyed", by="id"), rule("$", "unordered")
CORRELATED = rule("$.a[*]", "correlate", name="x")
AS_JSON = rule("$", "normalise", **{"as": "json"})
STRIP = rule("$[*]", "normalise", **{"as": "strip"})
EITHER = rule("$[*]", "regex", pattern="[a-z]"), rule("$[*]", "regex", pattern=" [a-z]")


@pytest.mark.parametrize(
    ("a", "b", "rules", "verdict", "paths"),
    [
        pytest.param(
            [{"id": 3, "x": 1}, {"id": 4, "x": 1}, {"id": 5, "x": 1}],
            [{"id": 4, "x": 1}, {"id": 5, "x": 2}, {"id": 3, "x": 1}],
            [KEYED, rule("$[?@.id==3].x", "ignore")],
            "mismatch",
            ["$[*].x"],
            id="a filter selects neither side of the pair",
        ),
        pytest.param(
            [[1, 2], [3]],
            [[2, 1], [3]],
            [UNORDERED, rule("$[1]", "type_only", types=["array"])],
            "mismatch",
            None,
            id="an index would cover two pairs of a list without order",
        ),
        pytest.param(["x", " z"], [" x", "y"], [UNORDERED, *EITHER], "tolerated", [], id="one of two patterns for each pair"),
        pytest.param(["x", " z"], [" x", "y"], [UNORDERED, STRIP, *EITHER], "tolerated", [], id="and one more rule"),
        pytest.param(["x", " z"] * 50, [" x", "y"] * 50, [UNORDERED, *EITHER], "tolerated", [], id="a hundred of them"),
        pytest.param(
            ["x", " z"] * 50, [" x", "y"] * 50, [UNORDERED, STRIP, *EITHER], "tolerated", [], id="and one more rule for these"
        ),
        pytest.param({"a": {"v": 1}}, {"a": {"v": 1.0}}, [rule("$.a", "ignore")], "match", [], id="the ignore is not needed"),
        pytest.param({"a": {"v": 1}}, {"a": {"v": 1.0}}, [rule("$.a", "type_only")], "match", [], id="type_only is not needed"),
        pytest.param(
            {"c": 0},
            {"c": 0.0},
            [rule("$", "type_only"), rule("$.z", "exact")],
            "match",
            [],
            id="an exact elsewhere says nothing",
        ),
        pytest.param(b"[1e2]", b"[100.0]", [rule("$[0]", "exact")], "match", [], id="one fraction in two spellings"),
        pytest.param(
            b"[1e2,99999999999999999999]",
            b"[100.0,99999999999999999999]",
            [rule("$[0]", "exact")],
            "match",
            [],
            id="beside a big one",
        ),
        pytest.param(b'[1e0,"x",1e400]', b'[1e400,1,"x"]', [], "mismatch", ["$"], id="another order beside a huge number"),
        pytest.param({"a": [5, 6]}, {"a": [5, 5]}, [CORRELATED], "mismatch", ["$.a[*]"], id="one id stands for two"),
        pytest.param(
            {"a": [0, 0, 1]}, {"a": [1, 0, 0]}, [CORRELATED], "mismatch", ["$.a[*]"], id="two change places, one stays"
        ),
        pytest.param({"a": [1, 2]}, {"a": [2, 3]}, [CORRELATED], "tolerated", [], id="ids move on by one"),
        pytest.param(
            {"a": [1, 2]},
            {"a": [2, 3]},
            [CORRELATED, rule("$.a[1]", "type_only")],
            "tolerated",
            [],
            id="what another rule explains",
        ),
        pytest.param(
            {"a": [0, 0]},
            {"a": [12, 0]},
            [CORRELATED, rule("$.a", "type_only", types=["object"])],
            "mismatch",
            ["$.a[*]"],
            id="a powerless rule hides no equal id",
        ),
        pytest.param(
            {"a": [1, 2]},
            {"a": [2, 1]},
            [rule("$.a", "ignore"), rule("$.a[*]", "exact")],
            "mismatch",
            ["$.a[*]"],
            id="exact elements",
        ),
        pytest.param(
            {"a": [{"x": 1}]},
            {"a": []},
            [rule("$.a", "ignore"), rule("$.a[*].x", "exact")],
            "mismatch",
            ["$.a[*].x"],
            id="a lost one",
        ),
        pytest.param(
            {"a": {"b": 1}},
            {"a": {"b": 2}},
            [rule("$.a", "type_only"), rule("$.a.b", "exact")],
            "mismatch",
            ["$.a.b"],
            id="exact member",
        ),
        pytest.param(
            {"b": 3}, {"b": 3.0}, [rule("$", "type_only"), rule("$.b", "exact")], "mismatch", ["$.b"], id="exact number"
        ),
        pytest.param(
            b'[{"c":3.0,"id":0},{"a":1,"id":1}]',
            b'[{"c":3,"id":0},{"a":1e0,"id":1}]',
            [rule("$[*].c", "exact"), rule("$[*]", "type_only")],
            "mismatch",
            ["$[*].c"],
            id="nothing was moved",
        ),
        pytest.param("[1]", "[1.0]", [AS_JSON], "tolerated", [], id="a list in a string"),
        pytest.param("1", "1.0", [AS_JSON], "tolerated", [], id="a number in a string"),
        pytest.param("[1e5]", "[1e5 ]", [AS_JSON], "tolerated", [], id="an exponent in a string"),
    ],
)
def test_judged(
    a: Any, b: Any, rules: list[dict[str, Any]], verdict: str, paths: list[str] | None, reply: Reply, judge_pair: Judge
) -> None:
    judgement = judge_pair(reply(a), reply(b), *rules)

    assert judgement.verdict.value == verdict
    assert paths is None or judgement.paths == paths
    assert judge_pair(reply(b), reply(a), *rules).verdict.value == verdict


def test_a_hundred_numbers_in_two_spellings_are_one_list_without_order(reply: Reply, judge_pair: Judge) -> None:
    ours, theirs = (b"[1e400,%s]" % b",".join(b"%d%s" % (at, spelling) for at in order) for spelling, order in ORDERS)

    assert judge_pair(reply(ours), reply(theirs), UNORDERED).verdict.value == "tolerated"


ORDERS = ((b"", range(100)), (b"e0", range(99, -1, -1)))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 131_072, 1_000_000])
def test_brotli_bodies_of_every_size_are_decoded(size: int) -> None:
    body = b"item " * (size // 5) + b"x" * (size % 5)

    assert decode(Response(200, ((b"content-encoding", b"br"),), brotli.compress(body, quality=5)), 8 << 20) == body


def test_addresses_of_version_6_keep_their_brackets() -> None:
    assert same_resource("http://[::1]:8000/x") != same_resource("http://[::1:8000]/x")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "name", [name for name in CASES if name.startswith(("a long", "a Cache", "a Link", "a Content", "a Loc"))]
)
def test_long_headers_cost_no_minutes(name: str) -> None:
    build, size = CASES[name]

    assert judged_pair(build(size)).paths
