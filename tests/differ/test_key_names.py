"""Names that are data, found over many answers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ import key_names
from differ.atoms import MAX_CHILDREN
from differ.key_names import KeyNames, RouteKeyNames, generalised, steps_of
from differ.paths import general


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$", []),
        ("$.a.b", [".a", ".b"]),
        ("$[*].a", ["[*]", ".a"]),
        ('$["a.b"]["c]\\"d"].e', ['["a.b"]', '["c]\\"d"]', ".e"]),
        ("$.*.x", [".*", ".x"]),
        ("html:body/h1", []),
        ("x-total", []),
        ("$.a[3]", []),
    ],
)
def test_steps_of_a_generalised_path(path: str, steps: list[str]) -> None:
    assert steps_of(path) == steps


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 9), st.text(max_size=6)), min_size=1, max_size=5))
def test_every_generalised_path_falls_into_its_steps(location: list[str | int]) -> None:
    path = general(location)
    assert "$" + "".join(steps_of(path)) == path
    assert len(steps_of(path)) == len(location)


def test_a_node_with_too_many_differing_names_holds_data() -> None:
    names = KeyNames()
    paths = {names.learn(f"$.prices.item{number}.eur") for number in range(MAX_CHILDREN + 20)}
    assert len(paths) == MAX_CHILDREN + 1
    assert names.learn("$.prices.new.eur") == names.learn("$.prices.item1.eur") == "$.prices.*.eur"
    assert names.learn("$.other.new") == "$.other.new"
    assert names.turned == ["$.prices"]


def test_few_names_stay_names_however_often_they_differ() -> None:
    names = KeyNames()
    for _ in range(1_000):
        for number in range(MAX_CHILDREN):
            assert names.learn(f"$.f{number}") == f"$.f{number}"
    assert names.data == set()


def test_nodes_below_a_node_that_turns_are_counted_together() -> None:
    names = KeyNames()
    for outer in range(MAX_CHILDREN + 1):
        names.learn(f"$.m.k{outer}.a{outer}")
    assert names.data == {"$.m", "$.m.*"}
    assert names.learn("$.m.x.y.z") == "$.m.*.*.z"


def test_what_was_data_below_a_node_that_turns_stays_data() -> None:
    names = KeyNames()
    for inner in range(MAX_CHILDREN + 1):
        names.learn(f"$.m.first.i{inner}")
    assert names.data == {"$.m.first"}
    for outer in range(MAX_CHILDREN + 1):
        names.learn(f"$.m.k{outer}")
    assert names.data == {"$.m", "$.m.*"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(2, 5))
def test_which_nodes_hold_data_does_not_depend_on_the_order(seed: int, wide: int, deep: int) -> None:
    rng = random.Random(seed)
    paths = ["$" + "".join(f".k{rng.randrange(wide**2 * 4)}" for _ in range(rng.randrange(1, deep + 1))) for _ in range(400)]
    one, other = KeyNames(), KeyNames()
    for path in paths:
        one.learn(path)
    rng.shuffle(paths)
    for path in paths:
        other.learn(path)
    assert one.data == other.data
    assert {generalised(path, one.data) for path in paths} == {other.learn(path) for path in paths}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["$", "$.a", "$.a.*", "$.*", "$.a.b", "$[*]"]), max_size=4), st.sampled_from(["$.a.b.c", "$[*].x"])
)
def test_generalising_twice_changes_nothing(data: list[str], path: str) -> None:
    once = generalised(path, data)
    assert generalised(once, data) == once


def test_hostile_names_cannot_make_more_paths_than_there_are_children_allowed() -> None:
    """Random names at every depth: the memory and the number of paths are bounded."""
    rng = random.Random(1)
    names = KeyNames()
    paths = {names.learn("$" + "".join(f".x{rng.randrange(10**9)}" for _ in range(rng.randrange(1, 6)))) for _ in range(20_000)}
    assert len(paths) < 6 * (MAX_CHILDREN + 2)
    assert sum(map(len, names._names.values())) <= 6 * MAX_CHILDREN


def test_the_number_of_nodes_told_apart_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_names, "MAX_NODES", 5)
    names = KeyNames()
    for outer in range(20):
        names.learn(f"$.k{outer}.a.b")
    assert len(names._names) <= 5
    assert names.learn("$.k19.a.b") == "$.k19.*.*"


def test_routes_are_apart_and_what_turned_is_told_once() -> None:
    routes = RouteKeyNames()
    for number in range(MAX_CHILDREN + 1):
        routes.learn("GET /a", f"$.k{number}")
        routes.learn("GET /b", f"$.k{number % 3}")
    assert routes.take_turned() == [("GET /a", "$")]
    assert routes.take_turned() == []
    assert routes.learn("GET /b", "$.k1") == "$.k1"


def test_what_another_process_found_holds_here_and_is_not_told_again() -> None:
    routes = RouteKeyNames()
    routes.seed([("GET /a", "$.m")])
    assert routes.learn("GET /a", "$.m.first") == "$.m.*"
    assert routes.take_turned() == []


def test_places_outside_json_bodies_stay_as_they_are() -> None:
    names = KeyNames()
    for number in range(100):
        assert names.learn(f"html:body/p{number}") == f"html:body/p{number}"
    assert names.learn("$") == "$"
