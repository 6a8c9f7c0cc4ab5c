"""An Example as bytes and back: msgpack under zstd. Any text and any bytes survive, lone surrogates and NUL included."""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack
import zstandard

from differ.facts import Atom
from store.records import DifferenceText, Example
from traffic.message import Answer, Failure, Request, Response

_LEVEL = 6
_MAX_PLAIN = 256 * 1024 * 1024


class DamagedExample(ValueError):
    """The bytes are no example of ours."""


def pack_example(example: Example) -> tuple[bytes, str]:
    """The compressed example and the digest of its uncompressed form."""
    request = example.request
    plain = msgpack.packb(
        [
            1,
            [example.id, example.route, _number(example.at), example.live_side, example.client],
            [request.method, request.target, request.headers, request.body],
            _pack_answer(example.primary),
            _pack_answer(example.candidate),
            [[_pack_atom(d.atom), d.primary, d.candidate, d.location, d.note] for d in example.differences],
            list(example.tolerated),
            [example.build, example.rules_digest, example.reason],
            [_number(example.primary_ms), _number(example.candidate_ms)],
        ],
        use_bin_type=True,
        unicode_errors="surrogatepass",
    )
    return zstandard.ZstdCompressor(level=_LEVEL).compress(plain), _digest(plain)


def unpack_example(blob: bytes, digest: str) -> Example:
    """The example. Raises DamagedExample when the bytes are not those that were written."""
    try:
        plain = zstandard.ZstdDecompressor().decompress(blob, max_output_size=_MAX_PLAIN)
        if _digest(plain) != digest:
            raise DamagedExample("the digest does not match")
        _, head, request, primary, candidate, differences, tolerated, origin, times = msgpack.unpackb(
            plain, raw=False, unicode_errors="surrogatepass"
        )
        name, route, at, live_side, client = head
        return Example(
            id=name,
            route=route,
            at=at,
            live_side=live_side,
            client=client,
            request=Request(request[0], request[1], _pairs(request[2]), request[3]),
            primary=_unpack_answer(primary),
            candidate=_unpack_answer(candidate),
            differences=tuple(DifferenceText(Atom(*atom), *texts) for atom, *texts in differences),
            tolerated=tuple(tolerated),
            build=origin[0],
            rules_digest=origin[1],
            reason=origin[2],
            primary_ms=times[0],
            candidate_ms=times[1],
        )
    except DamagedExample:
        raise
    except (zstandard.ZstdError, ValueError, TypeError, IndexError, msgpack.exceptions.UnpackException) as error:
        raise DamagedExample(f"it cannot be read: {type(error).__name__}") from error


def _pack_answer(answer: Answer) -> list[Any]:
    if isinstance(answer, Failure):
        return [answer.reason, answer.detail]
    # A status beyond what the format holds cannot come from a parser of HTTP; it must not cost the batch.
    status = max(-(2**63), min(answer.status, 2**63))
    return [status, answer.headers, answer.body, answer.truncated]


def _unpack_answer(fields: list[Any]) -> Answer:
    if len(fields) == 2:
        return Failure(fields[0], fields[1])
    return Response(fields[0], _pairs(fields[1]), fields[2], fields[3])


def _pack_atom(atom: Atom) -> list[str]:
    return [atom.route, atom.statuses, atom.aspect, atom.path, atom.kind, atom.types]


def _pairs(headers: list[list[bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, value in headers)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _digest(plain: bytes) -> str:
    return hashlib.blake2b(plain, digest_size=16).hexdigest()
