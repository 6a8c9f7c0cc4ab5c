"""What we rely on in `re`, on every interpreter that we support."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]  # private: nothing public tells what a pattern is made of
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["cli", "differ", "export", "gate", "proxy", "rules", "settings", "shadow", "store", "traffic"]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if "re.compile" in path.read_text(encoding="utf-8") and "generated" not in path.parts
]


def possessive_groups(pattern: str | bytes, flags: int = 0) -> list[str]:
    """The possessive repetitions of more than one character of a class."""

    def within(part: Any) -> Iterator[str]:
        if isinstance(part, _parser.SubPattern) or (isinstance(part, list) and part):
            for step in part:
                yield from within(step)
        elif isinstance(part, tuple):
            if part and part[0] is _constants.POSSESSIVE_REPEAT:
                body = part[1][2]
                if len(body) != 1 or body[0][0] not in (
                    _constants.IN,
                    _constants.LITERAL,
                    _constants.NOT_LITERAL,
                    _constants.ANY,
                ):
                    yield repr(body)
            for step in part:
                yield from within(step)

    return list(within(_parser.parse(pattern, flags)))


def held(value: object) -> list[re.Pattern[Any]]:
    """A pattern, or those of a table of patterns."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else [value]
    return [one for one in values if isinstance(one, re.Pattern)]


@pytest.mark.parametrize("name", MODULES)
def test_no_group_is_possessive(name: str) -> None:
    """Up to Python 3.11.4 `(?:a|%(?!3)..)++` reads on after an alternative that was tried in vain (gh-106052): a secret was missed so."""
    patterns = [one for value in vars(importlib.import_module(name)).values() for one in held(value)]
    flags = re.VERBOSE | re.DOTALL | re.ASCII
    assert [bad for one in patterns for bad in possessive_groups(one.pattern, one.flags & flags)] == []


@pytest.mark.parametrize(
    ("pattern", "found"), [(r"(?:ab|c)++", 1), (r"x(y(?:\w-)*+)?", 1), (r"[a-z]++\d?+.*+", 0), (r"(?>(?:ab)+)", 0)]
)
def test_a_possessive_group_is_seen(pattern: str, found: int) -> None:
    assert len(possessive_groups(pattern)) == found


def test_an_atomic_group_ends_where_its_name_ends() -> None:
    name = r"(?>(?:[\w\-]|%(?!3[Dd])[0-9A-Fa-f]{2})+)"
    found = re.match(rf"({name})(?>(%3D)?)", "token%3DS3CR3T")
    assert found is not None
    assert found.groups() == ("token", "%3D")
