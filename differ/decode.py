"""Undoes content codings of untrusted bodies: capped output, capped layers, and the three ways it can end told apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import zstandard

from traffic.message import Response, header_values

MAX_LAYERS = 4
MAX_MEMBERS = 1_000
_CHUNK = 1 << 16
_ZSTD_INPUT = 64
"""Bytes fed to zstd at a time: one block of 128 KiB costs 4 bytes, so this bounds what one call can put out."""


class Undecodable(Exception):
    """The bytes are no such coding. The text says which."""


class CutShort(Exception):
    """The coding ends early, or its content is over the cap, or the coding is unknown: nothing can be said about the body."""


def coding_names(response: Response) -> list[str]:
    """The content codings in the order they were applied, `identity` left out."""
    lines = header_values(response.headers, b"content-encoding")
    return codings_of(b",".join(lines)) if lines else []


def codings_of(value: bytes) -> list[str]:
    """The content codings that a Content-Encoding value names, in order, `identity` left out."""
    if not value:
        return []
    values = value.decode("latin-1").lower()
    return [name for name in (part.strip() for part in values.split(",")) if name and name != "identity"]


def decode(response: Response, cap: int) -> bytes:
    """The body with its content codings undone, at most `cap` bytes. Raises Undecodable or CutShort."""
    return undo(response.body, coding_names(response), cap)


def undo(body: bytes, names: list[str], cap: int) -> bytes:
    """`body` with the codings `names` undone, at most `cap` bytes. Raises Undecodable or CutShort."""
    if len(names) > MAX_LAYERS:
        raise CutShort(f"{len(names)} content codings, at most {MAX_LAYERS} are undone")
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise CutShort(f"the content coding {name[:40]!r} is not known")
        if body:
            body = decoder(body, cap)
    if len(body) > cap:
        raise CutShort(f"more than {cap} bytes decoded (limits.body)")
    return body


def decoded_body(response: Response, cap: int) -> bytes | None:
    """The body with its content codings undone, or None when that is impossible or gives more than `cap` bytes."""
    try:
        return decode(response, cap)
    except (Undecodable, CutShort):
        return None


def _over(size: int, cap: int) -> None:
    if size > cap:
        raise CutShort(f"more than {cap} bytes decoded (limits.body)")


def _gzip(body: bytes, cap: int) -> bytes:
    if not b"\x1f\x8b".startswith(body[:2]):  # zlib asks for more before it says so
        raise Undecodable("the body is not gzip")
    out = bytearray()
    rest = body
    for _ in _members("gzip"):
        if not rest:
            break
        rest = _inflate(rest, 31, cap, out, "gzip").lstrip(b"\0")  # zeros after a member are padding
        if not rest.startswith(b"\x1f\x8b"):
            break
    _ended(rest, "gzip")
    return bytes(out)


def _deflate(body: bytes, cap: int) -> bytes:
    """With the zlib wrapper as the standard says, or without it as some servers send; clients read both."""
    out = bytearray()
    wrapped = body[0] & 0x0F == 8 and len(body) > 1 and int.from_bytes(body[:2], "big") % 31 == 0
    rest = _inflate(body, 15 if wrapped else -15, cap, out, "deflate")
    _ended(rest, "deflate")
    return bytes(out)


def _members(name: str) -> Iterator[int]:
    """Counts the members or frames that follow each other in one body; each one copies what is left."""
    yield from range(MAX_MEMBERS)
    raise CutShort(f"more than {MAX_MEMBERS} {name} members in one body")


def _ended(rest: bytes, name: str) -> None:
    """Refuses what follows the end of a stream: one client leaves it out, the next refuses the whole answer."""
    if rest:
        raise Undecodable(f"bytes follow the end of the {name} body")


def _inflate(body: bytes, bits: int, cap: int, out: bytearray, name: str) -> bytes:
    """Appends one stream to `out` and gives what follows it."""
    decoder = zlib.decompressobj(bits)
    try:
        out += decoder.decompress(body, cap + 1 - len(out))
        while not decoder.eof and len(out) <= cap and decoder.unconsumed_tail:
            out += decoder.decompress(decoder.unconsumed_tail, cap + 1 - len(out))
    except zlib.error as error:
        raise Undecodable(f"the body is not {name}") from error
    _over(len(out), cap)
    if not decoder.eof:
        raise CutShort(f"the {name} body ends early")
    return decoder.unused_data


def _brotli(body: bytes, cap: int) -> bytes:
    decoder: Any = brotli.Decompressor()
    limited = hasattr(decoder, "can_accept_more_data")  # 1.2 can stop in the middle; before it, one byte is fed at a time
    out = bytearray()
    try:
        if limited:
            more = decoder.process(body, output_buffer_limit=_CHUNK)
            while more and len(out) <= cap:  # it may say that it takes more input while output is pending still
                out += more
                more = b"" if decoder.is_finished() else decoder.process(b"", output_buffer_limit=_CHUNK)
        else:
            for at in range(len(body)):
                out += decoder.process(body[at : at + 1])
                if len(out) > cap:
                    break
                if decoder.is_finished():
                    _ended(body[at + 1 :], "br")
                    break
    except brotli.error as error:
        raise Undecodable("the body is not br") from error
    _over(len(out), cap)
    if not decoder.is_finished():
        raise CutShort("the br body ends early")
    return bytes(out)


def _zstd(body: bytes, cap: int) -> bytes:
    out = bytearray()
    rest = body
    for _ in _members("zstd"):
        if not rest:
            break
        decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        used = 0
        try:
            while used < len(rest) and not decoder.eof:
                out += decoder.decompress(rest[used : used + _ZSTD_INPUT])
                used += _ZSTD_INPUT
                _over(len(out), cap)
        except zstandard.ZstdError as error:
            raise Undecodable("the body is not zstd") from error
        if not decoder.eof:
            raise CutShort("the zstd body ends early")
        rest = decoder.unused_data + rest[used:]
        if not rest.startswith(b"\x28\xb5\x2f\xfd"):
            break
    _ended(rest, "zstd")
    return bytes(out)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
