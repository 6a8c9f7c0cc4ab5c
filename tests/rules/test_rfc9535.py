"""T11: the example tables of RFC 9535, by every way that this project has of asking where a path points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path as File
from typing import Any

import jsonpath_rfc9535
import pytest

from differ.cases import judge_case
from rules.automaton import Automaton, State
from rules.jsonpath import Location, locate, parse_path

TABLES = json.loads((File(__file__).parent / "data" / "rfc9535.json").read_text())
ROWS = [
    pytest.param(table["document"], query, paths, id=f"{table['section']} {query}")
    for table in TABLES
    for query, paths in table["rows"]
]
STATIC = [row for row in ROWS if not parse_path(row.values[1]).dynamic]
BROAD = ["$", "$.*", "$..*"]
"""What a case may not ignore either; a rule file may not in any other spelling."""
NARROW = [row for row in ROWS if row.values[1] not in BROAD]
_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "'": "\\'", "\\": "\\\\"}


def free(count: int) -> None:
    """A budget without a bound."""


def normalized(location: Location) -> str:
    """The Normalized Path of RFC 9535 2.7."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f"['{''.join(map(_normal, key))}']" for key in location)


def _normal(character: str) -> str:
    return _ESCAPES.get(character, f"\\u{ord(character):04x}" if character < " " else character)


def places(document: Any, location: Location = ()) -> Iterator[Location]:
    """Every place in a document."""
    yield location
    for key, item in members(document):
        yield from places(item, (*location, key))


def members(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())


def walked(state: State, document: Any, location: Location = ()) -> Iterator[Location]:
    """The places that the automaton accepts."""
    if state.accepted:
        yield location
    for key, item in members(document):
        yield from walked(state.step(key), item, (*location, key))


def altered(document: Any, place: Location) -> Any:
    """The document with another text at one leaf; the same where `place` is no leaf."""
    if not place:
        return document if isinstance(document, dict | list) else "altered"
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[place[0]] = altered(document[place[0]], place[1:])
    return copy


@pytest.mark.parametrize(("document", "query", "paths"), ROWS)
def test_t11_a_query_of_the_rfc_selects_what_its_table_says(document: Any, query: str, paths: list[str]) -> None:
    assert list(map(normalized, locate(parse_path(query), document, free))) == paths


@pytest.mark.parametrize(("document", "query", "paths"), STATIC)
def test_t11_the_automaton_accepts_what_the_table_says(document: Any, query: str, paths: list[str]) -> None:
    assert set(map(normalized, walked(Automaton([parse_path(query)]).start, document))) == set(paths)


@pytest.mark.parametrize(("document", "query", "paths"), ROWS)
def test_a_normalized_path_of_the_tables_points_to_its_place_alone(document: Any, query: str, paths: list[str]) -> None:
    assert [list(map(normalized, locate(parse_path(path), document, free))) for path in paths] == [[path] for path in paths]


@pytest.mark.parametrize(("document", "query", "paths"), ROWS)
def test_the_independent_library_agrees_with_the_tables(document: Any, query: str, paths: list[str]) -> None:
    assert [normalized(tuple(node.location)) for node in jsonpath_rfc9535.find(query, document)] == paths


@pytest.mark.parametrize(("document", "query", "paths"), NARROW)
def test_a_rule_on_a_query_of_the_rfc_tolerates_the_selected_places_alone(document: Any, query: str, paths: list[str]) -> None:
    here = set(locate(parse_path(query), document, free))
    for place in places(document):
        changed = altered(document, place)
        if changed == document:
            continue
        both = here & set(locate(parse_path(query), changed, free))  # a filter that asks for the value may let go of it
        hidden = any(place[: len(one)] == one for one in both)

        assert judged(document, changed, query)["verdict"] == ("tolerated" if hidden else "mismatch"), place


@pytest.mark.parametrize("query", BROAD)
def test_a_rule_that_hides_everything_is_refused_however_valid_its_query(query: str) -> None:
    assert judged({"a": 1}, {"a": 2}, query)["verdict"] == "error"


def judged(primary: Any, candidate: Any, path: str) -> dict[str, Any]:
    """The verdict of a case with one `ignore` rule."""
    sides = {
        side: {"status": 200, "headers": [["Content-Type", "application/json"]], "body": json.dumps(document)}
        for side, document in (("primary", primary), ("candidate", candidate))
    }
    request = {"method": "GET", "path": "/"}
    return judge_case(
        {"name": path, "request": request, **sides, "rules": [{"path": path, "action": "ignore"}]}, date(2026, 1, 1)
    )
