"""Lines for stderr: whoever does not take them stops nobody, and it is told what was left out."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

from proxy.lines import Lines, LinesHandler

LONG = 16 * 1024
"""Four of them are as much as a pipe holds."""


def test_lines_are_written_in_their_order() -> None:
    reading, writing = os.pipe()
    lines = Lines(writing)
    for number in range(100):
        lines.put(f"line {number}")
    assert lines.flush()
    assert os.read(reading, 65536).decode().splitlines() == [f"line {number}" for number in range(100)]
    os.close(reading)
    os.close(writing)


def test_a_pipe_that_nobody_reads_bounds_what_waits_and_the_next_line_tells_what_was_left_out() -> None:
    reading, writing = os.pipe()
    lines = Lines(writing, most=10)
    begun = time.monotonic()
    for _ in range(200):
        lines.put("x" * LONG)
    assert time.monotonic() - begun < 10.0  # a write that waits for a reader would never end
    assert not lines.flush(0.05)
    read = b""
    while read.count(b"\n") < 8:  # more than the pipe holds by itself: there is room again
        read += os.read(reading, LONG)
    lines.put("after")
    while b"after" not in read:
        read += os.read(reading, 65536)
    told = sum(json.loads(line)["count"] for line in read.decode().splitlines() if "left out" in line)
    whole = read.count(b"x" * LONG + b"\n")
    assert told == 200 - whole  # told at once, or in parts where the writer had taken some in between
    assert lines.flush()
    os.close(reading)
    os.close(writing)


def test_a_place_that_takes_nothing_raises_nothing() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        lines = Lines(full.fileno())
        lines.put("lost")
        assert lines.flush()
    lines.put("lost as well")  # the descriptor is closed by now
    assert lines.flush()


def test_a_record_that_cannot_be_formatted_is_named() -> None:
    reading, writing = os.pipe()
    handler = LinesHandler(Lines(writing))
    handler.emit(logging.LogRecord("name", logging.INFO, "", 0, "%d apples", ("no number",), None))
    handler.flush()
    assert b"a log line cannot be formatted" in os.read(reading, 4096)
    os.close(reading)
    os.close(writing)
