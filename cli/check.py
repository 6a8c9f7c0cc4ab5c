"""One finding of `paritygate doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from cli.codes import Exit


@dataclass(frozen=True, slots=True)
class Check:
    """`ok` is None for a note; `code` is the exit code it asks for when it is False."""

    name: str
    ok: bool | None
    text: str
    code: Exit = Exit.OK
