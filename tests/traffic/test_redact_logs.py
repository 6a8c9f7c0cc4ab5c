"""Logs obey the rules of the store."""

from __future__ import annotations

import logging

import structlog

from traffic.redact import Redactor
from traffic.redact_logs import LONGEST, LogRedaction

PROCESSOR = LogRedaction(Redactor([], [], b"k" * 32, query=["voucher"]))


def logged(**event: object) -> str:
    return repr(PROCESSOR(logging.getLogger("x"), "info", dict(event)))


def test_no_secret_is_in_a_message_a_value_or_an_exception() -> None:
    try:
        raise ValueError("cannot read https://u:S3CR3T@h/?token=S3CR3T&voucher=S3CR3T")
    except ValueError as error:
        exception = structlog.processors.format_exc_info(None, "error", {"exc_info": error})["exception"]
        told = logged(
            event="GET /a?voucher=S3CR3T failed", exception=exception, error=error, token="S3CR3T", mail=["ann@example.org"]
        )
    assert "S3CR3T" not in told
    assert "ann@" not in told
    assert "ValueError" in told


def test_ordinary_events_stay_as_they_are() -> None:
    event = {"event": "the store takes results again", "waiting": 3, "route": "GET /a/{id}", "at": None, "place": ("a", 1)}
    assert PROCESSOR(None, "info", dict(event)) == event


def test_what_cannot_be_read_is_withheld_and_what_is_long_is_cut() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("hunter2")

    assert "withheld" in logged(value=Broken())
    assert len(logged(event="x" * 1_000_000)) < LONGEST + 100
