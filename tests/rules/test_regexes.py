"""Patterns: the `regex` action's, run by RE2 as they stand, and the I-Regexps (RFC 9485) of `match()` and `search()`."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.budget import Budget
from differ.judge import judge
from rules.iregexp import to_re2
from rules.jsonpath import PathError, locate, parse_path
from rules.load import rules_from_case
from rules.regexes import (
    MAX_PATTERN,
    MAX_PROGRAM,
    MAX_SUBJECT,
    MAX_WORK,
    PatternError,
    check_pattern,
    iregexp_matches,
    matches,
)
from traffic.message import Request, Response

EVIL = [
    "(a+)+$",
    "(a|a)*b",
    "(a|aa)+$",
    "(.*)*x",
    "(x+x+)+y",
    "(.*a){20}",
    "([ab]*a[ab]{15}|b){3}x",
    "a{0,900}a{900}",
    "(((a*)*)*)*b",
    "(a?){400}a{400}",
]
BAIT = "a" * 5_000 + "!"


def free(count: int) -> None:
    """A budget without a bound."""


def taken(pattern: str, value: str, *, whole: bool = True) -> bool:
    return iregexp_matches(pattern, value, whole=whole, written=True, spend=free)


# --- the regex action


def test_a_pattern_matches_the_whole_value_and_half_a_surrogate_pair_nothing() -> None:
    assert matches("a|ab", "ab")
    assert not matches("a", "ab")
    assert not matches(".*", "\ud800")
    assert not matches(".*", "a" * (MAX_SUBJECT + 1))


@pytest.mark.parametrize("pattern", ["(?=a)", "(a)\\1", "(", "\ud800", "a{1001}", "a" * (MAX_PATTERN + 1), "(.{1,90}){1,90}"])
def test_a_pattern_that_cannot_be_run_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        check_pattern(pattern)


def test_t10_a_value_whose_matching_could_cost_too_much_matches_nothing_unless_it_is_paid_for() -> None:
    pattern, value = ".{0,500}x*", "é" * 400 + "x" * 3_000
    budget = Budget(10**9)

    check_pattern(pattern)
    assert not matches(pattern, value)
    assert matches(pattern, value, budget.spend)
    assert budget.spent * 32 > MAX_WORK
    assert matches(pattern, "é" * 100 + "x")


def test_t10_the_greatest_pattern_is_still_asked_about_short_values() -> None:
    assert MAX_WORK // MAX_PROGRAM >= 400


@pytest.mark.parametrize("pattern", EVIL)
def test_t10_ten_evil_patterns_in_regex_actions_do_not_stop_the_differ(pattern: str) -> None:
    rules = rules_from_case({"rules": [{"id": "evil", "path": "$.rows[*].v", "action": "regex", "pattern": pattern}]})
    rows = [{"v": BAIT + str(at)} for at in range(50)]
    other = [{"v": BAIT + str(at + 1)} for at in range(50)]

    judgement = judge(Request("GET", b"/"), "GET /", _json({"rows": rows}), _json({"rows": other}), rules, date(2026, 1, 1))

    assert judgement.verdict.value == "mismatch"


@pytest.mark.parametrize("pattern", EVIL)
@pytest.mark.parametrize("test", ["match", "search"])
def test_t10_ten_evil_patterns_in_filters_are_paid_for_and_end(pattern: str, test: str) -> None:
    budget = Budget(2_000_000)

    locate(parse_path(f"$[?{test}(@, '{pattern}') && @ == 1]"), [BAIT], budget.spend)

    assert budget.spent > len(BAIT) // 32


def _json(document: Any) -> Response:
    return Response(200, ((b"Content-Type", b"application/json"),), json.dumps(document).encode())


# --- I-Regexp


@pytest.mark.parametrize(
    ("pattern", "value", "whole", "part"),
    [
        ("a.b", "a\u2028b", True, True),
        ("a.b", "a\nb", False, False),
        ("a.b", "a\rb", False, False),
        ("a.b", "a😀b", True, True),
        ("a", "bab", False, True),
        ("a|ab", "ab", True, True),
        ("", "", True, True),
        ("", "a", False, True),
        ("^ab.*", "abc", True, True),
        (".*bc$", "abcx", False, False),
        ("^b", "ab", False, False),
        ("[^a]", "\n", True, True),
        ("[-a]", "-", True, True),
        ("[a-]", "-", True, True),
        ("[--]", "-", True, True),
        ("[^-]", "-", False, False),
        ("[.$^*]", "^", True, True),
        ("[a^]", "^", True, True),
        ("\\.\\-\\[\\\\\\]", ".-[\\]", True, True),
        ("\\n\\r\\t", "\n\r\t", True, True),
        ("a{2}b{1,}c{0,1}d{02,3}", "aabbdd", True, True),
        ("(a|b)+", "abba", True, True),
        ("(a(b)?){2}", "aba", True, True),
        ("a||b", "", True, True),
        ("()", "", True, True),
        ("#&~/ ", "#&~/ ", True, True),
        ("\x00", "\x00", True, True),
        ("日本{2}", "日本本", True, True),
    ],
)
def test_an_iregexp_means_what_rfc_9485_says(pattern: str, value: str, whole: bool, part: bool) -> None:
    assert (taken(pattern, value), taken(pattern, value, whole=False)) == (whole, part)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "*",
            "+a",
            "a**",
            "a+?",
            "a{,2}",
            "a{",
            "a}",
            "{1}",
            "a{2,1}",
            "a{1,2}{3}",
            "(",
            ")",
            "a)",
            "(a",
            "(*)",
            "|*",
            "[",
            "]",
            "[]",
        ),
        *("[^]", "[^]a]", "[z-a]", "[a-b-c]", "[a--]", "[[:alpha:]]", "[a[b]]", "(?:a)", "(?=a)", "(?i)a", "a(?#b)", "\\"),
        *(
            "\\d",
            "\\w",
            "\\s",
            "\\b",
            "\\1",
            "\\x41",
            "\\u0041",
            "\\/",
            "\\p{}",
            "\\p{X}",
            "\\p{Cs}",
            "\\p{IsGreek}",
            "\\pL",
            "\\p{^L}",
        ),
        *("[\\d]", "[\\p{Greek}]", "\ud800", "[\udc00]"),
    ],
)
def test_what_is_no_iregexp_matches_nothing(pattern: str) -> None:
    assert to_re2(pattern) is None
    assert not taken(pattern, pattern, whole=False)
    assert not taken(pattern, "a", whole=False)


CHARACTERS = "aZ0é ж一😀_-$\u0378\ue000\x07\u200d\u0301\u2028"


@pytest.mark.parametrize(
    "name", ["L", "Lu", "Ll", "Lo", "M", "Mn", "N", "Nd", "P", "Pc", "Pd", "S", "Sc", "So", "Z", "Zs", "Zl", "C"]
)
def test_a_category_takes_the_characters_of_unicode(name: str) -> None:
    expected = [unicodedata.category(character).startswith(name) for character in CHARACTERS]

    for pattern in (f"\\p{{{name}}}", f"[\\p{{{name}}}]", f"[^\\P{{{name}}}]"):
        assert [taken(pattern, character) for character in CHARACTERS] == expected
    for pattern in (f"\\P{{{name}}}", f"[\\P{{{name}}}]", f"[^\\p{{{name}}}]"):
        assert [not taken(pattern, character) for character in CHARACTERS] == expected


@pytest.mark.parametrize("name", ["Cc", "Cf", "Cn", "Co"])
def test_what_is_no_character_has_its_categories_too(name: str) -> None:
    expected = [unicodedata.category(character) == name for character in CHARACTERS]

    assert [taken(f"[\\p{{{name}}}]", character) for character in CHARACTERS] == expected
    assert [not taken(f"\\P{{{name}}}", character) for character in CHARACTERS] == expected


@pytest.mark.parametrize("pattern", ["a{1001}", "(.{1,90}){1,90}"])
def test_a_literal_pattern_too_large_to_be_run_is_refused_when_the_path_is_read(pattern: str) -> None:
    with pytest.raises(PathError):
        parse_path(f"$[?match(@, '{pattern}')]")


Ends = Callable[[str, int], frozenset[int]]
Spelled = tuple[str, Ends]
"""An I-Regexp and what it takes: the places where a match that starts at one can end."""
_SPECIAL = set(".\\()*+?[]{|}-^")


def _one(spelled: str, takes: Callable[[str], bool]) -> Spelled:
    return spelled, lambda text, at: frozenset({at + 1} if at < len(text) and takes(text[at]) else ())


def _escaped(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character


def _class(members: list[str], negated: bool) -> Spelled:
    spelled = "".join(map(_escaped, members))
    return _one(f"[{'^' if negated else ''}{spelled}]", lambda character: (character in members) is not negated)


def _joined(parts: list[Spelled]) -> Spelled:
    def ends(text: str, at: int) -> frozenset[int]:
        found = frozenset({at})
        for _, part in parts:
            found = frozenset(end for start in found for end in part(text, start))
        return found

    return "".join(spelled for spelled, _ in parts), ends


def _either(parts: list[Spelled]) -> Spelled:
    spelled = "|".join(spelled for spelled, _ in parts)
    return f"({spelled})", lambda text, at: frozenset(end for _, part in parts for end in part(text, at))


def _counted(part: Spelled, least: int, more: int | None) -> Spelled:
    def ends(text: str, at: int) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        here = frozenset({at})
        for times in range(least + (len(text) + 1 if more is None else more) + 1):
            found |= here if times >= least else frozenset()
            here = frozenset(end for start in here for end in part[1](text, start))
        return found

    count = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(
        (least, more), f"{{{least},{'' if more is None else least + more}}}"
    )
    return f"({part[0]}){count}", ends


ATOMS = st.one_of(
    st.sampled_from("ab.-^\n").map(lambda character: _one(_escaped(character), lambda one: one == character)),
    st.just(_one(".", lambda one: one not in "\r\n")),
    st.builds(_class, st.lists(st.sampled_from("ab.-^]\n"), min_size=1, max_size=3), st.booleans()),
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_joined),
        st.lists(inner, min_size=1, max_size=3).map(_either),
        st.builds(_counted, inner, st.integers(0, 2), st.none() | st.integers(0, 2)),
    ),
    max_leaves=6,
)


@given(pattern=PATTERNS, value=st.text("ab.-^]\n", max_size=5))
@settings(max_examples=300, deadline=None)
def test_an_iregexp_takes_what_its_parts_take(pattern: Spelled, value: str) -> None:
    spelled, ends = pattern

    assert taken(spelled, value) is (len(value) in ends(value, 0))
    assert taken(spelled, value, whole=False) is any(ends(value, at) for at in range(len(value) + 1))
