"""What a rule file can do wrong, collected so that everything is said at once."""

from __future__ import annotations

from collections.abc import Sequence

MAX_PROBLEMS = 200
"""Problems that are listed; beyond it they are counted. Nobody mends more than that at one go, and hints for each cost time."""


class RuleError(ValueError):
    """Rule files that cannot be used. `problems` holds one sentence each, `file:line: ...`; str() joins them with newlines."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Problems:
    """The problems found so far. `count` is how many there are, listed or not."""

    def __init__(self) -> None:
        self.count = 0
        self._listed: list[str] = []

    @property
    def full(self) -> bool:
        """True once further problems are counted only: callers need not look for hints any more."""
        return self.count >= MAX_PROBLEMS

    def add(self, place: str, text: str) -> None:
        """One more problem at `file:line`."""
        if not self.full:
            self._listed.append(text if place and text.startswith(place) else f"{place}: {text}")
        self.count += 1

    def refuse(self) -> None:
        """Raises RuleError with everything found; returns where nothing was."""
        if not self.count:
            return
        more = self.count - len(self._listed)
        rest = [f"... and {more} more: mend these first, then load again"] if more else []
        raise RuleError([*self._listed, *rest])
