"""Reads one answer from the bytes of a connection, strictly: what could be read in two ways is no answer. Does no IO.

httptools (llhttp, the parser of Node.js) reads the head and the chunks. What ends the body is decided here once more, from the
headers that came out, because llhttp takes a message with an unknown transfer coding for one that lasts until the connection
ends, answers of HTTP/2.0 and 0.9, and of RTSP.
"""

from __future__ import annotations

import re

import httptools

MAX_HEAD = 64 * 1024
"""Bytes of one head, and of chunk headers or trailers between two pieces of a body."""
MAX_HEADERS = 200
MAX_INTERIM = 100
"""Informational answers (1xx) that may precede the answer."""
_BEGINNINGS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_NO_BODY = frozenset({204, 304})
_HEAD, _COUNTED, _CHUNKED, _UNTIL_END, _DONE = range(5)


class NoAnswer(Exception):
    """What came is no answer of HTTP/1. The text says why and holds nothing of it."""


class CutOff(Exception):
    """The connection ended before the answer did."""


class OverLimit(Exception):
    """The body is longer than the limit."""


class AnswerReader:
    """`feed` it what came, `end` it when the connection ends. `headers` are raw pairs; `body` has its transfer coding removed.

    Raises NoAnswer, CutOff and OverLimit; the connection is of no use then.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_complete",
        "_interim",
        "_is_head",
        "_left",
        "_limit",
        "_modern",
        "_over",
        "_parser",
        "_stage",
        "_without_body",
        "headers",
        "reusable",
        "status",
    )

    def __init__(self, is_head: bool, limit: int) -> None:
        self._is_head, self._limit = is_head, limit
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.reusable = False
        """Whether another request may be sent over the same connection."""
        self._stage = _HEAD
        self._modern = False
        self._parser: httptools.HttpResponseParser | None = None
        self._buffer = bytearray()
        self._body: bytes | bytearray = b""
        self._left = 0
        self._interim = 0
        self._without_body = 0
        self._over = False
        self._complete = False

    @property
    def body(self) -> bytes:
        """The body; meaningful once the answer is complete."""
        return bytes(self._body)

    def feed(self, data: bytes) -> bool:
        """Takes what came; True once the answer is complete."""
        if self._stage == _HEAD:
            return self._feed_head(data)
        if self._stage == _COUNTED:
            return self._feed_counted(data)
        if self._stage == _CHUNKED:
            return self._feed_chunked(data)
        return self._feed_until_end(data)

    def end(self) -> None:
        """The connection ended: the answer is complete if only its end was missing, else CutOff is raised."""
        if self._stage != _UNTIL_END:
            raise CutOff("the connection ended before the answer did")
        self._stage = _DONE

    def _feed_head(self, data: bytes) -> bool:
        if self._buffer:
            seen = max(0, len(self._buffer) - 3)
            self._buffer += data
            at = self._buffer.find(b"\r\n\r\n", seen)
            data = bytes(self._buffer) if at >= 0 else data
        else:
            at = data.find(b"\r\n\r\n")
            if at < 0:
                self._buffer += data
        while at >= 0:
            if at > MAX_HEAD:
                raise NoAnswer("a head that is too long")
            self._buffer.clear()
            head, data = data[: at + 4], data[at + 4 :]
            self._read_head(head)
            if self.status >= 200:
                return self._begin_body(data)
            if self.status == 101:
                raise NoAnswer("another protocol that nobody asked for")
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise NoAnswer("too many informational answers")
            at = data.find(b"\r\n\r\n")
            if at < 0:
                self._buffer += data
        if len(self._buffer) > MAX_HEAD:
            raise NoAnswer("a head without an end")
        if self._buffer and not any(begin.startswith(self._buffer[:9]) for begin in _BEGINNINGS):
            raise NoAnswer("no status line")
        return False

    def _read_head(self, head: bytes) -> None:
        line = _STATUS_LINE.match(head)
        if line is None:
            raise NoAnswer("no status line")
        self.status = int(line[2])
        self._modern = self.reusable = line[1] == b"1"
        self.headers, self._complete = [], False
        parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # 101, which the caller refuses
        except httptools.HttpParserError as error:
            raise NoAnswer(f"a malformed head: {error}") from error
        if len(self.headers) > MAX_HEADERS:
            raise NoAnswer("too many headers")
        self._parser = parser

    def _begin_body(self, rest: bytes) -> bool:
        length, chunked = self._framing()
        if self._is_head or self.status in _NO_BODY:
            # A backend that sends the body all the same would have it taken for the next answer.
            self.reusable = self.reusable and not length and not chunked and not rest
            return self._done()
        if chunked:
            self._stage, self._body = _CHUNKED, bytearray()
            return self._feed_chunked(rest) if rest else False
        if length is None:
            self._stage, self._body, self.reusable = _UNTIL_END, bytearray(), False
            return self._feed_until_end(rest)
        if length > self._limit:
            raise OverLimit
        if len(rest) >= length:
            self._body = rest
            if len(rest) > length:
                self._body, self.reusable = rest[:length], False
            return self._done()
        self._stage, self._left, self._body = _COUNTED, length - len(rest), bytearray(rest)
        return False

    def _framing(self) -> tuple[int | None, bool]:
        """The declared length and whether the body is chunked. Raises NoAnswer where two readers might disagree."""
        lengths: list[bytes] = []
        codings: list[bytes] = []
        for name, value in self.headers:
            size = len(name)
            if size == 14 and name.lower() == b"content-length":
                lengths.append(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                codings.append(value)
            elif size == 10 and name.lower() == b"connection" and b"close" in value.lower():
                self.reusable = False
        if not codings:
            if not lengths:
                return None, False
            if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
                raise NoAnswer("a Content-Length that is no number")
            return int(lengths[0]), False
        if lengths:
            raise NoAnswer("Content-Length beside Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != b"chunked" or not self._modern:
            raise NoAnswer("a Transfer-Encoding that is not chunked")
        return None, True

    def _feed_counted(self, data: bytes) -> bool:
        if len(data) > self._left:
            data, self.reusable = data[: self._left], False
        self._body += data
        self._left -= len(data)
        return self._left == 0 and self._done()

    def _feed_chunked(self, data: bytes) -> bool:
        before = len(self._body)
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]
        except httptools.HttpParserError as error:
            if self._over:
                raise OverLimit from error
            if not self._complete:
                raise NoAnswer(f"malformed chunks: {error}") from error
            self.reusable = False
        if self._complete:
            return self._done()
        self._without_body = self._without_body + len(data) if len(self._body) == before else 0
        if self._without_body > MAX_HEAD:
            raise NoAnswer("a chunk header or trailers without an end")
        return False

    def _feed_until_end(self, data: bytes) -> bool:
        if len(self._body) + len(data) > self._limit:
            raise OverLimit
        self._body += data
        return False

    def _done(self) -> bool:
        self._stage, self._parser = _DONE, None  # the parser refers back to this reader
        return True

    def on_message_begin(self) -> None:
        """For the parser: behind a complete answer this is a second one, which nobody asked for."""
        if self._complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """For the parser: a header, or behind the body a trailer. These are read and left aside, as in the live answer."""
        if self._stage == _HEAD:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_body(self, data: bytes) -> None:
        """For the parser: a piece of a chunk."""
        if self._complete:
            return
        if len(self._body) + len(data) > self._limit:
            self._over = True
            raise OverLimit
        self._body += data

    def on_message_complete(self) -> None:
        """For the parser: the end."""
        self._complete = True
