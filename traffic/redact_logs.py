"""A processor for structured logs: what is logged obeys the rules of what is stored."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from traffic.redact import Redactor

LONGEST = 20_000
"""Characters of one value; more is cut, so that a line of a log costs little."""


class LogRedaction:
    """Redacts every text of an event: its message, its values, the text of an exception. Never raises.

    `redactor` may be exchanged at any time, for one that knows the configuration.
    """

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The event, as structlog hands it from processor to processor."""
        for name, value in event.items():
            event[name] = self._redacted(name, value)
        return event

    def _redacted(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        try:
            text = value if isinstance(value, str) else repr(value)
            text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
            if self.redactor.is_secret_header(name):
                return self.redactor.token(text)
            kept = self.redactor.text(text)
        except Exception:
            return "[withheld: it cannot be read]"
        return value if not isinstance(value, str) and kept == text else kept
