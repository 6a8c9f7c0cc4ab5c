"""What lint says: one remark, its kinds, and which of them are warnings."""

from __future__ import annotations

from dataclasses import dataclass

WARNINGS = {
    "why_not": "an ignore does not say why nothing narrower does",
    "narrower": "in all stored answers an ignore hides what a narrower action explains too",
    "over_broad": "a rule reaches into whole documents, or its bound is as wide as anything",
    "matches_everything": "a pattern matches every text",
    "expired": "it holds no more",
    "far_off": "it ends more than 90 days ahead",
    "unknown_route": "no known route has this template, or none with this method",
    "never_applies": "nothing that is compared can come under it",
    "dead_path": "no stored body has what its path selects",
    "tie": "two rules are as specific as each other where both may explain one difference",
    "superfluous": "another rule explains everything that this one does",
    "repeats_preset": "a preset explains everything that this rule does",
    "exact_cancels_nothing": "an exact is meant to carve out of a rule that it does not cancel",
}
"""Kinds that end `rules lint` with exit 1, and what each means."""
NOTES = {
    "dynamic_path": "a path that is asked of each unequal pair of documents, and costs time",
    "exact_alone": "an exact that cancels representation normalisers only",
    "unchecked": "too many rules to compare each with each",
}
"""Kinds that are said and no more."""


@dataclass(frozen=True, slots=True)
class Lint:
    """One remark. `kind` is a key of WARNINGS or NOTES, `place` is `file:line`, `text` says what to do."""

    kind: str
    place: str
    rule: str
    text: str

    @property
    def is_warning(self) -> bool:
        """Whether it should keep the file from being accepted."""
        return self.kind in WARNINGS

    @property
    def order(self) -> tuple[str, int, str, str, str]:
        """Sorts remarks by file and line."""
        file, _, line = self.place.rpartition(":")
        return (
            (file, int(line), self.rule, self.kind, self.text)
            if line.isdigit()
            else (self.place, 0, self.rule, self.kind, self.text)
        )

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}" if self.place else f"{self.rule}: {self.text}"
