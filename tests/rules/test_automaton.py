"""The automaton selects exactly what RFC 9535 selects, whichever library version parses."""

from __future__ import annotations

from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.automaton import Automaton, State, may_lie_under
from rules.jsonpath import PathError, parse_path

PATHS = ["$", "$.a", "$.*", "$..a", "$..*", "$.a[0]", "$.a[*].b", "$['a','b']", "$..a..b", "$[0,1].a", "$..[0]", "$.a..*"]
DOCUMENTS = st.recursive(
    st.integers(0, 1),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
)


def selected(state: State, value: Any, location: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {location} if state.accepted else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found |= selected(state.step(key), item, (*location, key))
    return found


@settings(max_examples=100, deadline=None)
@given(document=DOCUMENTS, text=st.sampled_from(PATHS))
def test_static_paths_select_what_the_library_selects(document: Any, text: str) -> None:
    expected = {tuple(node.location) for node in jsonpath_rfc9535.find(text, document)}

    assert selected(Automaton([parse_path(text)]).start, document) == expected


@pytest.mark.parametrize("text", ["", "a", "$.", "$[", "$.a.", "$[01]", "$[?@.a==]", "$..", "$ .a ", "$[?match(@.a, '(a+)+')]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


@pytest.mark.parametrize("text", ["$[-1]", "$[1:]", "$[?@.a]"])
def test_paths_that_need_the_document_are_dynamic(text: str) -> None:
    assert parse_path(text).dynamic


def test_hostile_keys_do_not_make_it_grow() -> None:
    automaton = Automaton([parse_path("$..a.b")])
    for at in range(1_000):
        automaton.start.step(f"key{at}").step(at)

    assert len(automaton._states) < 10


@pytest.mark.parametrize(
    ("upper", "lower", "under"),
    [
        ("$.r", "$.r[*].p", True),
        ("$.r", "$.r", False),
        ("$.r", "$..p", True),
        ("$..x", "$.a.x[0]", True),
        ("$.r", "$.s[*].p", False),
    ],
)
def test_whether_one_path_lies_under_another(upper: str, lower: str, under: bool) -> None:
    assert may_lie_under(parse_path(upper), parse_path(lower)) is under
