"""The automaton selects exactly what RFC 9535 selects, and no rule file and no document make it grow."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.automaton import MAX_REMEMBERED, Automaton, State, may_lie_under
from rules.jsonpath import locate, parse_path

Place = tuple[str | int, ...]
SEGMENTS = st.sampled_from(
    [
        ".a",
        ".b",
        "['c']",
        "..a",
        "..b",
        ".*",
        "..*",
        "[0]",
        "[1]",
        "..[0]",
        "['a','b']",
        "['a',0]",
        "['a','a']",
        "[*,'a']",
        "['0']",
    ]
)
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda segments: "$" + "".join(segments))
DYNAMIC = st.sampled_from(["[-1]", "[0:1]", "[?@.a]", "[?@]", "..[-2]", "..[?@.b]", "[::2]"])
DOCUMENTS = st.recursive(
    st.integers(0, 1),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc0"), inner, max_size=3)),
)


def free(count: int) -> None:
    """A budget without a bound."""


def members(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())


def accepted(state: State, value: Any, location: Place = ()) -> dict[Place, tuple[int, ...]]:
    """The numbers of the paths that select each place."""
    found = {location: state.accepted} if state.accepted else {}
    for key, item in members(value):
        found |= accepted(state.step(key), item, (*location, key))
    return found


def selected(text: str, document: Any) -> set[Place]:
    return set(accepted(Automaton([parse_path(text)]).start, document))


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS, text=PATHS)
def test_static_paths_select_what_the_library_selects(document: Any, text: str) -> None:
    expected = {tuple(node.location) for node in jsonpath_rfc9535.find(text, document)}

    assert selected(text, document) == expected


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS, texts=st.lists(PATHS, max_size=6))
def test_many_paths_at_once_select_what_each_selects_alone(document: Any, texts: list[str]) -> None:
    paths = [parse_path(text) for text in texts]
    expected: dict[Place, list[int]] = {}
    for number, path in enumerate(paths):
        for place in set(locate(path, document, free)):
            expected.setdefault(place, []).append(number)

    assert accepted(Automaton(paths).start, document) == {place: tuple(numbers) for place, numbers in expected.items()}


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS, text=st.tuples(PATHS, DYNAMIC, PATHS).map(lambda parts: parts[0] + parts[1] + parts[2][1:]))
def test_dynamic_paths_select_what_the_library_selects(document: Any, text: str) -> None:
    expected = [tuple(node.location) for node in jsonpath_rfc9535.find(text, document)]

    assert locate(parse_path(text), document, free) == expected


@pytest.mark.parametrize("text", ["$[-1]", "$[1:]", "$[?@.a]", "$..[?@.a].b", "$.a['b',-1]"])
def test_paths_that_need_the_document_are_dynamic(text: str) -> None:
    assert parse_path(text).dynamic


def test_the_automaton_leaves_dynamic_selectors_to_others() -> None:
    assert selected("$['a',-1,0:1,?@]", {"a": 1, "b": 2}) == {("a",)}
    assert selected("$['a',-1,0:1,?@]", [1, 2]) == set()


@pytest.mark.parametrize(
    ("text", "document", "places"),
    [
        ("$['a','b']", {"a": 1, "b": 2, "c": 3}, {("a",), ("b",)}),
        ("$['a','a']", {"a": 1}, {("a",)}),
        ("$[0]", {"0": 1}, set()),
        ("$['0']", [1], set()),
        ("$['0',0]", [[1], {"0": 2}], {(0,)}),
        ("$[9007199254740991]", [1], set()),
        ("$['9007199254740991']", {"9007199254740991": 1}, {("9007199254740991",)}),
        ("$['true']", {"true": 1}, {("true",)}),
        ("$[1]", [0, 1], {(1,)}),
        ("$['日本']", {"日本": 1}, {("日本",)}),
        ("$.日本", {"日本": 1, "日": 2}, {("日本",)}),
        ("$['\\ud83d\\ude00']", {"😀": 1}, {("😀",)}),
        ("$['\\u00e9']", {"é": 1, "e\u0301": 2}, {("é",)}),
        ("$['']", {"": 1, "a": 2}, {("",)}),
        ("$[*]", json.loads('{"\\ud800": 1}'), {("\ud800",)}),
        ("$..a", {"a": {"a": {"b": [{"a": 1}]}}}, {("a",), ("a", "a"), ("a", "a", "b", 0, "a")}),
        ("$", 0, {()}),
    ],
)
def test_a_key_is_told_by_its_type_and_its_very_characters(text: str, document: Any, places: set[Place]) -> None:
    assert selected(text, document) == places == set(locate(parse_path(text), document, free))


@pytest.mark.parametrize(
    ("broad", "narrow"),
    [
        ("$.a.*", "$.a.b"),
        ("$.a.*", "$.a[0]"),
        ("$..b", "$.a.b"),
        ("$..a..b", "$..a.b"),
        ("$.*", "$['a','b']"),
        ("$[*].a", "$[?@.a].a"),
        ("$[*].a", "$[-1].a"),
        ("$['a',*]", "$['a','b']"),
    ],
)
def test_the_narrower_path_ranks_higher(broad: str, narrow: str) -> None:
    assert parse_path(narrow).rank > parse_path(broad).rank


def test_a_filter_a_slice_and_an_index_rank_alike() -> None:
    assert parse_path("$[0]").rank == parse_path("$[-1]").rank == parse_path("$[1:]").rank == parse_path("$[?@.a]").rank


def test_hostile_keys_do_not_make_it_grow() -> None:
    automaton = Automaton([parse_path("$..a.b")])
    for at in range(1_000):
        automaton.start.step(f"key{at}").step(at)

    assert len(automaton._states) < 10


def reachable(start: State) -> set[int]:
    """The states that the memory of an automaton holds on to, by identity."""
    seen, todo = {id(start)}, [start]
    while todo:
        state = todo.pop()
        for after in (*state._known.values(), state._other_name, state._other_index):
            if after is not None and id(after) not in seen:
                seen.add(id(after))
                todo.append(after)
    return seen


@pytest.mark.parametrize("text", ["$..a" + ".*" * 40, "$..*..a" + ".*" * 200, "$" + "..a.*" * 60, "$..['a','b']" + "[*]" * 150])
def test_t10_paths_with_exponentially_many_states_are_bounded_in_memory_and_stay_right(
    text: str,
) -> None:
    paths = [parse_path(text), parse_path("$..b" + ".*" * 30), parse_path("$..a.b")]
    automaton = Automaton(paths, remember=500)
    keys = random.Random(7)
    for _ in range(40):
        chain = [keys.choice(["a", "b", "c", 0]) for _ in range(240)]
        document: Any = 0
        for key in reversed(chain):
            document = {key: document} if isinstance(key, str) else [document]
        state = automaton.start
        hits = []
        for depth, key in enumerate(chain, 1):
            state = state.step(key)
            hits += [(number, depth) for number in state.accepted]
        expected = {(number, len(place)) for number in (1, 2) for place in locate(paths[number], document, free)}
        assert {hit for hit in hits if hit[0]} == expected

    assert len(automaton._states) <= 501
    assert len(reachable(automaton.start)) <= 1_002


def test_t10_what_is_remembered_shrinks_as_the_paths_grow() -> None:
    paths = [parse_path("$.." + ".".join(f"k{(7 * path + at) % 900}" for at in range(190))) for path in range(300)]
    automaton = Automaton(paths)
    keys = random.Random(7)
    state = automaton.start
    for _ in range(20_000):
        state = state.step(f"k{keys.randrange(900)}")

    size = automaton.steps.length // 8
    assert size * len(automaton._states) <= 512 * MAX_REMEMBERED
    assert len(automaton.steps._masks) <= 256


@pytest.mark.parametrize(
    ("upper", "lower", "under"),
    [
        ("$.r", "$.r[*].p", True),
        ("$.r", "$.r", False),
        ("$.r", "$..p", True),
        ("$..x", "$.a.x[0]", True),
        ("$.r", "$.s[*].p", False),
        ("$.r", "$.r.p", False),
        ("$.r", "$.r['p',0].q", True),
        ("$", "$[0]", True),
        ("$", "$.a", False),
        ("$..a", "$.b.a.c[2].d", False),
        ("$..a", "$.b.a[2].d", True),
        ("$..*", "$.a.b", False),
        ("$..*", "$.a[0]", True),
        ("$['a','b'].c", "$.b.c[0]", True),
        ("$.r[?@.a]", "$.r[0][0]", True),
        ("$.r[?@.a]", "$.r.s[0]", True),
        ("$.r[-1]", "$.r.s[0]", False),
        ("$.r[1:]", "$.r.s[0]", False),
        ("$.r[-1]", "$.r[3][0].p", True),
        ("$.r", "$.r[-1].p", True),
        ("$.r", "$.r[?@.a].p", True),
        ("$.r", "$.r[::2]", True),
        ("$.r[0]", "$.r[-1][*]", True),
        ("$.r[0]", "$.r[1][*]", False),
        ("$.r..x", "$.r[?@.a].x[0]", True),
    ],
)
def test_whether_one_path_lies_under_another(upper: str, lower: str, under: bool) -> None:
    assert may_lie_under(parse_path(upper), parse_path(lower)) is under


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS, upper=PATHS, lower=PATHS, tail=st.just("") | DYNAMIC)
def test_what_lies_under_an_element_in_some_document_may_lie_there(document: Any, upper: str, lower: str, tail: str) -> None:
    above = set(locate(parse_path(upper), document, free))
    below = locate(parse_path(lower + tail), document, free)
    seen = any(place[:end] in above and isinstance(place[end], int) for place in below for end in range(len(place)))

    assert may_lie_under(parse_path(upper), parse_path(lower + tail)) or not seen


def test_t10_asking_whether_one_path_lies_under_another_takes_one_step_for_each_segment() -> None:
    longest = parse_path("$" + "..*" * 300)
    many = parse_path("$" + "".join(f"['a{at}','b{at}']" for at in range(55)) + "..z")

    for _ in range(200):  # some thousand shifts each: a walk over pairs and keys would take minutes
        assert may_lie_under(longest, longest)
        assert may_lie_under(longest, many)
        assert not may_lie_under(many, parse_path("$" + ".a1" * 250))
