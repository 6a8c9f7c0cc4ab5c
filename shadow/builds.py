"""Which build of the candidate answers.

An answer that names its build in the build header is of that build: only the answer itself knows, while two builds serve side by side.
Any other answer (an error page of a gateway, no answer at all, a candidate without the header) is of the build that was named last. Three
ways name one, and a later one wins: the header of an earlier answer, a change of what the version URL says, and, where there is no version
URL or it has not answered yet, a change of what `paritygate deployed` declared. What is found at the start is no change: it only fills the
gap until an answer names its build, so that all shadows of a store agree, whichever of them was started last.
"""

from __future__ import annotations

from traffic.message import Answer, Response, first_header

MAX_BUILD = 200


class Builds:
    """Takes in whatever names a build, and says which one an answer is of. An answer without the header starts no new evidence."""

    def __init__(self, header: str) -> None:
        self._header = header.lower().encode("latin-1")
        self.last = ""
        self.known = False
        """Whether it was said since the start which build answers, or the candidate answered in order without saying so.

        Until then an error may be of any build, also of the one whose evidence is in the store: "" would be a guess.
        """
        self._in_header = False
        self._observed: str | None = None
        self._declared: str | None = None

    def of(self, candidate: Answer) -> str:
        """The build behind an answer of the candidate; "" while none was ever named."""
        if isinstance(candidate, Response):
            value = first_header(candidate.headers, self._header)
            if value:
                self.last, self._in_header = value[:MAX_BUILD].decode("latin-1"), True
            self.known = self.known or bool(value) or candidate.status < 500
        return self.last

    def observe(self, build: str) -> bool:
        """Takes in what the version URL says now; whether that is news."""
        before, self._observed = self._observed, build
        return self._name(before, build)

    def declare(self, build: str) -> bool:
        """Takes in what was declared last; whether that is news. It is not while the version URL speaks for the candidate."""
        before, self._declared = self._declared, build
        return self._observed is None and self._name(before, build)

    def _name(self, before: str | None, build: str) -> bool:
        if before == build:
            return False
        if before is None and self._in_header:
            return False
        self.last = build
        # What is found at the start may be as old as the candidate: an error is of the route's epoch in the store, as before.
        self.known = self.known or before is not None
        return True
