"""Requests of every legal shape, as raw bytes without the blank line, the case's number and the body."""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: shop.example"


@dataclass(frozen=True)
class Case:
    """One request: its line, its header lines in order, the body as it goes over the wire."""

    name: str
    line: bytes
    lines: tuple[bytes, ...] = (HOST,)
    body: bytes = b""

    def raw(self, number: int) -> bytes:
        """All of it; `X-Case` names it to the backends."""
        return b"\r\n".join((self.line, *self.lines, b"X-Case: %d" % number, b"", b"")) + self.body


TARGETS = [
    b"/a",
    b"/a?",
    b"/a?x=1&x=2&y",
    b"/a?q=%20%2F%2f",
    b"/a/?x=[1]&y={2}|3",
    b"/a//b",
    b"//a",
    b"/./a",
    b"/a/../b",
    b"/a/..",
    b"/%61",
    b"/%C3%A4",
    b"/%ff",
    b"/%",
    b"/%zz",
    b"/a;p=1",
    b"/a;p=1/b",
    b"/a?x=y&&=&z==",
    b'/a"b',
    b"/a<b>",
    b"/a\\b",
    b"/a^b`c",
    b"/~user/*",
    b"/a:b@c",
    b"/a=b",
    b"/a,b",
    b"/a'b(c)!$&",
    b"/?",
    b"/",
    b"/a?x=a+b",
    b"/a?x=%00",
    b"/a?x=%0d%0aX:%20y",
    b"/a?http://evil.example/",
    b"/http://evil.example/",
    b"/@evil.example/",
    b"/a?x=" + b"y" * 4000,
    b"/" + b"a/" * 500,
    b"/a?\xc3\xa4=\xff",
    b"/caf\xe9",
    b"/\xe2\x82\xac?\x80\x81",
]

HEADERS: list[tuple[str, tuple[bytes, ...]]] = [
    ("odd case", (b"hOsT: shop.example", b"x-ODD-case: 1", b"X-odd-CASE: 2")),
    ("duplicates", (HOST, b"X-A: 1", b"X-B: 1", b"X-A: 2", b"x-a: 1")),
    ("equal duplicates", (HOST, b"X-A: 1", b"X-A: 1", b"X-A: 1")),
    ("several cookies", (HOST, b"Cookie: a=1", b"Cookie: b=2; c=3", b"cookie: a=1")),
    ("odd cookie", (HOST, b'Cookie: a="b; c"; =x; y; a=1=2;;')),
    ("host last", (b"X-A: 1", b"Accept: */*", HOST)),
    ("host with a port", (b"Host: shop.example:8443",)),
    ("host that is an address", (b"Host: [::1]:80",)),
    ("empty host", (b"Host: ",)),
    ("empty value", (HOST, b"X-Empty: ", b"X-After: 1")),
    ("obs-text", (HOST, b"X-Obs: \xe4\xf6\xfc\xff\x80")),
    ("UTF-8", (HOST, "X-Utf: grün €".encode())),
    ("tab inside", (HOST, b"X-Tab: a\tb")),
    ("punctuation in the name", (HOST, b"!#$%&'*+-.^_`|~09Az: 1")),
    ("underscore in the name", (HOST, b"X_Under_Score: 1", b"X-Under-Score: 2")),
    ("digits for a name", (HOST, b"0: 0")),
    ("long name", (HOST, b"X-" + b"n" * 500 + b": 1")),
    ("long value", (HOST, b"X-Long: " + b"v" * 8000)),
    ("colons", (HOST, b"X-Colon: a:b::c", b'X-Quote: "a:b"')),
    ("list", (HOST, b"Accept: text/html,application/xhtml+xml;q=0.9 , */*;q=0.8")),
    ("accept-encoding", (HOST, b"Accept-Encoding: gzip, deflate, br;q=1.0, *;q=0")),
    ("no accept-encoding", (HOST, b"Accept-Encoding: identity")),
    ("user agent", (HOST, b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) \xc2\xa9")),
    ("two user agents", (HOST, b"User-Agent: a", b"User-Agent: b")),
    ("authorization", (HOST, b"Authorization: Basic dXNlcjpwYXNz")),
    ("conditional", (HOST, b'If-None-Match: W/"a", "b"', b"If-Modified-Since: Sat, 21 Nov 2026 00:00:00 GMT")),
    ("range", (HOST, b"Range: bytes=0-0,-1")),
    ("referer", (HOST, b"Referer: http://evil.example/?a=b#c", b"Origin: null")),
    ("forwarded", (HOST, b"X-Forwarded-For: 203.0.113.9, 10.0.0.1", b"X-Forwarded-Proto: https", b"Forwarded: for=_x")),
    ("forwarded twice", (HOST, b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-For: 10.0.0.1")),
    ("real ip", (HOST, b"X-Real-IP: 203.0.113.9", b"x_forwarded_for: 1.2.3.4")),
    ("trace context", (HOST, b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"tracestate: k=v")),
    ("bad trace context", (HOST, b"traceparent: nonsense")),
    ("forged marker", (HOST, b"X-Paritygate-Shadow: v1;1;00000000000000000000000000000000", b"X-After: 1")),
    ("forged marker with underscores", (HOST, b"X_Paritygate_Shadow: 1", b"x-paritygate-other: 1", b"X-After: 1")),
    ("keep-alive", (HOST, b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"X-After: 1")),
    ("names in connection", (HOST, b"Connection: keep-alive", b"X-Hop: 1", b"X-After: 1")),
    ("te", (HOST, b"TE: trailers", b"X-After: 1")),
    ("proxy headers", (HOST, b"Proxy-Connection: keep-alive", b"X-After: 1")),
    ("cache", (HOST, b"Cache-Control: no-cache", b"Pragma: no-cache")),
    ("upgrade insecure", (HOST, b"Upgrade-Insecure-Requests: 1", b"DNT: 1", b"Sec-Fetch-Mode: navigate")),
    ("many headers", (HOST, *(b"X-%d: %d" % (number, number) for number in range(150)))),
    ("ajax", (HOST, b"X-Requested-With: XMLHttpRequest", b"X-CSRFToken: abcdef")),
    ("content-type without a body", (HOST, b"Content-Type: application/json")),
    ("length 0", (HOST, b"Content-Length: 0")),
    ("length 0 in the middle", (HOST, b"cOnTeNt-lEnGtH: 0", b"X-After: 1")),
    ("early data", (HOST, b"Early-Data: 1", b"Priority: u=1, i", b"Via: 1.1 elsewhere")),
]

BODIES: list[tuple[str, tuple[bytes, ...], bytes]] = [
    ("json", (HOST, b"Content-Type: application/json", b"Content-Length: 7"), b'{"a":1}'),
    ("length first", (b"Content-Length: 7", HOST, b"Content-Type: application/json"), b'{"a":1}'),
    ("length in odd case", (HOST, b"CONTENT-length: 3", b"X-After: 1"), b"abc"),
    ("form", (HOST, b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 11"), b"a=b+c&d=%20"),
    ("bytes", (HOST, b"Content-Type: application/octet-stream", b"Content-Length: 256"), bytes(range(256))),
    ("line ends", (HOST, b"Content-Length: 8"), b"\r\n\r\n\r\n\r\n"),
    ("a request for a body", (HOST, b"Content-Length: 26"), b"GET /x HTTP/1.1\r\nHost: x\r\n"),
    ("no body", (HOST, b"Content-Length: 0"), b""),
    ("no framing", (HOST, b"X-After: 1"), b""),
    ("multipart", (HOST, b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: 11"), b"--b\r\n--b--\r"),
    ("gzip", (HOST, b"Content-Encoding: gzip", b"Content-Length: 4"), b"\x1f\x8b\x08\x00"),
    ("large", (HOST, b"Content-Length: 300000"), b"x" * 300_000),
    ("chunks", (HOST, b"Transfer-Encoding: chunked", b"X-After: 1"), b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"),
    ("chunks in odd case", (HOST, b"transfer-ENCODING: chunked"), b"3\r\nabc\r\n0\r\n\r\n"),
    ("no chunk", (HOST, b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    ("chunk extension", (HOST, b"Transfer-Encoding: chunked"), b"3;a=b\r\nabc\r\n0\r\n\r\n"),
]


def cases() -> list[Case]:
    """All of them."""
    made = [Case(f"target {target[:30]!r}", b"GET " + target + b" HTTP/1.1") for target in TARGETS]
    made += [Case(f"HEAD {target[:30]!r}", b"HEAD " + target + b" HTTP/1.1") for target in TARGETS]
    made += [Case(name, b"GET /a HTTP/1.1", lines) for name, lines in HEADERS]
    made += [Case(f"POST {name}", b"POST /a HTTP/1.1", lines, body) for name, lines, body in BODIES]
    made += [Case(f"{method.decode()} {BODIES[0][0]}", method + b" /a HTTP/1.1", *BODIES[0][1:]) for method in METHODS]
    made += [Case(f"{method.decode()} bare", method + b" /a?m HTTP/1.1") for method in METHODS]
    made += [Case("OPTIONS *", b"OPTIONS * HTTP/1.1"), Case("OPTIONS", b"OPTIONS /a HTTP/1.1")]
    made += [Case(f"GET with {name}", b"GET /a HTTP/1.1", lines, body) for name, lines, body in BODIES[:4]]
    return made


METHODS = [b"PUT", b"PATCH", b"DELETE"]
