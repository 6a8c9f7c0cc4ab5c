"""Undoes content codings of untrusted bodies: capped output, capped layers, and the three ways it can end told apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import brotli
import zstandard

from traffic.message import Response, header_values

MAX_LAYERS = 4
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
    if not lines:
        return []
    values = b",".join(lines).decode("latin-1").lower()
    return [name for name in (part.strip() for part in values.split(",")) if name and name != "identity"]


def decode(response: Response, cap: int) -> bytes:
    """The body with its content codings undone, at most `cap` bytes. Raises Undecodable or CutShort."""
    body = response.body
    names = coding_names(response)
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
    out = bytearray()
    rest = body
    while rest:
        rest = _inflate(rest, 31, cap, out, "gzip").lstrip(b"\0")
        if not rest.startswith(b"\x1f\x8b"):  # padding or rubbish after the last member: no client reads it
            break
    return bytes(out)


def _deflate(body: bytes, cap: int) -> bytes:
    out = bytearray()
    wrapped = body[0] & 0x0F == 8 and len(body) > 1 and int.from_bytes(body[:2], "big") % 31 == 0
    _inflate(body, 15 if wrapped else -15, cap, out, "deflate")
    return bytes(out)


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
            out += decoder.process(body, output_buffer_limit=_CHUNK)
            while not decoder.is_finished() and len(out) <= cap and not decoder.can_accept_more_data():
                out += decoder.process(b"", output_buffer_limit=_CHUNK)
        else:
            for at in range(len(body)):
                out += decoder.process(body[at : at + 1])
                if len(out) > cap or decoder.is_finished():
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
    while rest:
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
    return bytes(out)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
