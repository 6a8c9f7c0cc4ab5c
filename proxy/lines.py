"""Lines for stderr, written by a thread of their own: a reader that is stuck or gone, or a full disk, stops nobody but that thread."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque

MOST_WAITING = 1_000
LAST_WORDS_S = 1.0
"""How long the end of a process may wait for its last lines."""


class Lines:
    """`put` never waits and never raises. What waits is bounded; how many lines were left out is told with the next one.

    Writes to the descriptor itself: Python's own stderr object has a lock, which a blocked writer would hold until the end.
    """

    def __init__(self, descriptor: int, most: int = MOST_WAITING) -> None:
        self._descriptor, self._most = descriptor, most
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._busy = False
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        """Takes a line, or counts it as left out when too many wait."""
        with self._news:
            if len(self._waiting) >= self._most:
                self._left_out += 1
                return
            if self._left_out:
                text = f'{{"event": "log lines were left out: stderr does not take them", "count": {self._left_out}}}\n{text}'
                self._left_out = 0
            self._waiting.append(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="log-lines", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def flush(self, within_s: float = LAST_WORDS_S) -> bool:
        """Waits until all lines are written; False when that takes too long."""
        end = time.monotonic() + within_s
        with self._news:
            while self._waiting or self._busy:
                if not self._news.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    return False
        return True

    def _write(self) -> None:
        while True:
            with self._news:
                self._busy = False
                self._news.notify_all()
                while not self._waiting:
                    self._news.wait()
                text = self._waiting.popleft()
                self._busy = True
            rest = text.encode("utf-8", "backslashreplace") + b"\n"
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(0.1)  # somebody has made it non-blocking: this line is lost, the next ones may not be
            except OSError:
                pass  # its reader is gone or its disk is full; what we do matters more than what we say


class LinesHandler(logging.Handler):
    """Formats where something is logged, writes elsewhere."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: what cannot be formatted is named and left out."""
        try:
            self._lines.put(self.format(record))
        except Exception as error:
            self._lines.put(f'{{"event": "a log line cannot be formatted", "error": "{type(error).__name__}"}}')

    def flush(self) -> None:
        """The end of the process comes here (`logging.shutdown`)."""
        self._lines.flush()
