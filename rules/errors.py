"""What a rule file can do wrong."""

from __future__ import annotations

from collections.abc import Sequence


class RuleError(ValueError):
    """Rule files that cannot be used. `problems` holds one sentence each, `file:line: ...`; str() joins them with newlines."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
