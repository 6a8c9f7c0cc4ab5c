"""The plain path's grammar is a strict subset: what it takes, every stricter reader reads in the same way."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mitmproxy.net.http import http1

from proxy.plain_head import MAX_HEAD, MAX_HEADERS, request_head, response_head
from proxy.raw_head import fault_of_head

REQUEST = b"GET /a?b=%20 HTTP/1.1\r\nHost: shop.test:80\r\nAccept: */*\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:b \r\n\r\n"

REST = (b"Upgrade", b"Cookie", b"X_B", b"TE", b"Bad Name", b"")
ODD = (b"", b" x ", b"\xff\xfe", b"a\x00b", b"a\tb", b"a\rb", b"user@host", b"9" * 25)
DOUBTFUL = (b"Host: again", b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: 05", b"X-A: b\r\n folded", b"X-A : b")

names = st.sampled_from(
    [
        b"Host",
        b"host",
        b"Accept",
        b"Content-Length",
        b"content-length",
        b"Connection",
        b"Transfer-Encoding",
        b"X-A",
        b"Expect",
        b"Upgrade",
        b"Cookie",
        b"X_B",
        b"TE",
        b"Bad Name",
        b"",
    ]
)
values = st.sampled_from(
    [
        b"shop.test",
        b"0",
        b"5",
        b"05",
        b"-1",
        b"5, 5",
        b"+5",
        b"close",
        b"keep-alive",
        b"Keep-Alive",
        b"chunked",
        b"100-continue",
        b"",
        b" x ",
        b"\xff\xfe",
        b"a\x00b",
        b"a\tb",
        b"a\rb",
        b"user@host",
        b"9" * 25,
    ]
)
fields = st.lists(st.tuples(names, values), max_size=6)
line_ends = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r\n ", b"\r"])


@st.composite
def heads(draw: st.DrawFn, first: st.SearchStrategy[bytes]) -> bytes:
    colon = st.sampled_from([b": "] * 6 + [b":", b" :", b":\t"])
    lines = [draw(first), *(n + draw(colon) + v for n, v in draw(fields))]
    return b"".join(line + draw(line_ends) for line in lines) + draw(st.sampled_from([b"\r\n"] * 6 + [b"\n", b""]))


request_lines = st.builds(
    lambda method, target, version: method + b" " + target + b" " + version,
    st.sampled_from([b"GET", b"HEAD", b"POST", b"CONNECT", b"get", b"G"]),
    st.sampled_from([b"/", b"/a/b?c=d&e", b"//x", b"*", b"http://evil/", b"/a#b", b"/a b", b"/\x80", b"/%zz", b"/a\x01"]),
    st.sampled_from([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b""]),
)
status_lines = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 6
    + [b"HTTP/1.1 204 ", b"HTTP/1.1 100 Continue", b"HTTP/1.0 200 OK", b"HTTP/1.1 999 X", b"HTTP/1.1 200", b"HTTP/1.1 2000 OK"]
)


@settings(deadline=None, max_examples=400)
@given(heads(request_lines))
@example(REQUEST)
def test_a_request_that_is_plain_is_faultless_and_is_read_alike_by_mitmproxy(data: bytes) -> None:
    head = request_head(data)
    if head is None:
        return
    assert fault_of_head(data[: head.size]) is None
    parsed = http1.read_request_head(data[: head.size - 4].split(b"\r\n"))
    assert (parsed.data.method, parsed.data.path, parsed.data.http_version) == (head.method, head.target, b"HTTP/1.1")
    assert tuple(parsed.data.headers.fields) == head.headers
    assert http1.expected_http_body_size(parsed) == head.length
    assert not http1.connection_close("HTTP/1.1", parsed.headers)
    assert head.size == data.index(b"\r\n\r\n") + 4


@settings(deadline=None, max_examples=400)
@given(heads(status_lines))
@example(ANSWER)
def test_an_answer_that_is_plain_is_read_alike_by_mitmproxy(data: bytes) -> None:
    head = response_head(data)
    if head is None:
        return
    parsed = http1.read_response_head(data[: head.size - 4].split(b"\r\n"))
    assert (parsed.data.status_code, tuple(parsed.data.headers.fields)) == (head.status, head.headers)
    request = http1.read_request_head(REQUEST[:-4].split(b"\r\n"))
    size = http1.expected_http_body_size(request, parsed)
    if head.status not in (204, 304):
        assert size == (-1 if head.length is None else head.length)
    assert not http1.connection_close("HTTP/1.1", parsed.headers)


def test_the_common_heads_are_plain() -> None:
    head = request_head(REQUEST + b"rest")
    assert head is not None
    assert (head.method, head.target, head.size, head.length) == (b"GET", b"/a?b=%20", len(REQUEST), 0)
    assert head.headers == ((b"Host", b"shop.test:80"), (b"Accept", b"*/*"))
    answer = response_head(ANSWER + b"hello")
    assert answer is not None
    assert (answer.status, answer.reason, answer.size, answer.length) == (200, b"OK", len(ANSWER), 5)


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"Connection: close",
        b"TE: trailers",
        b"Host: again",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 05",
        b"X-A: b\r\n folded",
        b"X-A : b",
    ],
)
def test_whatever_has_to_be_negotiated_or_doubted_is_not_plain(line: bytes) -> None:
    assert request_head(REQUEST[:-2] + line + b"\r\n\r\n") is None


def test_the_size_of_a_plain_head_is_bounded_and_its_pattern_linear() -> None:
    assert request_head(REQUEST[:-2] + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n") is None
    assert request_head(REQUEST[:-2] + b"X:" + b" " * MAX_HEAD + b"\r\n\r\n") is None
    assert request_head(b"GET /" + b"a" * 2_000_000) is None
    assert response_head(b"HTTP/1.1 200 " + b" " * 2_000_000) is None
    assert request_head(REQUEST[:-2] + b"a:" * 2_000_000) is None
