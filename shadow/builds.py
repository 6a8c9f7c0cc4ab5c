"""Which build of the candidate answers: its build header, else the build seen last."""

from __future__ import annotations

from traffic.message import Answer, Response, first_header

MAX_BUILD = 200


class Builds:
    """An answer without the header (an error page of a gateway, no answer at all) does not start new evidence."""

    def __init__(self, header: str) -> None:
        self._header = header.lower().encode("latin-1")
        self.last = ""
        self.known = False
        """Whether the candidate said since the start which build it is, or answered in order without saying so.

        Until then an error may be of any build, also of the one whose evidence is in the store: "" would be a guess.
        """

    def of(self, candidate: Answer) -> str:
        """The build behind an answer of the candidate; "" while none was ever named."""
        if isinstance(candidate, Response):
            value = first_header(candidate.headers, self._header)
            if value:
                self.last = value[:MAX_BUILD].decode("latin-1")
            self.known = self.known or bool(value) or candidate.status < 500
        return self.last
