"""Targets in every form, and honest requests that have to arrive as they are."""

from __future__ import annotations

from collections.abc import Iterator

from smuggling_payload import HERE, HIDDEN, HOST, MARK, Named, chunked, head, shown, table

TARGETS = [
    *table(
        r"http://shop.test/p-%b|http://other.test/p-%b|HTTP://shop.test/p-%b|https://shop.test/p-%b",
        r"http://user@shop.test/p-%b|http://user:pass@other.test:81/p-%b|http:///p-%b|http:/p-%b|http:p-%b|http://p-%b",
        r"http://other.test?p-%b|http://other.test#p-%b|ftp://other.test/p-%b|file:///etc/p-%b|ws://other.test/p-%b",
        r"gopher://other.test/p-%b|//other.test/p-%b|///p-%b|other.test:80|other.test:80/p-%b|*|*%b|/*/p-%b|/p-%b#f",
        r"/p-%b#|#p-%b|/p-%b?#|/?p-%b|?p-%b|p-%b|/p-%b?a=b&c|/p-%b;x=y|/p;x-%b/z|/./p-%b|/a/../p-%b|/a/./../p-%b",
        r"/..;/p-%b|/%%2e%%2e/p-%b|/a%%2fp-%b|/a%%2Fp-%b|/a%%5cp-%b|/a\\p-%b|\\p-%b|/a//p-%b|/a/p-%b//|/p-%b%%00",
        r"/p-%b%%0d%%0aX:%%20y|/p-%b%%20HTTP/1.1%%0d%%0aX:%%20y|/p-%b HTTP/1.1\r\nX: y\r\n\r\nGET /hidden-%b",
        r"/p-%b HTTP/1.1\nX: y|/p-%b\tHTTP/1.1|/p-%b HTTP/1.1 |/p %b|/p-%b\x00|/p-%b\x0b|/p-%b%%|/p-%b%%zz",
        r"/p-%b%%u0041|/p-\xc3\xa4-%b|/p-\xff-%b|/p-%%ff-%b|/p-%%c0%%ae-%b|/p-%b<>|/p-%b\x22|/p-%b{}\x7c^`|/p-%b[]",
        r"/p-%b?[]=\x22'|/p-%b?http://other.test/|/http://other.test/p-%b|http://shop.test:99999/p-%b",
        r"http://[::1]/p-%b|http://[::1/p-%b|http://shop.test\\@other.test/p-%b|http://%%6f/p-%b|@other.test/p-%b",
        r":80/p-%b|http//p-%b|http:\\\\other.test\\p-%b|1http://a/p-%b|/:p-%b|/@p-%b|/~p-%b",
    ),
    b"/" + b"a" * 9000 + b"-%b",
    b"/p-%b?" + b"a" * 9000,
    b"/p-%b" + b"/x" * 500,
]
UNDERSCORED = [
    *table(
        r"Content_Length: 0|Transfer_Encoding: chunked|X_Forwarded_For: 1.2.3.4|X_Id: spoofed|Ho_st: a|Host_: a",
        r"_Host: a|CONTENT_TYPE: text/html|HTTP_HOST: other.test|REMOTE_USER: root|wsgi.input: x",
        r"X-Forwarded_For: 1.2.3.4|X-Http-Method-Override: DELETE|X-Original-URL: /hidden|X-Rewrite-URL: /hidden",
    ),
]


def targets() -> Iterator[Named]:
    """Each target as a read, as a write with a body that hides, and for CONNECT."""
    for target in TARGETS:
        filled = target.replace(b"%b", HERE).replace(b"%%", b"%")
        name = shown(target, 60)
        yield f"target {name}", head(line=b"GET " + filled + b" HTTP/1.1") + HIDDEN
        yield (
            f"target {name} with a body",
            head(b"Content-Length: %d" % len(HIDDEN), line=b"POST " + filled + b" HTTP/1.1") + HIDDEN,
        )
        yield f"target {name} in HTTP/1.0", head(line=b"GET " + filled + b" HTTP/1.0") + HIDDEN
        yield f"CONNECT {name}", head(line=b"CONNECT " + filled + b" HTTP/1.1") + HIDDEN
        yield f"OPTIONS {name}", head(line=b"OPTIONS " + filled + b" HTTP/1.1") + HIDDEN


def underscored() -> Iterator[Named]:
    """Names that WSGI would take for others."""
    for line in UNDERSCORED:
        yield f"underscores {shown(line)}", head(line, b"Content-Length: %d" % len(HIDDEN)) + HIDDEN
        yield f"underscores {shown(line)} with chunks", head(b"Transfer-Encoding: chunked", line) + chunked(b"abc") + HIDDEN


def honest() -> Iterator[Named]:
    """Requests that nobody may refuse: the proof that the harness sees what is served."""
    post = b"POST /open-" + HERE + b" HTTP/1.1"
    yield "honest read", head(line=b"GET /open-" + HERE + b"?a=b%20c HTTP/1.1")
    yield "honest pipeline", head(line=b"GET /open-" + HERE + b" HTTP/1.1") + HIDDEN
    yield "honest length", head(b"Content-Length: %d" % len(HIDDEN)) + HIDDEN
    yield "honest length, then another", head(b"Content-Length: 5") + b"abcde" + HIDDEN
    yield "honest chunks", head(b"Transfer-Encoding: chunked") + chunked(b"abc", HIDDEN, b"d" * 5000)
    yield "honest chunks, then another", head(b"Transfer-Encoding: chunked") + chunked(b"abc") + HIDDEN
    yield "honest chunks with a trailer", head(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n" + HIDDEN
    yield "honest chunks with an extension", head(b"Transfer-Encoding: chunked") + b"3;a=b\r\nabc\r\n0\r\n\r\n" + HIDDEN
    yield "honest large body", head(b"Content-Length: 300000") + b"x" * 300_000 + HIDDEN
    yield "honest large chunks", head(b"Transfer-Encoding: chunked") + chunked(*[b"y" * 50_000] * 30) + HIDDEN
    yield "honest empty lines", b"\r\n\r\n" + head(b"Content-Length: 0") + b"\r\n" + HIDDEN
    yield "honest HTTP/1.0", head(b"Connection: keep-alive", line=b"GET /open-" + HERE + b" HTTP/1.0")
    yield "honest old read without Host", b"GET /open-" + HERE + b" HTTP/1.0\r\n" + MARK + b"\r\n"
    yield "honest expectation", head(b"Expect: 100-continue", b"Content-Length: 3") + b"abc" + HIDDEN
    yield "honest odd field names", post + b"\r\n" + HOST + MARK + b"!#$%&'*+.^_`|~: 1\r\nContent-Length: 0\r\n\r\n" + HIDDEN
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"):
        yield (
            f"honest {shown(method)}",
            head(b"Content-Length: 3", line=method + b" /open-" + HERE + b" HTTP/1.1") + b"abc" + HIDDEN,
        )
