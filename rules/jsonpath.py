"""RFC 9535 paths: grammar and dynamic queries come from jsonpath-rfc9535, touched in this file alone.

The library is 1.0.1 on Python 3.11 and 2.x on newer ones; their parsers make different trees, which end here as `Path`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonpath_rfc9535

MAX_PATH = 1_000
"""Characters of one path."""
Location = tuple[str | int, ...]


class PathError(ValueError):
    """A text that is no usable RFC 9535 path; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: every member of an object and every element of an array."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A filter, slice or negative index: what it selects depends on the document."""


Selector = str | int | Wildcard | Dynamic


@dataclass(frozen=True, slots=True)
class Step:
    """One segment: its selectors, and whether it descends (`..`)."""

    selectors: tuple[Selector, ...]
    descendant: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. Equal texts are equal paths."""

    text: str
    steps: tuple[Step, ...] = field(compare=False)

    @property
    def dynamic(self) -> bool:
        """True where the document is needed to know what the path selects."""
        return any(isinstance(selector, Dynamic) for step in self.steps for selector in step.selectors)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Specificity: named segments, indices, wildcards, and few descents. Greater is more specific."""
        named = indices = stars = descents = 0
        for step in self.steps:
            descents += step.descendant
            kinds = {type(selector) for selector in step.selectors}
            if kinds == {str}:
                named += 1
            elif kinds <= {int, Dynamic} and kinds:
                indices += 1
            else:
                stars += 1
        return (named, indices, stars, -descents)


def _environment() -> Any:
    """An environment that follows our depth limit; `match` and `search` are out: they run a backtracking engine."""

    class Bounded(jsonpath_rfc9535.JSONPathEnvironment):
        max_recursion_depth = 260

    environment: Any = Bounded()
    environment.max_recursion_depth = 260
    functions = environment.functions if hasattr(environment, "functions") else environment.function_extensions
    for name in ("match", "search"):
        functions.pop(name, None)
    return environment


_ENVIRONMENT = _environment()


def parse_path(text: str) -> Path:
    """The path that `text` spells. Raises PathError with the parser's reason."""
    if len(text) > MAX_PATH:
        raise PathError(f"the path has {len(text)} characters, at most {MAX_PATH} are allowed")
    try:
        query = _ENVIRONMENT.compile(text)
    except (jsonpath_rfc9535.JSONPathError, RecursionError, ValueError) as error:
        reason = str(getattr(error, "message", None) or (error.args[0] if error.args else error)).splitlines()
        raise PathError(f"{text!r} is no RFC 9535 path: {reason[0] if reason else type(error).__name__}") from error
    return Path(text, tuple(_steps(query.segments)))


def _steps(segments: Any) -> Iterator[Step]:
    for segment in segments:
        if isinstance(segment, tuple):  # 2.x: (kind, token, selectors); the kinds are numbered in the library's _ast
            yield Step(tuple(_selector_2(selector) for selector in segment[2]), segment[0] == 1)
        else:
            descends = type(segment).__name__ == "JSONPathRecursiveDescentSegment"
            yield Step(tuple(_selector_1(selector) for selector in segment.selectors), descends)


def _selector_2(selector: Any) -> Selector:
    kind = selector[0]
    if kind == 4:
        return str(selector[2])
    if kind == 3 and selector[2] >= 0:
        return int(selector[2])
    return Wildcard() if kind == 6 else Dynamic()


def _selector_1(selector: Any) -> Selector:
    kind = type(selector).__name__
    if kind == "NameSelector":
        return str(selector.name)
    if kind == "IndexSelector" and selector.index >= 0:
        return int(selector.index)
    return Wildcard() if kind == "WildcardSelector" else Dynamic()


def locate(path: Path, document: object, spend: Callable[[int], None]) -> list[Location]:
    """Where `path` selects in `document`. Every node found costs `spend(1)`; a document too deep selects nothing."""
    found: list[Location] = []
    try:
        for node in _ENVIRONMENT.compile(path.text).finditer(document):
            spend(1)
            found.append(tuple(node.location))
    except (jsonpath_rfc9535.JSONPathError, RecursionError):
        return []
    return found
