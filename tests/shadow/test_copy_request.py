"""What a copy looks like: the client's request, raw and in its order, without what belongs to one hop, with our marker."""

from __future__ import annotations

import pytest

from shadow.copy_request import CopyWriter, Looped, Unsendable, is_marker, is_whole, marker_value
from traffic.message import Headers, Request

KEY = b"k" * 32
MARKER = (b"X-Paritygate-Shadow", marker_value(KEY))
HOST = (b"Host", b"shop.example")


def copied(headers: Headers, body: bytes = b"", method: str = "GET") -> tuple[Headers, bytes]:
    copy = CopyWriter(KEY, b"backend.example:8000", lambda: "c" * 16).copy(Request(method, b"/x", headers, body))
    return copy.headers, copy.body


def test_own_headers_stay_raw_and_in_place_and_a_hop_s_own_are_dropped() -> None:
    """[R-MIR-2] Nothing is added but the marker, nothing changed but the span of the trace context."""
    headers, body = copied(
        (
            HOST,
            (b"Connection", b"keep-alive, X-Secret-Hop"),
            (b"X-Secret-Hop", b"1"),
            (b"cOnTent-lEngth", b"4"),
            (b"X-Paritygate-Shadow", b"forged"),
            (b"x_paritygate_shadow", b"forged"),
            (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
            (b"x-thing", b"1"),
            (b"X-Thing", b""),
            (b"Expect", b"100-continue"),
            (b"X-Forwarded-For", b"203.0.113.9, 10.0.0.1"),
        ),
        b"body",
        "POST",
    )
    assert headers == (
        HOST,
        (b"cOnTent-lEngth", b"4"),
        (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"c" * 16 + b"-01"),
        (b"x-thing", b"1"),
        (b"X-Thing", b""),
        (b"X-Forwarded-For", b"203.0.113.9, 10.0.0.1"),
        MARKER,
    )
    assert body == b"body"


def test_length_follows_a_body_that_the_bridge_changed() -> None:
    headers, _ = copied((HOST, (b"Content-Length", b"4"), (b"X", b"1")), b"longer body", "POST")
    assert headers == (HOST, (b"Content-Length", b"11"), (b"X", b"1"), MARKER)


def test_chunked_request_is_copied_chunked() -> None:
    """The live backend got it chunked: some servers read such a body and some do not, which is for the comparison to show."""
    headers, body = copied((HOST, (b"Transfer-Encoding", b"Chunked")), b"x" * 20, "POST")
    assert headers == (HOST, (b"Transfer-Encoding", b"Chunked"), MARKER)
    assert body == b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
    assert copied(((b"Host", b"h"), (b"Transfer-Encoding", b"chunked")))[1] == b"0\r\n\r\n"


def test_copy_is_framed_once() -> None:
    headers, _ = copied((HOST, (b"Content-Length", b"2"), (b"Transfer-Encoding", b"chunked"), (b"content-length", b"9")), b"ab")
    assert headers == (HOST, (b"Transfer-Encoding", b"chunked"), MARKER)
    headers, _ = copied((HOST, (b"Content-Length", b"2"), (b"Content-Length", b"2")), b"ab")
    assert headers == (HOST, (b"Content-Length", b"2"), MARKER)


def test_body_without_any_framing_gets_a_length() -> None:
    """HTTP/2 needs none."""
    assert copied((HOST,), b"ab", "POST")[0] == (HOST, (b"Content-Length", b"2"), MARKER)


def test_names_in_connection_cannot_take_host_or_framing_away() -> None:
    headers, _ = copied((HOST, (b"Connection", b"Host, content-length, close"), (b"Content-Length", b"2")), b"ab")
    assert headers == (HOST, (b"Content-Length", b"2"), MARKER)


def test_host_of_the_backend_stands_in_only_where_the_client_named_none() -> None:
    assert copied(((b"X", b"1"),))[0] == ((b"Host", b"backend.example:8000"), (b"X", b"1"), MARKER)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"identity", b"chunked, chunked", b""])
def test_framing_that_nobody_here_speaks_is_unsendable(coding: bytes) -> None:
    with pytest.raises(Unsendable):
        copied((HOST, (b"Transfer-Encoding", coding)))


@pytest.mark.parametrize("length", [b"5", b"0", b"3x", b"-3", b"", b"3" * 5000])
def test_request_that_lost_its_body_is_not_whole(length: bytes) -> None:
    """[T7] A copy of half a request would be another request."""
    assert is_whole(Request("POST", b"/", (HOST, (b"content-LENGTH", b"003")), b"abc"))
    assert is_whole(Request("POST", b"/", (HOST, (b"Transfer-Encoding", b"chunked")), b"abc"))
    assert not is_whole(Request("POST", b"/", (HOST, (b"Content-Length", length)), b"abc"))


def test_marker_is_signed_with_its_hop() -> None:
    version, hop, mac = marker_value(KEY).split(b";")
    assert (version, hop, len(mac)) == (b"v1", b"1", 32)
    assert marker_value(b"other").split(b";")[2] != mac
    assert is_marker(marker_value(KEY, 3), KEY)
    for forged in (marker_value(b"other"), b"v1;2;" + mac, b"v1;1", b"", b"v2;1;" + mac, b"v1;" + b"9" * 5000 + b";" + mac):
        assert not is_marker(forged, KEY)


@pytest.mark.parametrize("hop", [1, 2, 17])
def test_copy_of_a_copy_is_never_made(hop: int) -> None:
    """[T6] Wherever the request came from: a valid marker of any hop ends the circle here too."""
    with pytest.raises(Looped):
        copied((HOST, (b"x-paritygate-shadow", marker_value(KEY, hop))))
