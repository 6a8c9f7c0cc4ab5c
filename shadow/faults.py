"""How faults are told: by kind and place, never by an exception's text of ours, which may hold a payload; and once per outage."""

from __future__ import annotations

import traceback
from pathlib import PurePath

import structlog

log = structlog.get_logger("paritygate.shadow")


def place_of(error: BaseException) -> str:
    """Where an exception was raised, innermost last: `ValueError at judge.py:10 < walk.py:33`."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {places}" if places else type(error).__name__


class Outage:
    """Says that something fails when it begins to, and nothing more until it has worked again."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._told = False

    def failed(self, error: Exception) -> None:
        """It failed; a StoreError's text is made for people and holds no secret."""
        if not self._told:
            self._told = True
            log.warning(self._event, error=str(error) or type(error).__name__)

    def worked(self) -> None:
        """It worked."""
        self._told = False
