"""Redaction of JSON text in place: secrets are exchanged, every other byte stays: spelling of numbers, spaces, order, names that
stand twice. One pass over the tokens; what it costs follows the length of the text and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from traffic.redact_paths import INDEX, SecretPaths, State
from traffic.redact_shape import is_token
from traffic.redact_text import TextRedaction
from traffic.secret_names import Grade, SecretNames, covers

MOST_DEPTH = 2_000
_TOKEN = re.compile(
    r'[ \t\n\r,:]*+(?:"((?>(?:[^"\\]++|\\.)*))"(?>([ \t\n\r]*+:)?)|([\[{])|([\]}])'
    r"|(-?[0-9][0-9.eE+-]*+|-?Infinity|NaN|true|false|null))[ \t\n\r,]*+",
    re.DOTALL,
)
_LITERALS = frozenset({"true", "false", "null"})


class Unreadable(ValueError):
    """The text is no JSON, or deeper than MOST_DEPTH."""


class JsonRedaction:
    """Knows what is secret in JSON by names, by paths, and by what values look like."""

    def __init__(self, names: SecretNames, paths: SecretPaths, text: TextRedaction) -> None:
        self._names, self._paths, self._text = names, paths, text

    def place(self, steps: Sequence[str | int]) -> tuple[Grade, Grade, State]:
        """At a place: the grade of a value there, the grade that members below inherit, and where the paths stand."""
        grade, inherited, state = Grade.NONE, Grade.NONE, self._paths.start
        for step in steps:
            state, hit = self._paths.move(state, INDEX if isinstance(step, int) else step)
            grade = inherited if isinstance(step, int) else max(inherited, self._names.grade(step))
            if hit or grade is Grade.ALL:
                return Grade.ALL, Grade.ALL, state
            inherited = grade if grade >= Grade.TEXT else Grade.NONE
        return grade, inherited, state

    def redacted(self, text: str, steps: Sequence[str | int] = (), *, cut: bool = False) -> str:
        """The text with its secrets exchanged, taken to stand at `steps` of a document. Raises Unreadable.

        `cut`: the text may be the beginning of a document; a piece at its end that is no whole token is left out.
        """
        grade, inherited, state = self.place(steps)
        parts: list[str] = []
        written = 0
        # One entry for each open container: the grade its members inherit, the state, and whether it is an object.
        stack: list[tuple[Grade, State, bool]] = []
        in_object = False
        hit = False
        inherits = inherited
        names, move, text_grade = self._names.grade, self._paths.move, Grade.TEXT
        walks = bool(self._paths.start)
        at, end = 0, len(text)
        match = _TOKEN.match
        hints = [
            *self._text.hints(text),
            end + 1,
            end + 1,
        ]  # where anything may be that needs a closer look: most strings hold none
        coming = 0
        if len(hints) == 2 and not (walks or grade or inherits):
            return text
        here, below = state, state  # of the container, and of the value that comes next
        while at < end:
            found = match(text, at)
            if found is None:
                if not cut and text[at:].strip():
                    raise Unreadable("no JSON")
                break
            at = found.end()
            string, colon, opened, closed, scalar = found.groups()
            if string is not None:
                begins, ends = found.span(1)
                while hints[coming] < begins:
                    coming += 1
                hinted = hints[coming] < ends or "\\" in string
                if colon is not None:
                    name = _plain(string) if "\\" in string else string
                    grade = names(name)
                    if grade < inherits:
                        grade = inherits
                    if walks:
                        below, hit = move(here, name)
                    if hinted:  # names may be data: `{"ann@shop.example": 1}`
                        made_name = self._text.values(name)
                        if made_name != name:
                            parts += [text[written:begins], _spelt(made_name)]
                            written = ends
                    continue
                if hit or grade:
                    made = self._secret(string, Grade.ALL if hit else grade, hinted)
                else:
                    made = None
                    if hinted:
                        plain_at = "\\" not in string and text[hints[coming]] == "@" and hints[coming + 1] >= ends
                        made = self._address(string) if plain_at else self._ordinary(string)
                if made is not None:
                    parts += [text[written : found.start(1)], made]
                    written = found.end(1)
            elif opened is not None:
                if hit or grade is Grade.ALL:
                    closing = _container_end(text, found.start(3), cut)
                    made = json.dumps(self._text.token(_canonical(text[found.start(3) : closing])), ensure_ascii=False)
                    parts += [text[written : found.start(3)], made]
                    written = at = closing
                else:
                    if len(stack) >= MOST_DEPTH:
                        raise Unreadable("too deep")
                    stack.append((inherits, here, in_object))
                    in_object = opened == "{"
                    inherits = grade if grade >= text_grade else Grade.NONE
                    here = below
                    if not in_object:
                        grade = inherits
                        if walks:
                            below, hit = move(here, INDEX)
                    continue
            elif closed is not None:
                if not stack:
                    raise Unreadable("more is closed than was opened")
                inherits, here, in_object = stack.pop()
            elif scalar is not None:
                made = self._scalar(scalar, Grade.ALL if hit else grade)
                if made is not None:
                    parts += [text[written : found.start(5)], made]
                    written = found.end(5)
            # What comes next in a list stands at the same place as what was before; in an object a name comes first.
            if in_object:
                grade, hit = inherits, False
            else:
                grade = inherits
                if walks and stack:
                    below, hit = move(here, INDEX)
        return "".join([*parts, text[written:at]]) if parts or at < end else text

    def _secret(self, string: str, grade: Grade, hinted: bool) -> str | None:
        value = _plain(string) if "\\" in string else string
        if not covers(grade, value):
            return self._ordinary(string) if hinted else None
        return None if is_token(value) else _spelt(self._text.token(value))

    def _address(self, string: str) -> str | None:
        made = self._text.address(string)
        return None if made == string else _spelt(made)

    def _ordinary(self, string: str) -> str | None:
        value = _plain(string) if "\\" in string else string
        made = self._text.loose(value, strict=True)
        return None if made == value else _spelt(made)

    def _scalar(self, spelt: str, grade: Grade) -> str | None:
        if grade is Grade.NONE or spelt in _LITERALS:
            if grade is Grade.ALL and spelt != "null":
                return f'"{self._text.token(spelt)}"'
            return self._text.number(spelt) if len(spelt) > 12 else None
        if not covers(grade, 0.5):
            return self._text.number(spelt) if len(spelt) > 12 else None
        if is_token(spelt):
            return None
        made = self._text.token(spelt)
        return made if made.isdigit() else f'"{made}"'


def _plain(string: str) -> str:
    """What a JSON string says."""
    try:
        return str(json.loads(f'"{string}"', strict=False))
    except ValueError as error:
        raise Unreadable("no JSON string") from error


def _spelt(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _canonical(text: str) -> str:
    """Equal documents have equal texts, whatever spaces and order they came with."""
    try:
        document: Any = json.loads(text)
        return json.dumps(document, sort_keys=True)
    except (ValueError, RecursionError):
        return text


def _container_end(text: str, at: int, cut: bool) -> int:
    depth = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            if cut:
                return len(text)
            raise Unreadable("a container without its end")
        at = found.end()
        if found[3] is not None:
            depth += 1
        elif found[4] is not None:
            depth -= 1
            if depth == 0:
                return found.end(4)
