"""RFC 9535 paths: what a rule file may write in `path`, and where it points in a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rules.evaluation import Location, located
from rules.grammar import read_steps
from rules.queries import Dynamic, Selector, Step, Wildcard
from rules.regexes import PatternError
from rules.tokens import GrammarError

__all__ = ["MAX_PATH", "Dynamic", "Location", "Path", "PathError", "Selector", "Step", "Wildcard", "locate", "parse_path"]

MAX_PATH = 1_000
"""Characters of one path."""
_UNANSWERABLE = 1 << 62


class PathError(ValueError):
    """A text that is no usable RFC 9535 path; the message is one sentence."""


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
            if all(isinstance(selector, str) for selector in step.selectors):
                named += 1
            elif all(isinstance(selector, int | Dynamic) for selector in step.selectors):
                indices += 1
            else:
                stars += 1
        return (named, indices, stars, -descents)


def parse_path(text: str) -> Path:
    """The path that `text` spells: all of RFC 9535 and nothing else. Raises PathError with the reason and its place."""
    if len(text) > MAX_PATH:
        raise PathError(f"the path has {len(text)} characters, at most {MAX_PATH} are allowed")
    try:
        return Path(text, read_steps(text))
    except GrammarError as error:
        raise PathError(f"{text!r} is no RFC 9535 path: {error}") from error


def locate(path: Path, document: object, spend: Callable[[int], None]) -> list[Location]:
    """Where `path` selects in `document`, in the order and as often as RFC 9535 says.

    `spend(n)` is told of the work before it is done and ends it by raising: the time is at most a constant times what was spent.
    No document is too deep. What cannot be answered within bounds, such as a pattern of the document that is too large to be
    run, asks for more than any budget holds, so it never looks like a path that selects nothing.
    """
    try:
        return list(located(path.steps, document, spend))
    except (PatternError, RecursionError):
        spend(_UNANSWERABLE)
        raise
