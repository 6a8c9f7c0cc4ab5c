"""Structured logs on stderr: one line per event, readable on a terminal, JSON elsewhere. Bodies are never in them, secrets as tokens."""

from __future__ import annotations

import logging
import secrets
import sys

import structlog
from structlog.typing import Processor

from proxy.lines import Lines, LinesHandler
from traffic.redact import Redactor
from traffic.redact_logs import LogRedaction

_lines: Lines | None = None
_redaction: LogRedaction | None = None


def redact_logs_by(redactor: Redactor) -> None:
    """From here on what the configuration calls secret is redacted in logs, too, and by the key of the store's tokens."""
    if _redaction is not None:
        _redaction.redactor = redactor


def announce(text: str) -> None:
    """A line for people among the logs, on stderr. After `configure_logs`; like a log line it never waits and never fails."""
    if _lines is not None:
        _lines.put(text)


def configure_logs() -> None:
    """Sends structlog's and the standard library's records through one formatter to stderr, which may be as slow as it likes.

    The last lines are written by `logging.shutdown`, which runs at exit; whoever leaves by os._exit calls it first.
    """
    global _lines, _redaction
    _redaction = LogRedaction(Redactor((), (), secrets.token_bytes(32)))
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: Processor = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _lines = Lines(sys.stderr.fileno())
    handler = LinesHandler(_lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redaction, last], foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every client that vanishes while it is answered
