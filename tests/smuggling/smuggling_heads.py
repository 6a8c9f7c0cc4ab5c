"""Heads: line ends, every byte in every place, versions, methods, Host, Connection, Upgrade, Expect."""

from __future__ import annotations

from collections.abc import Iterator

from smuggling_payload import HERE, HIDDEN, HOST, MARK, Named, chunked, head, shown, table

_LENGTH_ALL = b"Content-Length: %d" % len(HIDDEN)
_CODED = b"Transfer-Encoding: chunked"
LINE_ENDS = [
    *table(
        r"\n|\r|\r\r\n|\n\r|\r\n\r|\n\n|\r\r|\x0b|\x0c|\x85|\xe2\x80\xa8|\x00\r\n| \r\n|\x00|\x1c|\x0b\r\n",
    ),
]
VERSIONS = [
    *table(
        r"| | HTTP/0.9| HTTP/1.2| HTTP/1.9| HTTP/2.0| HTTP/2| HTTP/3.0| HTTP/1.10| HTTP/01.1| http/1.1| HTTP /1.1",
        r" HTTP/ 1.1| HTTP/1 .1| HTTP/1,1| HTTP/1| HTTP/11| HTTP/1.1 | HTTP/1.1\t|\tHTTP/1.1|  HTTP/1.1| HTTPS/1.1",
        r" ICY/1.0| HTTP/1.1x| HTTP/+1.1| HTTP/1.-1| HTTP/1.\x00| HTTP/9.9| HTTP/0.0| HTTP/1.1 HTTP/1.1| x HTTP/1.1",
        r" HTTP/1.1\x00|\x00HTTP/1.1|\x0bHTTP/1.1| HTTP/1.\xb2| HTTP/1.1\r| HTTP/1.0| RTSP/1.0| HTTP/1.1;",
    ),
]
METHODS = [
    *table(
        r"get|Get|GeT|head|Head|post|connect|Connect|options|TRACE|trace|TRACK|PRI|DEBUG|PURGE|GET\x00|\x00GET|GE T",
        r"GET\t|\tGET| GET|GET |\x0bGET|G\xc3\x89T|GET/|GET:|(GET)|GET,POST|G-E_T|1|!#$%&'*+-.^_`\x7c~",
    ),
    b"X" * 300,
]
HOSTS = [
    *table(
        r"|Host: other.test\r\nhOST: shop.test\r\n|Host:\r\n|Host: \r\n|Host : shop.test\r\n| Host: shop.test\r\n",
        r"X: y\r\n Host: a\r\n|Host: a\x00b\r\n|Host: a b\r\n|Host: a\tb\r\n|Host: a,b\r\n|Host: a, b\r\n",
        r"Host: user@shop.test\r\n|Host: user:pass@shop.test:80\r\n|Host: shop.test/path\r\n|Host: shop.test?x\r\n",
        r"Host: shop.test#x\r\n|Host: http://shop.test\r\n|Host: shop.test\\evil\r\n|Host: shop.test:80:90\r\n",
        r"Host: shop.test:-1\r\n|Host: shop.test:99999999\r\n|Host: shop.test:8o\r\n|Host: [::1]\r\n",
        r"Host: [::1]:80\r\n|Host: [::1\r\n|Host: ::1\r\n|Host: a_b\r\n|Host: \xc3\xa4.test\r\n|Host: shop.test.\r\n",
        r"Host: ..\r\n|Host: *\r\n|Host: a;b\r\n|Host: <a>\r\n|Host: a\x22b\r\n|Host: %61.test\r\n",
        r"Host: a%0d%0aX: y\r\n|Host:\x0bshop.test\r\n|H\x00ost: a\r\n|X-Host: a\r\n|Host_: a\r\n",
        r"Host: shop.test\nX: y\r\n|Host: shop.test\rX: y\r\n|Host: shop.test\r\nX-Forwarded-Host: evil.test\r\n",
        r"Host: shop.test:\r\n|HOST: shop.test\r\n|Host;: a\r\n",
    ),
    HOST + HOST,
    HOST + b"Host: other.test\r\n",
    HOST + b" other.test\r\n",
    b"Host: " + b"a" * 5000 + b"\r\n",
]
OPTIONS = [
    *table(
        r"Content-Length|close, Content-Length|keep-alive, content-length|Transfer-Encoding|Host|close, Host",
        r"X-Forwarded-For|x_forwarded_for|X-Forwarded-Proto|X-Paritygate-Shadow|Cookie|Authorization|Content-Type|X-Id",
        r"Upgrade|TE|close, close|Keep-Alive|Close|keep-alive, close|close, keep-alive|foo||,|close,|;close",
        r"\x22close\x22|close\x00|\x0bclose|Forwarded|X-Real-IP|Connection",
    ),
]
UPGRADES = [
    *table(
        r"h2c|H2C|h2c, websocket|websocket, h2c| h2c |h2c\t|h2c;q=1|h2|websocket|WebSocket|TLS/1.0|HTTP/2.0",
        r"h2c\r\nUpgrade: websocket|websocket\r\nUpgrade: h2c|h2c\x00|\x22h2c\x22||h2c-14|\x0bh2c",
    ),
]
EXPECTS = [
    *table(
        r"100-continue|100-Continue| 100-continue|100-continue |100-continue, x|x, 100-continue|y 100-continue",
        r"100-continue\r\nExpect: x|x|200-ok||100-continue\x00|\x0b100-continue|100-continue;q=1|100-continue\r\n ",
        r"100continue|\x22100-continue\x22|100",
    ),
]


def line_ends() -> Iterator[Named]:
    """Other line ends, wherever a line ends."""
    for end in LINE_ENDS:
        name = shown(end)
        line, length = b"POST /open-" + HERE + b" HTTP/1.1", _LENGTH_ALL
        yield f"line end {name} of the request line", line + end + HOST + MARK + length + b"\r\n\r\n" + HIDDEN
        yield f"line end {name} of Host", line + b"\r\n" + HOST[:-2] + end + MARK + length + b"\r\n\r\n" + HIDDEN
        yield f"line end {name} before a length", head(b"X: y" + end + length) + HIDDEN
        yield f"line end {name} behind a length", head(length + end + b"X: y") + HIDDEN
        yield f"line end {name} before a coding", head(b"X: y" + end + _CODED) + chunked() + HIDDEN
        yield (
            f"line end {name} before a coding, with a length",
            head(b"X: y" + end + _CODED, b"Content-Length: 5") + chunked() + HIDDEN,
        )
        yield f"line ends {name} as the head's end", line + b"\r\n" + HOST + MARK + b"X: y" + end + end + HIDDEN
        yield f"line end {name} as the empty line", line + b"\r\n" + HOST + MARK + b"X: y\r\n" + end + HIDDEN
        yield f"line ends {name} inside a value", head(b"X: y" + end + end + b"GET /hidden-" + HERE + b" HTTP/1.1")
        yield f"line end {name} everywhere", (head(length) + HIDDEN).replace(b"\r\n", end)
        yield f"line end {name} before the request", end + head(length) + HIDDEN
        yield f"line end {name} between requests", head(b"Content-Length: 0") + end + HIDDEN


def every_byte() -> Iterator[Named]:
    """Each byte in a method, a target, a field's name and a field's value."""
    for number in range(256):
        byte = bytes([number])
        name = shown(byte)
        yield f"byte {name} in a method", head(_LENGTH_ALL, line=b"PO" + byte + b"ST /open-" + HERE + b" HTTP/1.1") + HIDDEN
        yield f"byte {name} in a target", head(line=b"GET /a" + byte + b"b-" + HERE + b" HTTP/1.1") + HIDDEN
        yield f"byte {name} in a name", head(b"X" + byte + b"Y: 1", _LENGTH_ALL) + HIDDEN
        yield f"byte {name} in a value", head(b"X: a" + byte + b"Content-Length: 0", _LENGTH_ALL) + HIDDEN


def odd_heads() -> Iterator[Named]:
    """Versions, methods, hosts, and what a connection is asked to do."""
    target = b"/open-" + HERE
    for version in VERSIONS:
        name = shown(version)
        yield f"version {name}", head(line=b"GET " + target + version) + HIDDEN
        yield f"version {name} with a length", head(_LENGTH_ALL, line=b"POST " + target + version) + HIDDEN
        yield f"version {name} with a coding", head(_CODED, line=b"POST " + target + version) + chunked(b"abc") + HIDDEN
    yield "HTTP/0.9 alone", b"GET " + target + b"\r\n" + HIDDEN
    yield "HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + HIDDEN
    for method in METHODS:
        name, line = shown(method), method + b" " + target + b" HTTP/1.1"
        yield f"method {name}", head(line=line) + HIDDEN
        yield f"method {name} with a length", head(_LENGTH_ALL, line=line) + HIDDEN
        yield f"method {name} with a coding", head(_CODED, line=line) + chunked(HIDDEN)
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE", b"PUT", b"PATCH"):
        yield f"{shown(method)} with a body", head(_LENGTH_ALL, line=method + b" " + target + b" HTTP/1.1") + HIDDEN
        yield f"{shown(method)} with chunks", head(_CODED, line=method + b" " + target + b" HTTP/1.1") + chunked(HIDDEN)
    for host in HOSTS:
        yield f"host {shown(host)}", head(line=b"GET " + target + b" HTTP/1.1", host=host) + HIDDEN
        yield f"host {shown(host)} in HTTP/1.0", head(line=b"GET " + target + b" HTTP/1.0", host=host) + HIDDEN
    for option in OPTIONS:
        yield f"connection {shown(option)}", head(b"Connection: " + option, _LENGTH_ALL) + HIDDEN
        yield f"connection {shown(option)} with chunks", head(_CODED, b"Connection: " + option) + chunked(b"abc") + HIDDEN
    for upgrade in UPGRADES:
        asked = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade, b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
        yield f"upgrade {shown(upgrade)}", head(*asked, line=b"GET " + target + b" HTTP/1.1") + HIDDEN
        yield f"upgrade {shown(upgrade)} with a body", head(*asked, _LENGTH_ALL) + HIDDEN
        yield f"upgrade {shown(upgrade)}, not announced", head(asked[1], line=b"GET " + target + b" HTTP/1.1") + HIDDEN
    for expect in EXPECTS:
        yield f"expect {shown(expect)}", head(b"Expect: " + expect, _LENGTH_ALL) + HIDDEN
        yield f"expect {shown(expect)} with chunks", head(b"Expect: " + expect, _CODED) + chunked(b"abc") + HIDDEN
        if expect.strip().lower() != b"100-continue":  # waitress waits for a body that is not announced, without a proxy too
            yield (
                f"expect {shown(expect)} with nothing",
                head(b"Expect: " + expect, line=b"GET " + target + b" HTTP/1.1") + HIDDEN,
            )
