"""How a content coding may end: clean, padded, followed by something, or never."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard

from differ.decode import CutShort, Undecodable, decode
from traffic.message import Response

BODY = b'{"a": 1}'
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


def coded(name: str, body: bytes) -> Response:
    return Response(200, ((b"Content-Encoding", name.encode()),), body)


@pytest.mark.parametrize("name", CODINGS)
def test_bytes_after_the_end_are_no_such_coding(name: str) -> None:
    with pytest.raises(Undecodable):
        decode(coded(name, CODINGS[name](BODY) + b"rubbish"), 1_000)


def test_zeros_after_gzip_are_padding() -> None:
    assert decode(coded("gzip", gzip.compress(BODY) + b"\0" * 512), 1_000) == BODY


def test_members_of_gzip_and_frames_of_zstd_are_joined() -> None:
    assert decode(coded("gzip", gzip.compress(BODY[:3]) + gzip.compress(BODY[3:])), 1_000) == BODY
    assert decode(coded("zstd", zstandard.compress(BODY[:3]) + zstandard.compress(BODY[3:])), 1_000) == BODY


def test_a_byte_that_starts_no_gzip_is_none_and_one_that_does_is_cut() -> None:
    with pytest.raises(Undecodable):
        decode(coded("gzip", b"x"), 1_000)
    with pytest.raises(CutShort):
        decode(coded("gzip", b"\x1f"), 1_000)


def test_deflate_is_read_with_and_without_its_wrapper() -> None:
    bare = zlib.compressobj(wbits=-15)

    assert decode(coded("deflate", zlib.compress(BODY)), 1_000) == BODY
    assert decode(coded("deflate", bare.compress(BODY) + bare.flush()), 1_000) == BODY
