"""T11: a path outside RFC 9535 is refused at load, and none inside it: the parser against the RFC's ABNF, written anew here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path as File

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from differ.cases import judge_case
from rules.grammar import MAX_NESTING, read_steps
from rules.jsonpath import MAX_PATH, PathError, parse_path
from rules.tokens import GrammarError, Misuse

Ends = frozenset[int]
Part = Callable[["Reading", int], Ends]


class Reading:
    """One text being recognised: every rule gives the set of places where it can end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.known: dict[tuple[str, int], Ends] = {}

    def rule(self, name: str, at: int) -> Ends:
        if (name, at) not in self.known:
            self.known[name, at] = frozenset()
            self.known[name, at] = ABNF[name](self, at)
        return self.known[name, at]


def part(spelled: str | Part) -> Part:
    """A part of a rule: `<name>` is a rule, `/x/` one character of a class, anything else itself."""
    if not isinstance(spelled, str):
        return spelled
    if re.fullmatch("<[a-zS]+>", spelled):
        return lambda reading, at: reading.rule(spelled[1:-1], at)
    if re.fullmatch("/.+/", spelled, re.S):
        pattern = re.compile(f"[{spelled[1:-1]}]")
        return lambda reading, at: frozenset({at + 1} if pattern.match(reading.text, at) else ())
    return lambda reading, at: frozenset({at + len(spelled)} if reading.text.startswith(spelled, at) else ())


def row(*parts: str | Part) -> Part:
    def ends(reading: Reading, at: int) -> Ends:
        found = frozenset({at})
        for one in map(part, parts):
            found = frozenset(end for start in found for end in one(reading, start))
        return found

    return ends


def any_of(*parts: str | Part) -> Part:
    return lambda reading, at: frozenset(end for one in map(part, parts) for end in one(reading, at))


def many(*parts: str | Part, least: int = 0) -> Part:
    inner = row(*parts)

    def ends(reading: Reading, at: int) -> Ends:
        found: frozenset[int] = frozenset() if least else frozenset({at})
        new = {at}
        while new:
            new = {end for start in new for end in inner(reading, start)} - found
            found |= new
        return found

    return ends


def maybe(*parts: str | Part) -> Part:
    return any_of(row(), row(*parts))


NAME_FIRST = "A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff"
UNESCAPED = "/ !#-&(-\\[\\]-\ud7ff\ue000-\U0010ffff/"
HEX = "/0-9A-Fa-f/"
ABNF: dict[str, Part] = {
    "path": row("$", "<segments>"),
    "segments": many("<S>", "<segment>"),
    "S": many("/ \t\n\r/"),
    "segment": any_of("<brackets>", row(".", "*"), row(".", "<name>"), row("..", any_of("<brackets>", "*", "<name>"))),
    "name": row(f"/{NAME_FIRST}/", many(f"/0-9{NAME_FIRST}/")),
    "brackets": row("[", "<S>", "<selector>", many("<S>", ",", "<S>", "<selector>"), "<S>", "]"),
    "selector": any_of("<string>", "*", "<slice>", "<int>", row("?", "<S>", "<or>")),
    "string": any_of(
        row('"', many(any_of(UNESCAPED, "'", row("\\", '"'), row("\\", "<escapable>"))), '"'),
        row("'", many(any_of(UNESCAPED, '"', row("\\", "'"), row("\\", "<escapable>"))), "'"),
    ),
    "escapable": any_of("/bfnrt/", "\\", "/", row("u", "<hexchar>")),
    "hexchar": any_of(
        row("/0-9A-CE-Fa-ce-f/", HEX, HEX, HEX),
        row("/Dd/", "/0-7/", HEX, HEX),
        row("/Dd/", "/89ABab/", HEX, HEX, "\\u", "/Dd/", "/C-Fc-f/", HEX, HEX),
    ),
    "int": any_of("0", row(maybe("-"), "/1-9/", many("/0-9/"))),
    "slice": row(maybe("<int>", "<S>"), ":", "<S>", maybe("<int>", "<S>"), maybe(":", maybe("<S>", "<int>"))),
    "or": row("<and>", many("<S>", "||", "<S>", "<and>")),
    "and": row("<basic>", many("<S>", "&&", "<S>", "<basic>")),
    "basic": any_of(
        row(maybe("!", "<S>"), "(", "<S>", "<or>", "<S>", ")"),
        row("<comparable>", "<S>", any_of("==", "!=", "<=", ">=", "/<>/"), "<S>", "<comparable>"),
        row(maybe("!", "<S>"), any_of("<query>", "<function>")),
    ),
    "query": row("/@$/", "<segments>"),
    "comparable": any_of("<literal>", "<singular>", "<function>"),
    "singular": row("/@$/", many("<S>", any_of(row("[", any_of("<string>", "<int>"), "]"), row(".", "<name>")))),
    "literal": any_of("<number>", "<string>", "true", "false", "null"),
    "number": row(
        any_of("<int>", "-0"), maybe(".", many("/0-9/", least=1)), maybe("/eE/", maybe("/+-/"), many("/0-9/", least=1))
    ),
    "function": row(
        *("/a-z/", many("/a-z_0-9/"), "(", "<S>"),
        *(maybe("<argument>", many("<S>", ",", "<S>", "<argument>")), "<S>", ")"),
    ),
    "argument": any_of("<literal>", "<query>", "<or>", "<function>"),
}


def spells_a_path(text: str) -> bool:
    return len(text) in Reading(text).rule("path", 0)


DATA = File(__file__).parent / "data"
PATHS: dict[str, list[str]] = json.loads((DATA / "paths.json").read_text())
"""Texts by what they are; two lists hold what jsonpath-rfc9535, in one version or another, gets wrong; `words` make new ones."""
TAKEN = [*PATHS["valid"], *PATHS["refused_by_the_library"]]
REFUSED = [*PATHS["invalid"], *PATHS["taken_by_the_library"]]
TABLES = [query for table in json.loads((DATA / "rfc9535.json").read_text()) for query, _ in table["rows"]]


@pytest.mark.parametrize("text", [*TAKEN, *TABLES, "$[?" + "||".join(["@.a==1"] * 60) + "]"])
def test_t11_a_path_of_the_rfc_is_taken(text: str) -> None:
    assert spells_a_path(text)
    assert parse_path(text).text == text


@pytest.mark.parametrize("text", REFUSED)
def test_t11_a_text_outside_the_grammar_is_refused(text: str) -> None:
    assert not spells_a_path(text)
    with pytest.raises(PathError, match="is no RFC 9535 path: "):
        parse_path(text)


@pytest.mark.parametrize("text", PATHS["ill_typed"])
def test_t11_a_path_that_is_not_well_typed_or_out_of_range_is_refused(text: str) -> None:
    assert spells_a_path(text) or "Length" in text
    with pytest.raises(Misuse):
        read_steps(text)


WORDS = st.sampled_from(PATHS["words"])


@st.composite
def almost_paths(draw: st.DrawFn) -> str:
    """A known text with a few words put in, taken out or replaced."""
    text = draw(st.sampled_from([*TAKEN, *REFUSED, *TABLES]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(st.just("") | WORDS) + text[end:]
    return text


@given(text=almost_paths() | st.lists(WORDS, max_size=12).map(lambda words: "$" + "".join(words)))
@settings(max_examples=400, deadline=None)
@example("$[?count(@.a,)>1]")
def test_t11_the_parser_takes_what_the_grammar_of_the_rfc_takes(text: str) -> None:
    try:
        read_steps(text)
    except Misuse:
        return
    except GrammarError:
        taken = False
    else:
        taken = True

    assert taken is spells_a_path(text)


@pytest.mark.parametrize("opening", ["(", "!(", "@[?", "count(@[?"])
def test_t10_nesting_is_bounded_when_a_path_is_read(opening: str) -> None:
    closing = {"(": ")", "!(": ")", "@[?": "]", "count(@[?": "])>0"}[opening]
    weight = opening.count("?") + opening.count("(")

    def nested(depth: int) -> str:
        return f"$[?{opening * depth}@.a{closing * depth}]"

    parse_path(nested((MAX_NESTING - 1) // weight))
    with pytest.raises(PathError, match="inside one another"):
        parse_path(nested(MAX_NESTING // weight + 1))


def test_a_path_longer_than_the_bound_is_refused() -> None:
    parse_path("$" + ".a" * ((MAX_PATH - 1) // 2))
    with pytest.raises(PathError, match="at most 1000"):
        parse_path("$" + ".a" * (MAX_PATH // 2))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$.a[", "expected a selector: a quoted name, an index, a slice, '*' or '?', got the end at character 5"),
        ("$[?@.a=1]", "equality is written '==', got '=' at character 7"),
        ("$[?!@.a==1]", "'!' stands before a test or parentheses: write !(... == ...), got '=' at character 8"),
        ("$[?cuont(@.*)>1]", "'cuont' is no function; did you mean 'count'? allowed: length, count, match, search, value"),
        ("$[?@.*==1]", "only a singular query (names and indices, no blanks within brackets) can be compared"),
    ],
)
def test_a_refused_path_says_what_is_wrong_and_where(text: str, reason: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_path(text)

    assert str(caught.value).startswith(f"{text!r} is no RFC 9535 path: {reason}")


@pytest.mark.parametrize("text", [*(text for text in REFUSED if text.strip()), *PATHS["ill_typed"]])
def test_t11_a_case_with_such_a_path_is_an_error_and_no_verdict(text: str) -> None:
    answer = {"status": 200, "headers": [], "body": "{}"}
    case = {"name": "n", "request": {"method": "GET", "path": "/"}, "primary": answer, "candidate": answer}

    verdict = judge_case({**case, "rules": [{"path": text, "action": "type_only"}]}, date(2026, 1, 1))

    assert (verdict["verdict"], "is no RFC 9535 path" in verdict["error"]) == ("error", True)
