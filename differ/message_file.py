"""Reads one stored response: a raw HTTP message, a HAR entry, or JSON with status, headers and body."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from traffic.message import Headers, Response, first_header

_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: [^\r\n]*)?\r?\n")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_FORMS = 'a raw HTTP message (\'HTTP/1.1 200 OK\' first), a HAR entry, or JSON {"status": 200, "headers": [[name, value]], "body": ...}'


def parse_response(text: bytes) -> Response:
    """The response that `text` holds. Raises ValueError with a sentence that says what is wrong and what is read."""
    status_line = _STATUS_LINE.match(text)
    while status_line is not None and status_line[1].startswith(b"1"):  # `100 Continue` and its like come before the answer
        gap = _EMPTY_LINE.search(text, status_line.end() - 1)
        following = _STATUS_LINE.match(text, gap.end()) if gap is not None else None
        if following is None:
            break
        status_line = following
    if status_line is not None:
        return _raw(int(status_line[1]), text[status_line.end() :])
    if text.startswith(b"HTTP/"):
        first = text[:60].splitlines()[0].decode("latin-1")
        raise ValueError(f"the first line {first!r} is no HTTP status line, e.g. 'HTTP/1.1 200 OK'")
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"neither an HTTP message nor JSON ({error}); expected {_FORMS}") from error
    return _document(document)


def _raw(status: int, rest: bytes) -> Response:
    headers: list[tuple[bytes, bytes]] = []
    while True:
        line, newline, rest = rest.partition(b"\n")
        line = line.rstrip(b"\r")
        if not line:
            break
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or name != name.rstrip():
            raise ValueError(f"the header line {line[:80].decode('latin-1')!r} has no 'name: value'")
        headers.append((name, value.strip()))
        if not newline:
            break
    found = tuple(headers)
    if b"chunked" in (first_header(found, b"transfer-encoding") or b"").lower():
        body, whole = _dechunked(rest)
        return Response(status, found, body, truncated=not whole)
    length = first_header(found, b"content-length")
    if length is not None and length.isdigit() and len(length) < 16:
        size = int(length)
        if len(rest) > size:
            rest = rest[:size]
        no_body = status in (204, 304) or not rest  # a HEAD answer announces a length and has none
        return Response(status, found, rest, truncated=len(rest) < size and not no_body)
    return Response(status, found, rest)


def _dechunked(rest: bytes) -> tuple[bytes, bool]:
    """The body of chunks, and whether the last chunk was there."""
    body = bytearray()
    while True:
        line, newline, rest = rest.partition(b"\n")
        size_text = line.partition(b";")[0].strip()
        if not newline and not size_text:
            return bytes(body), False
        if not _CHUNK_SIZE.fullmatch(size_text):
            raise ValueError(f"the chunk size {size_text[:20].decode('latin-1')!r} is no hexadecimal number")
        size = int(size_text, 16)
        if size == 0:
            return bytes(body), True
        if len(rest) < size:
            body += rest
            return bytes(body), False
        body += rest[:size]
        rest = rest[size:].removeprefix(b"\r").removeprefix(b"\n")


def _document(document: Any) -> Response:
    if isinstance(document, dict) and isinstance(document.get("log"), dict):
        entries = document["log"].get("entries")
        if not isinstance(entries, list) or len(entries) != 1:
            count = len(entries) if isinstance(entries, list) else "no"
            raise ValueError(f"the HAR file has {count} entries; give a file with exactly one, or one entry alone")
        document = entries[0]
    if isinstance(document, dict) and isinstance(document.get("response"), dict):
        return _har(document["response"])
    if isinstance(document, dict) and isinstance(document.get("content"), dict):
        return _har(document)
    if not isinstance(document, dict) or "status" not in document:
        raise ValueError(f"the JSON has no 'status'; expected {_FORMS}")
    return Response(
        _status(document["status"]),
        _headers(document.get("headers")),
        _body(document.get("body")),
        bool(document.get("truncated")),
    )


def _har(response: dict[str, Any]) -> Response:
    """HAR keeps bodies decoded: their coding and framing headers no longer tell the truth."""
    headers = _headers(response.get("headers"))
    kept = tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
    )
    content = response.get("content")
    content = content if isinstance(content, dict) else {}
    text = content.get("text", "")
    body = _body({"b64": text}) if content.get("encoding") == "base64" else _body(text)
    return Response(_status(response.get("status")), kept, body)


def _status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 999:
        raise ValueError(f"'status' must be a number from 100 to 999, got {str(value)[:40]!r}")
    return value


def _headers(value: Any) -> Headers:
    if value is None:
        return ()
    pairs: list[Any] = list(value.items()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    made = []
    for pair in pairs:
        if isinstance(pair, dict):
            pair = [pair.get("name"), pair.get("value")]
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise ValueError(f"'headers' must be [name, value] pairs, got {str(pair)[:80]}")
        made.append((pair[0].encode("latin-1", "replace"), pair[1].encode("utf-8", "surrogatepass")))
    return tuple(made)


def _body(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"the body is no base64: {error}") from error
    return json.dumps(value).encode("utf-8")
