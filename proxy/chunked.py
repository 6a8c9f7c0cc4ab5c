"""The chunked coding, read strictly (RFC 9112 7.1) and the same with every h11: a chunk ends with CRLF and nothing else.

h11 0.14, the newest that mitmproxy 11 allows, skips any two bytes behind a chunk (CVE-2025-43859); its successors still take
control characters in chunk extensions and bare line feeds in trailers. All chunks that have arrived become one piece, so that a
body of tiny chunks does not cost an event for each of its bytes.
"""

from __future__ import annotations

import re

from h11 import Data, EndOfMessage, RemoteProtocolError

MAX_LINE = 1024
"""Bytes of a chunk's header, its extensions included."""
MAX_TRAILERS = 16 * 1024
"""Bytes of all trailers."""

_SIZE = rb"([0-9A-Fa-f]{1,15}+)"
_EXTENSION = rb"(?>(?:[\t ]*+;[\t\x20-\x7e\x80-\xff]*+)?)"
_HEADER = re.compile(_SIZE + _EXTENSION + rb"\r\n")
_PADDED_HEADER = re.compile(_SIZE + _EXTENSION + rb"[\t ]*+\r\n")
_BEGINNING = re.compile(rb"(?>(?:[0-9A-Fa-f]{1,15}+[\t ]*+(?>(?:;[\t\x20-\x7e\x80-\xff]*+)?)\r?)?)")
_FIELD = rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):[\t ]*+([\t\x20-\x7e\x80-\xff]*+)\r\n"
_FIELDS = re.compile(rb"(?>(?:" + _FIELD + rb")+)")
_ONE_FIELD = re.compile(_FIELD)


class ChunkedBody:
    """Takes a chunked body out of a growing buffer. `padded` also allows blanks behind a size, as old servers write them."""

    def __init__(self, padded: bool) -> None:
        self._header = _PADDED_HEADER if padded else _HEADER
        self._left = 0
        self._behind_data = False
        self._trailing = False
        self.trailers: tuple[tuple[bytes, bytes], ...] = ()

    def take(self, buffer: bytearray) -> Data | EndOfMessage | None:
        """All of the body that is there, or its end (`trailers` are then set), or None: more is needed. It is cut off `buffer`.

        Raises h11.RemoteProtocolError where the bytes are no chunked coding, after what came before has been handed out.
        """
        pieces: list[bytearray] = []
        at, fault = 0, None
        while not self._trailing and fault is None:
            if self._left:
                piece = buffer[at : at + self._left]
                if not piece:
                    break
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._behind_data = not self._left
            elif self._behind_data:
                ending = buffer[at : at + 2]
                if ending != b"\r\n":
                    fault = None if b"\r\n".startswith(ending) else "a chunk that does not end with CRLF"
                    break
                at += 2
                self._behind_data = False
            else:
                found = self._header.match(buffer, at)
                if found is None or found.end() - at > MAX_LINE:
                    fault = _fault_of_header(bytes(buffer[at : at + MAX_LINE + 1]))
                    break
                at = found.end()
                self._left = int(found[1], 16)
                self._trailing = not self._left
        del buffer[:at]
        if pieces:  # a fault is met again by the next call
            return Data(data=b"".join(pieces))
        if fault is not None:
            raise RemoteProtocolError(fault)
        return self._end(buffer) if self._trailing else None

    def read_eof(self) -> EndOfMessage:
        """Raises h11.RemoteProtocolError: the coding itself says where it ends."""
        raise RemoteProtocolError("peer closed connection without sending complete message body (incomplete chunked read)")

    def _end(self, buffer: bytearray) -> EndOfMessage | None:
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            return EndOfMessage()
        end = buffer.find(b"\r\n\r\n", 0, MAX_TRAILERS)
        if end < 0:
            if len(buffer) > MAX_TRAILERS or buffer.count(b"\n") != buffer.count(b"\r\n"):
                raise RemoteProtocolError("trailers without an end")
            return None
        block = bytes(buffer[: end + 2])
        if _FIELDS.fullmatch(block) is None:
            raise RemoteProtocolError("a trailer that is no field")
        self.trailers = tuple((name, value.rstrip(b"\t ")) for name, value in _ONE_FIELD.findall(block))
        del buffer[: end + 4]
        return EndOfMessage()


def _fault_of_header(beginning: bytes) -> str | None:
    if len(beginning) > MAX_LINE:
        return f"a chunk header of more than {MAX_LINE} bytes"
    return None if _BEGINNING.fullmatch(beginning) else "a chunk header that is none"
