"""An Example as bytes and back: msgpack under zstd. Any text and any bytes survive, lone surrogates and NUL included.

Bodies of some size lie outside, named by a digest of what they are: examples that share a body share its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack
import zstandard

from differ.facts import Atom
from store.records import DifferenceText, Example
from traffic.message import Answer, Failure, Request, Response

_LEVEL = 6
_MAX_PLAIN = 256 * 1024 * 1024
INLINE = 256
"""A body of fewer bytes is kept in the example itself."""


class DamagedExample(ValueError):
    """The bytes are no example of ours."""


@dataclass
class Packed:
    """A compressed example, the digest of its uncompressed form, and its bodies: compressed, by the digest of what they are."""

    blob: bytes = b""
    digest: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.blob) + sum(map(len, self.bodies.values()))

    def outside(self, body: bytes) -> bytes | str:
        """The body, or its digest where it is kept outside."""
        if len(body) < INLINE:
            return body
        digest = _digest(body)
        if digest not in self.bodies:
            self.bodies[digest] = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
        return digest


def pack_example(example: Example) -> Packed:
    """The example as it is stored."""
    packed = Packed()
    request = example.request
    plain = msgpack.packb(
        [
            2,
            [example.id, example.route, _number(example.at), example.live_side, example.client],
            [request.method, request.target, request.headers, packed.outside(request.body)],
            _pack_answer(example.primary, packed),
            _pack_answer(example.candidate, packed),
            [[_pack_atom(d.atom), d.primary, d.candidate, d.location, d.note] for d in example.differences],
            list(example.tolerated),
            [example.build, example.rules_digest, example.reason],
            [_number(example.primary_ms), _number(example.candidate_ms)],
        ],
        use_bin_type=True,
        unicode_errors="surrogatepass",
    )
    packed.blob, packed.digest = zstandard.ZstdCompressor(level=_LEVEL).compress(plain), _digest(plain)
    return packed


def unpack_example(blob: bytes, digest: str, bodies: Mapping[str, bytes]) -> Example:
    """The example; `bodies` are those of it that are kept outside, compressed. Raises DamagedExample when anything is not as written."""
    try:
        plain = _decompressed(blob)
        if _digest(plain) != digest:
            raise DamagedExample("the digest does not match")
        # Version 1 had all its bodies inside.
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
            request=Request(request[0], request[1], _pairs(request[2]), _whole(request[3], bodies)),
            primary=_unpack_answer(primary, bodies),
            candidate=_unpack_answer(candidate, bodies),
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


def holds(blob: bytes, bodies: Mapping[str, bytes], needles: Collection[bytes]) -> bool:
    """Whether one of `needles` occurs anywhere in an example or in its bodies. Raises DamagedExample."""
    try:
        pieces = [_decompressed(blob), *map(_decompressed, bodies.values())]
    except zstandard.ZstdError as error:
        raise DamagedExample("it cannot be read") from error
    return any(needle in piece for piece in pieces for needle in needles)


def _whole(body: bytes | str, bodies: Mapping[str, bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    if body not in bodies:
        raise DamagedExample("one of its bodies is missing")
    whole = _decompressed(bodies[body])
    if _digest(whole) != body:
        raise DamagedExample("one of its bodies is damaged")
    return whole


def _decompressed(blob: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(blob, max_output_size=_MAX_PLAIN)


def _pack_answer(answer: Answer, packed: Packed) -> list[Any]:
    if isinstance(answer, Failure):
        return [answer.reason, answer.detail]
    # A status beyond what the format holds cannot come from a parser of HTTP; it must not cost the batch.
    status = max(-(2**63), min(answer.status, 2**63))
    return [status, answer.headers, packed.outside(answer.body), answer.truncated]


def _unpack_answer(fields: list[Any], bodies: Mapping[str, bytes]) -> Answer:
    if len(fields) == 2:
        return Failure(fields[0], fields[1])
    return Response(fields[0], _pairs(fields[1]), _whole(fields[2], bodies), fields[3])


def _pack_atom(atom: Atom) -> list[str]:
    return [atom.route, atom.statuses, atom.aspect, atom.path, atom.kind, atom.types]


def _pairs(headers: list[list[bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, value in headers)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _digest(plain: bytes) -> str:
    return hashlib.blake2b(plain, digest_size=16).hexdigest()
