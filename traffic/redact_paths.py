"""JSON paths of `[redact] json` as one automaton over places: what it costs to ask it does not depend on how paths are built.

An index, a slice and a filter count as `[*]`, because a difference is kept without what stands beside it: rather too much is
redacted than too little. Everything else is exactly RFC 9535.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import jsonpath_rfc9535

INDEX: Final = 0
"""The step into an element of a list, whichever."""
_MOST_MOVES = 20_000
_SPACE = r"[ \t\r\n]*+"
_SHORT = re.compile(rf"{_SPACE}(\.\.?){_SPACE}(?:(\*)|([^\W\d][\w]*))?")
_OPEN = re.compile(rf"{_SPACE}\[")
_SELECTOR = re.compile(
    rf"{_SPACE}(?:(?P<quoted>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<star>\*)|(?P<index>[-\d:][-\d: \t\r\n]*)|(?P<filter>\?))"
)
_NEXT = re.compile(rf"{_SPACE}([,\]])")
_IN_FILTER = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[\[\](),]|[^'\"\[\](),]+")


class RedactionError(ValueError):
    """A JSON path of `[redact] json` that is no RFC 9535 path."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One segment: the names it selects, whether it selects any name or any element, and whether from all descendants."""

    names: frozenset[str]
    any_name: bool
    any_element: bool
    descendant: bool


def read_path(text: str) -> tuple[PathStep, ...]:
    """The steps of a path. Raises RedactionError with what is wrong."""
    try:
        jsonpath_rfc9535.compile(text)
    except Exception as error:
        raise RedactionError(f"{text!r} is no RFC 9535 path: {str(error).partition(chr(10))[0]}") from error
    steps, at = [], 1
    while text[at:].strip():
        short = _SHORT.match(text, at)
        descendant = short is not None and short[1] == ".."
        at = short.end() if short is not None else at
        if short is not None and (short[2] or short[3]):
            steps.append(
                PathStep(frozenset((short[3],)) if short[3] else frozenset(), bool(short[2]), bool(short[2]), descendant)
            )
            continue
        opened = _OPEN.match(text, at)
        if opened is None:
            raise RedactionError(f"{text!r} cannot be read from character {at + 1}; write names as ['name']")
        step, at = _bracketed(text, opened.end(), descendant)
        steps.append(step)
    return tuple(steps)


def _bracketed(text: str, at: int, descendant: bool) -> tuple[PathStep, int]:
    names: set[str] = set()
    any_name = any_element = False
    while True:
        selector = _SELECTOR.match(text, at)
        if selector is None:
            raise RedactionError(f"{text!r} cannot be read from character {at + 1}")
        at = selector.end()
        if selector["quoted"]:
            names.add(_unquoted(selector["quoted"]))
        elif selector["filter"]:
            at, any_name, any_element = _filter_end(text, at), True, True
        else:
            any_name, any_element = any_name or bool(selector["star"]), True
        ended = _NEXT.match(text, at)
        if ended is None:
            raise RedactionError(f"{text!r} cannot be read from character {at + 1}")
        at = ended.end()
        if ended[1] == "]":
            return PathStep(frozenset(names), any_name, any_element, descendant), at


def _filter_end(text: str, at: int) -> int:
    """Where a filter ends: before a comma or bracket that is not inside of it."""
    depth = 0
    for piece in _IN_FILTER.finditer(text, at):
        if piece[0] in ("[", "("):
            depth += 1
        elif piece[0] in (",", "]") and depth == 0:
            return piece.start()
        elif piece[0] in ("]", ")"):
            depth -= 1
    return len(text)


def _unquoted(quoted: str) -> str:
    inner = quoted[1:-1]
    if quoted[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"') if "\\" in inner or '"' in inner else inner
    return str(json.loads(f'"{inner}"', strict=False))


State = frozenset[tuple[int, int]]
"""Which paths have matched how many of their steps."""


class SecretPaths:
    """`start` is the document itself; `move` goes one step down and says whether a path selects what is there."""

    def __init__(self, paths: Iterable[tuple[PathStep, ...]]) -> None:
        self._paths = [path for path in paths if path]
        self.start: State = frozenset((number, 0) for number in range(len(self._paths)))
        self._moves: dict[tuple[State, str | int], tuple[State, bool]] = {}

    def move(self, state: State, key: str | int) -> tuple[State, bool]:
        """The state below `state`, at a member of this name or at an element (INDEX)."""
        known = self._moves.get((state, key))
        if known is not None:
            return known
        after: set[tuple[int, int]] = set()
        hit = False
        for path, at in state:
            step = self._paths[path][at]
            if step.descendant:
                after.add((path, at))
            if step.any_element if isinstance(key, int) else step.any_name or key in step.names:
                hit = hit or at + 1 == len(self._paths[path])
                if at + 1 < len(self._paths[path]):
                    after.add((path, at + 1))
        if len(self._moves) >= _MOST_MOVES:
            self._moves.clear()
        made = self._moves[(state, key)] = (frozenset(after), hit)
        return made
