"""What backends may say: status lines, fields and framings of answers, and how they arrive."""

from __future__ import annotations

import gzip
import zlib

from tests.transparency.exchange import CLOSE, GATE, Drip, Exchange, Pause, Sees, answer, chunked, one, request

GET = request()
REASONS: dict[str, bytes] = {
    "none": b"200 ",
    "of one letter": b"200 K",
    "of many words": b"200 It  went   rather well, thanks",
    "with obs-text": b"200 \xc3\xa4rger \xe9\xff",
    "with a tab": b"200 a\tb",
    "with a colon": b"200 X-Not: a header",
    "with quotes and brackets": b'404 <b>"No"</b> {} %s %d \\',
    "in lower case": b"404 not found",
    "that contradicts": b"200 Internal Server Error",
    "of 1000 bytes": b"200 " + b"r" * 1000,
    "with a blank at its end": b"200 OK ",
}
STATUSES = [
    *range(200, 209),
    210,
    218,
    226,
    250,
    299,
    *range(300, 309),
    310,
    399,
    *range(400, 419),
    *range(419, 432),
    440,
    444,
    449,
    450,
    451,
    460,
    494,
    495,
    499,
    *range(500, 512),
    520,
    521,
    530,
    540,
    598,
    599,
    600,
    700,
    999,
]
FIELDS: dict[str, bytes] = {
    "order, case, duplicates": b"X-Zeta: 1\r\nx-alpha: 2\r\nx-ZETA: 3\r\nX-Alpha: 4\r\n",
    "empty values": b"X-Empty:\r\nX-Blank: \t \r\n",
    "blanks around values": b"X-A:1\r\nX-B:   2  \r\nX-C:\t3\r\n",
    "obs-text": b"X-L: caf\xe9\r\nX-U: caf\xc3\xa9\r\n",
    "odd names": b"!#$%&'*+-.^_`|~09aZ: 1\r\n",
    "100 fields": b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(100)),
    "150 fields": b"".join(b"X-%d: v\r\n" % (i % 9) for i in range(150)),
    "400 fields": b"".join(b"X-%d: v\r\n" % i for i in range(400)),
    "a value of 16 KiB": b"X-Long: " + b"v" * 16384 + b"\r\n",
    "a value of 48 KiB": b"X-Long: " + b"v" * 49152 + b"\r\n",
    "fifty cookies": b"".join(b"Set-Cookie: c%d=%d; Path=/; HttpOnly\r\n" % (i, i) for i in range(50)),
    "cookies with commas": b'Set-Cookie: a=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT\r\nset-cookie: b="x,y"\r\n',
    "names of the proxy's own": b"X-Forwarded-For: 1.2.3.4\r\nVia: 1.1 x\r\nX-Paritygate-Side: candidate\r\n",
    "server and date": b"Server: odd/1.0 (x)\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
    "keep-alive": b"Connection: keep-alive\r\nKeep-Alive: timeout=5, max=99\r\n",
    "Keep-Alive in capitals": b"Connection: Keep-Alive\r\n",
    "connection with other tokens": b"Connection: X-Hop\r\nX-Hop: 1\r\n",
    "connection empty": b"Connection:\r\n",
    "upgrade offered": b"Upgrade: h2, foo\r\nConnection: Upgrade\r\n",
    "proxy-connection": b"Proxy-Connection: keep-alive\r\n",
    "location oddities": b"Location: /a b?c=\xc3\xa4#f\r\nRefresh: 0; url=/x\r\n",
    "alt-svc": b'Alt-Svc: h3=":443"; ma=86400\r\n',
    "etag and vary": b'ETag: W/"a,b"\r\nVary: *\r\nVary: Accept\r\n',
    "trailer announced, none sent": b"Trailer: X-Sum\r\n",
    "content-type oddities": b'Content-Type: text/html ; charset="UTF-8"; a=\r\n',
    "colons in values": b"X-A: a:b::c\r\n",
}
GZIPPED = gzip.compress(b"hello " * 100, mtime=0)
CODINGS: dict[str, tuple[bytes, bytes]] = {
    "gzip": (b"gzip", GZIPPED),
    "deflate": (b"deflate", zlib.compress(b"hello " * 100)),
    "br that is none": (b"br", b"\x00\x01not brotli"),
    "gzip that is none": (b"gzip", b"plain"),
    "gzip cut short": (b"gzip", GZIPPED[:-9]),
    "gzip twice": (b"gzip, gzip", gzip.compress(GZIPPED, mtime=0)),
    "identity": (b"identity", b"hello"),
    "an unknown one": (b"x-secret", b"\x01\x02"),
    "an empty one": (b"", b"hello"),
}
FRAMED: dict[str, bytes] = {
    "one chunk": b"5\r\nhello\r\n0\r\n\r\n",
    "no chunk": b"0\r\n\r\n",
    "odd sizes": b"1\r\na\r\n7\r\nbcdefgh\r\n2\r\nij\r\n0\r\n\r\n",
    "capitals": b"1A\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n",
    "leading zeros": b"00005\r\nhello\r\n0000\r\n\r\n",
    "extensions": b'5;a;b=1;c="d;e"\r\nhello\r\n0;end=1\r\n\r\n',
    "a blank behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "trailers": b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-SUM: 2\r\n\r\n",
    "a trailer with obs-text": b"5\r\nhello\r\n0\r\nX-L: \xe9\r\n\r\n",
    "trailers and no data": b"0\r\nX-Sum: 1\r\n\r\n",
    "grpc-like trailers": b"5\r\nhello\r\n0\r\ngrpc-status: 0\r\ngrpc-message:\r\n\r\n",
    "one byte each": b"".join(b"1\r\n%c\r\n" % c for c in b"hello world, here I am") + b"0\r\n\r\n",
    "100 KiB in one": b"19000\r\n" + b"x" * 102400 + b"\r\n0\r\n\r\n",
    "a thousand chunks": b"a\r\n0123456789\r\n" * 1000 + b"0\r\n\r\n",
    "all bytes": b"100\r\n" + bytes(range(256)) + b"\r\n0\r\n\r\n",
    "what looks like an answer": b"28\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n\r\n\r\n0\r\n\r\n",
}
MULTIPART = b"--b\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--b\r\nContent-Range: bytes 4-5/9\r\n\r\nef\r\n--b--\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"
LENGTHS: dict[str, tuple[bytes | Drip | Pause, ...]] = {
    "zero": (answer(b""),),
    "all bytes": (answer(bytes(range(256))),),
    "200 KiB": (answer(b"0123456789" * 20480),),
    "leading zeros": (b"HTTP/1.1 200 OK\r\nContent-Length: 0005\r\n\r\nhello",),
    "the same twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",),
    "the same twice in one": (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",),
    "what looks like an answer": (answer(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),),
    "byte by byte": (Drip(answer(b"slow but sure")),),
    "chunks byte by byte": (Drip(chunked(b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n")),),
    "head and body apart": (answer()[:-5], Pause(0.03), b"hello"),
    "head in two": (answer()[:10], Pause(0.03), answer()[10:]),
    "head cut between CR and LF": (answer()[:-6], Pause(0.03), answer()[-6:]),
    "an empty line first": (b"\r\n" + answer(),),
    "line ends of one byte": (b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 5\n\nhello",),
    "a folded field": (answer(fields=b"X-Fold: a\r\n  b\r\n"),),
}
ENDS: dict[str, tuple[bytes | Drip | Pause, ...]] = {
    "until the end": (CLOSED,),
    "until the end, without saying so": (b"HTTP/1.1 200 OK\r\n\r\nuntil the end",),
    "until the end, empty": (b"HTTP/1.1 200 OK\r\n\r\n",),
    "until the end, in pieces": (b"HTTP/1.1 200 OK\r\n\r\n", Pause(0.02), b"until ", Pause(0.02), b"the end"),
    "until the end, 300 KiB": (b"HTTP/1.1 200 OK\r\n\r\n" + b"end" * 102400,),
    "transfer coding identity": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nuntil the end",),
    "transfer coding gzip": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + GZIPPED,),
    "an unknown transfer coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\nwhatever",),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nold",),
    "HTTP/1.0 with a length": (answer(version=b"1.0"),),
    "HTTP/1.0 in chunks": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
    "length and Connection: close": (answer(fields=b"Connection: close\r\n"),),
    "length and Connection: Close": (answer(fields=b"Connection: Close\r\n"),),
    "length and close among others": (answer(fields=b"Connection: X-Hop, close\r\n"),),
    "chunks and Connection: close": (chunked(b"5\r\nhello\r\n0\r\n\r\n", b"Connection: close\r\n"),),
    "length, then closed without a word": (answer(),),
    "chunks, then closed without a word": (chunked(b"5\r\nhello\r\n0\r\n\r\n"),),
    "a length that is no number": (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",),
    "204 and Connection: close": (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",),
}
BODYLESS: dict[str, bytes] = {
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with length zero": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "204 with a transfer coding": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "205 with length zero": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "205 in chunks": b"HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "304": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n",
    "304 with length zero": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
    "304 with a transfer coding": b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    "304 with a type": b"HTTP/1.1 304 Not Modified\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\n\r\n",
}
HEADS: dict[str, bytes] = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    "with a transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "with neither": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n",
    "with a trailer announced": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
    "with a length of many digits": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "with the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "404 with a length": b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
}
SLOPPY: dict[str, bytes] = {
    "a blank before a colon": b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length : 5\r\n\r\nhello",
    "a name of two words": b"HTTP/1.1 200 OK\r\nX Bad: 1\r\nContent-Length: 5\r\n\r\nhello",
    "names with odd signs": b"HTTP/1.1 200 OK\r\nX@(a)/{b}: 1\r\nContent-Length: 5\r\n\r\nhello",
    "a null in a value": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 5\r\n\r\nhello",
    "other control characters in a value": b"HTTP/1.1 200 OK\r\nX-A: a\x01\x1bb\r\nContent-Length: 5\r\n\r\nhello",
    "a length and a transfer coding": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "transfer coding identity and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    "two blanks behind the version": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a transfer coding on two lines": chunked(b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: gzip\r\n"),
    "different lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a line without a colon": b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 5\r\n\r\nhello",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "no HTTP": b"ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "a head of 80 KiB": answer(fields=b"X-Long: " + b"v" * 81920 + b"\r\n"),
    "a body behind 204": b"HTTP/1.1 204 No Content\r\n\r\nhello",
    "more than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
}
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"


def exchanges() -> list[Exchange]:
    """All cases of this file."""
    made = [one(f"reason {name}", GET, answer(status=status)) for name, status in REASONS.items()]
    made += [one(f"status {s}", GET, answer(status=b"%d Text" % s)) for s in STATUSES if s not in (204, 304)]
    made += [one(f"answer fields: {name}", GET, answer(fields=fields)) for name, fields in FIELDS.items()]
    made += [
        one(f"content coding {name}", GET, answer(body, b"Content-Encoding: " + coding + b"\r\n"))
        for name, (coding, body) in CODINGS.items()
    ]
    made += [
        one("a range", GET, answer(b"cde", b"Content-Range: bytes 2-4/10\r\n", b"206 Partial Content")),
        one("a range of an unknown whole", GET, answer(b"cde", b"Content-Range: bytes 2-4/*\r\n", b"206 Partial Content")),
        one("a range that cannot be", GET, answer(b"", b"Content-Range: bytes */10\r\n", b"416 Range Not Satisfiable")),
        one(
            "several ranges",
            GET,
            answer(MULTIPART, b"Content-Type: multipart/byteranges; boundary=b\r\n", b"206 Partial Content"),
        ),
        one(
            "several ranges in chunks",
            GET,
            chunked(
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(MULTIPART), MULTIPART),
                b"Content-Type: multipart/byteranges; boundary=b\r\n",
                b"206 Partial Content",
            ),
        ),
        one("no status text and no blank", GET, b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"),
    ]
    made += [one(f"chunks: {name}", GET, chunked(framed)) for name, framed in FRAMED.items()]
    made += [one(f"length: {name}", GET, *steps) for name, steps in LENGTHS.items()]
    made += [one(f"end: {name}", GET, *steps, CLOSE) for name, steps in ENDS.items()]
    made += [one(f"no body: {name}", GET, say) for name, say in BODYLESS.items()]
    made += [one(f"sloppy: {name}", GET, say) for name, say in SLOPPY.items()]
    made += [one(f"HEAD {name}", request(method=b"HEAD"), say) for name, say in HEADS.items()]
    made += [
        one("HTTP/1.0 with keep-alive", GET, answer(fields=b"Connection: keep-alive\r\n", version=b"1.0")),
        one("transfer coding in capitals", GET, chunked(b"5\r\nhello\r\n0\r\n\r\n").replace(b": chunked", b": CHUNKED")),
        one("gzip, chunked", GET, chunked(b"5\r\nhello\r\n0\r\n\r\n").replace(b": chunked", b": gzip, chunked")),
        _held("the head of an answer before its body", answer()[:-5], b"hello"),
        _held("the first bytes of a body of known length", answer()[:-3], b"llo"),
        _held("the first chunk", chunked(b"5\r\nfirst\r\n"), b"0\r\n\r\n"),
        _held(
            "the first event of a stream in chunks",
            EVENTS + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
            b"0\r\n\r\n",
        ),
        Exchange(
            "at once: half a chunk", (GET, Sees(b"half-")), ((chunked(b"10\r\nhalf-"), GATE, b"-and-half!!\r\n0\r\n\r\n"),)
        ),
        Exchange(
            "the first event of a stream without end",
            (GET, Sees(b"data: 1")),
            ((EVENTS + b"\r\ndata: 1\n\n", GATE, b"data: 2\n\n", CLOSE),),
        ),
        Exchange(
            "line by line", (GET, Sees(b"b")), ((b"HTTP/1.1 200 OK\r\n\r\na\n", Pause(0.02), b"b\n", GATE, b"c\n", CLOSE),)
        ),
    ]
    return made


def _held(name: str, first: bytes, rest: bytes) -> Exchange:
    """The backend sends `rest` only when the client has all of `first`."""
    return Exchange(
        f"at once: {name}", (GET, Sees(first.rpartition(b"\r\n\r\n")[2].strip() or b"\r\n\r\n")), ((first, GATE, rest),)
    )
