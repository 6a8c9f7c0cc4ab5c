"""The exit codes users and CI rely on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """0 parity holds or done; 1 parity broken or gate refused; 2 usage or configuration; 3 inconclusive (too little evidence);
    4 a backend or the store is unreachable; 70 a bug of ours."""

    OK = 0
    BROKEN = 1
    USAGE = 2
    INCONCLUSIVE = 3
    UNREACHABLE = 4
    BUG = 70


class CommandError(Exception):
    """Ends a command with one clear sentence on stderr and an exit code."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code
