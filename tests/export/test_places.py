"""Places and body files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.body_files import exact_file, expected_file
from export.generated.parity_compare import asserted, covers, exactly, read_json
from export.places import parse_place
from export.rule_terms import patterns
from rules.jsonpath import parse_path


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("$", []),
        ("$.results[*].price", ["results", None, "price"]),
        ("$[0]", [0]),
        ("$.*.x", [None, "x"]),
        ("$[\"a']['b\"]", ["a']['b"]),
        ("$.__typename", ["__typename"]),
        ("html:input", None),
        ("$[?@.a]", None),
    ],
)
def test_a_path_of_the_differ_is_read(text: str, pattern: list[object] | None) -> None:
    assert parse_place(text) == pattern


@given(st.lists(st.text(max_size=5) | st.integers(0, 99), max_size=4))
def test_any_quoted_path_reads_back(steps: list[str | int]) -> None:
    text = "$" + "".join(f"[{json.dumps(step)}]" for step in steps)

    assert parse_place(text) == steps


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a[*].b", [["a", None, "b"]]),
        ("$..t", [[[], "t"]]),
        ("$['a','b']", [["a"], ["b"]]),
        ("$.a[?@.x].b", [["a", None, "b"]]),
    ],
)
def test_the_path_of_a_rule_becomes_places(path: str, expected: list[object]) -> None:
    assert patterns(parse_path(path)) == expected


def test_a_place_covers_what_lies_below_and_any_depth() -> None:
    assert covers(["a", None], ("a", 0, "x"))
    assert not covers(["a", 0], ("a", 1))
    assert covers([[], "t"], ("x", 3, "t", "below"))
    assert exactly([[], "t"], ("t",))
    assert not exactly([[], "t"], ("t", "below"))


def test_a_mismatch_is_asserted_where_it_is_at_least_as_precise_as_the_rule() -> None:
    case = {"skip": [["r", None, "u"], ["o"]], "must": [["r", None], ["o"]]}

    assert not asserted(case, ("r", 0, "u"))
    assert asserted(case, ("r", 0, "v"))
    assert asserted(case, ("o",))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=6),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=4), x),
        max_leaves=12,
    )
)
def test_an_indented_expectation_says_the_same(document: object) -> None:
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")

    name, content = expected_file("x", "json", body)

    if name.endswith(".json"):
        assert read_json(content) == read_json(body)
        assert all(char == "\n" or char.isprintable() for char in content.decode())


def test_number_spellings_and_emptiness_are_kept() -> None:
    assert (
        expected_file("x", "json", b'{"a":1.10,"b":[],"c":{},"d":1e2}')[1]
        == b'{\n  "a": 1.10,\n  "b": [],\n  "c": {},\n  "d": 1e2\n}\n'
    )


def test_what_an_editor_could_change_is_base64() -> None:
    assert exact_file("x", b"plain\n")[0] == "x.txt"
    assert exact_file("x", b"a\r\n")[0] == "x.b64"
    assert exact_file("x", "\u202e".encode())[0] == "x.b64"
    assert exact_file("x", b"\xff")[0] == "x.b64"
