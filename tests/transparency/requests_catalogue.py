"""What clients may send: methods, targets, fields and framings of requests."""

from __future__ import annotations

from tests.transparency.exchange import READ, Drip, Exchange, Pause, Sees, answer, one, request

OK = answer()
METHODS = (
    b"GET POST PUT PATCH DELETE OPTIONS TRACE LINK UNLINK PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH QUERY PURGE"
    b" M-SEARCH NOTIFY SUBSCRIBE BREW BASELINE-CONTROL VERSION-CONTROL ACL BIND CHECKIN MERGE X"
    b" !#$%&'*+-.^_`|~09"
).split()
TARGETS: dict[str, bytes] = {
    "root": b"/",
    "empty query": b"/x?",
    "only a question mark and an ampersand": b"/x?&",
    "query without value": b"/x?a&b=&=c",
    "repeated keys": b"/x?a=1&a=2&a=1",
    "question marks in the query": b"/x?a=?&b=/?",
    "slashes": b"//x//y///",
    "dots": b"/a/./b/../c/..",
    "encoded dots": b"/%2e%2e/%2E./x",
    "encoded slash": b"/a%2fb%2Fc",
    "encoded question mark and hash": b"/a%3Fb%23c",
    "encoded null": b"/a%00b",
    "encoded line end": b"/a%0d%0ab",
    "encoded blank and plus": b"/a%20b+c?d=e+f%20g",
    "wrong percent encoding": b"/a%zz%4",
    "upper and lower hex": b"/%c3%A4%C3%b6",
    "raw UTF-8": "/ä/ö?ü=ß".encode(),
    "raw latin-1": b"/\xe4?\xff",
    "parameters": b"/a;b=1;c/d;e",
    "semicolons in the query": b"/x?a=1;b=2",
    "brackets": b"/x?a[]=1&a[b]=2",
    "braces, pipes and quotes": b'/{a}|b\\c^`"<>?{}|\\^`"<>',
    "all sub-delims": b"/!$&'()*+,;=:@-._~",
    "a colon first": b"/:80/http://x",
    "a URL in the path": b"/http://other.test/y",
    "long": b"/" + b"a" * 8192,
    "long query": b"/x?q=" + b"%20b" * 2048,
    "32 KiB": b"/" + b"z" * 32768,
    "many segments": b"/s" * 500,
    "encoded percent": b"/%25%2525",
    "tilde": b"/~user/%7Euser",
    "star in the path": b"/*",
    "JSON in the query": b'/x?f={"a":[1,2]}',
    "a dot file": b"/.well-known/x.json",
    "a trailing dot": b"/x.",
}
FIELDS: dict[str, bytes] = {
    "order and case": b"x-b: 1\r\nX-A: 2\r\nX-b: 3\r\nx-a: 4\r\n",
    "empty value": b"X-Empty:\r\nX-Blank:  \r\nX-Next: 1\r\n",
    "blanks around values": b"X-A:no blank\r\nX-B:   three   \r\nX-C:\ttab\t\r\n",
    "tab inside": b"X-A: a\tb\r\n",
    "obs-text": b"X-L: caf\xe9\r\nX-U: caf\xc3\xa9\r\nX-H: \x80\xff\r\n",
    "odd names": b"!#$%&'*+-.^_`|~09aZ: 1\r\n",
    "underscores": b"X_A: 1\r\nX-A: 2\r\n",
    "colons in values": b"X-A: a:b::c\r\n",
    "100 fields": b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(100)),
    "150 fields": b"".join(b"X-%d: %d\r\n" % (i % 7, i) for i in range(150)),
    "a value of 16 KiB": b"X-Long: " + b"v" * 16384 + b"\r\n",
    "a value of 48 KiB": b"X-Long: " + b"v" * 49152 + b"\r\n",
    "several cookies": b"Cookie: a=1; b=2\r\nCookie: c=3\r\n",
    "cookie oddities": b'Cookie: a="x y"; b=\xe9; ;; c\r\n',
    "quoted commas": b'X-List: "a,b", c\r\nX-List: d\r\n',
    "ranges": b'Range: bytes=0-1,5-,-3\r\nIf-Range: W/"x"\r\n',
    "conditions": b'If-None-Match: "a", W/"b", *\r\nIf-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\n',
    "negotiation": b"Accept: */*;q=0.1, text/html\r\nAccept-Encoding: gzip;q=0, br, *\r\nAccept-Language: de\r\n",
    "authorization": b"Authorization: Basic dTpw\r\nProxy-Authorization: Basic dTpw\r\n",
    "te": b"TE: trailers, gzip;q=0.5\r\nConnection: TE\r\n",
    "te without connection": b"TE: trailers\r\n",
    "via and forwarded": b"Via: 1.1 a\r\nForwarded: for=1.2.3.4;proto=https\r\nMax-Forwards: 3\r\n",
    "connection keep-alive": b"Connection: keep-alive\r\n",
    "connection Keep-Alive": b"Connection: Keep-Alive\r\nKeep-Alive: timeout=5, max=10\r\n",
    "connection with other tokens": b"Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\n",
    "connection close": b"Connection: close\r\n",
    "connection Close": b"Connection: Close\r\n",
    "connection CLOSE": b"Connection: CLOSE\r\n",
    "connection close among others": b"Connection: X-Hop, close\r\n",
    "connection twice": b"Connection: X-Hop\r\nConnection: close\r\n",
    "connection empty": b"Connection:\r\n",
    "proxy-connection": b"Proxy-Connection: keep-alive\r\n",
    "upgrade that is not taken": b"Upgrade: foo/2, bar\r\nConnection: Upgrade\r\n",
    "upgrade to h2c": b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\n",
    "trace context": b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
    "trailer announced, none sent": b"Trailer: X-Sum\r\n",
    "another expectation": b"Expect: the-unexpected\r\n",
    "priority": b"Priority: u=1, i\r\nSec-Fetch-Mode: cors\r\nDNT: 1\r\n",
    "method override": b"X-HTTP-Method-Override: DELETE\r\n",
}
HOSTS: dict[str, bytes] = {
    "with port": b"Host: shop.test:8080\r\n",
    "in capitals": b"HOST: SHOP.Test\r\n",
    "IPv6": b"Host: [::1]:80\r\n",
    "empty": b"Host:\r\n",
    "with a trailing dot": b"Host: shop.test.\r\n",
    "an underscore": b"Host: a_b.test\r\n",
    "not first": b"X-First: 1\r\nHost: shop.test\r\n",
    "of the onboarding page": b"Host: mitm.it\r\n",
}
LENGTH = b"POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %b\r\n\r\n%b"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: shop.test\r\n%bTransfer-Encoding: chunked\r\n\r\n%b"
BODIES: dict[str, bytes] = {
    "length": LENGTH % (b"5", b"hello"),
    "length zero": LENGTH % (b"0", b""),
    "length with blanks": LENGTH % (b"  5  ", b"hello"),
    "all bytes": LENGTH % (b"256", bytes(range(256))),
    "100 KiB": LENGTH % (b"102400", b"x" * 102400),
    "2 MiB": LENGTH % (b"2097152", b"yz" * 1048576),
    "no framing at all": b"POST /x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "on GET": request(body=b"hello"),
    "on DELETE": request(method=b"DELETE", body=b"hello"),
    "on OPTIONS": request(method=b"OPTIONS", body=b"hello"),
    "on HEAD": request(method=b"HEAD", body=b"hello"),
    "looks like a request": LENGTH % (b"40", b"GET /evil HTTP/1.1\r\nHost: a\r\nX-Y: 12\r\n\r\n"),
    "chunked": CHUNKED % (b"", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    "chunked on GET": (CHUNKED % (b"", b"5\r\nhello\r\n0\r\n\r\n")).replace(b"POST", b"GET", 1),
    "chunked and empty": CHUNKED % (b"", b"0\r\n\r\n"),
    "chunk of one byte each": CHUNKED % (b"", b"".join(b"1\r\n%c\r\n" % c for c in b"hello world") + b"0\r\n\r\n"),
    "chunk sizes with leading zeros": CHUNKED % (b"", b"0005\r\nhello\r\n000\r\n\r\n"),
    "chunk sizes in capitals": CHUNKED % (b"", b"1A\r\n" + b"x" * 26 + b"\r\n1a\r\n" + b"y" * 26 + b"\r\n0\r\n\r\n"),
    "chunk extensions": CHUNKED % (b"", b'5;a=1;b="x;y";c\r\nhello\r\n0;last\r\n\r\n'),
    "chunk extension with blanks": CHUNKED % (b"", b"5 ; a = 1\r\nhello\r\n0\r\n\r\n"),
    "chunked in capitals": (CHUNKED % (b"", b"5\r\nhello\r\n0\r\n\r\n")).replace(b": chunked", b": Chunked"),
    "chunked with trailers": CHUNKED % (b"Trailer: X-Sum\r\n", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n"),
    "trailers that were not announced": CHUNKED % (b"", b"5\r\nhello\r\n0\r\nX-Late: \xe9\r\n\r\n"),
    "trailers and no data": CHUNKED % (b"", b"0\r\nX-Sum: 1\r\n\r\n"),
    "chunk of 100 KiB": CHUNKED % (b"", b"19000\r\n" + b"q" * 102400 + b"\r\n0\r\n\r\n"),
    "content coding": request(method=b"POST", fields=b"Content-Encoding: gzip\r\n", body=b"\x1f\x8b\x00not gzip"),
    "form": request(method=b"POST", fields=b"Content-Type: application/x-www-form-urlencoded\r\n", body=b"a=1&b=%20&a=2"),
    "multipart": request(
        method=b"POST",
        fields=b'Content-Type: multipart/form-data; boundary="x"\r\n',
        body=b"--x\r\nA: b\r\n\r\n\x00\r\n--x--\r\n",
    ),
}
SLOW: dict[str, tuple[bytes | Drip | Pause, ...]] = {
    "head byte by byte": (Drip(request()),),
    "body byte by byte": (LENGTH % (b"30", b""), Drip(b"b" * 30)),
    "chunks byte by byte": (CHUNKED % (b"", b""), Drip(b"5\r\nhello\r\n3;x\r\nabc\r\n0\r\nX: 1\r\n\r\n")),
    "head in two pieces": (request()[:20], Pause(0.02), request()[20:]),
    "head cut between CR and LF": (request()[:-3], Pause(0.02), request()[-3:]),
    "empty lines first": (b"\r\n\r\n", Pause(0.02), b"\r\n" + request()),
    "body after a pause": (LENGTH % (b"10", b"01234"), Pause(0.05), b"56789"),
}
ABSOLUTE: dict[str, bytes] = {
    "with a path": b"GET http://shop.test/x?y=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "of another host": b"GET http://other.test/x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "without a path": b"GET http://shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "with a port": b"GET http://shop.test:8080/x HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n",
    "with https": b"GET https://shop.test/x HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "in capitals": b"GET HTTP://SHOP.test/X HTTP/1.1\r\nHost: shop.test\r\n\r\n",
}


REFUSED: dict[str, bytes] = {
    "a length and a transfer coding": LENGTH.replace(b"Content", b"Transfer-Encoding: chunked\r\nContent", 1)
    % (b"5", b"0\r\n\r\n"),
    "two equal lengths": LENGTH.replace(b"Content", b"Content-Length: 5\r\nContent", 1) % (b"5", b"hello"),
    "a length with leading zeros": LENGTH % (b"0005", b"hello"),
    "two Hosts": b"GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "no Host": b"GET /x HTTP/1.1\r\nX-A: b\r\n\r\n",
    "a folded field": b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "line ends of one byte": b"GET /x HTTP/1.1\nHost: a\n\n",
    "a blank before a colon": b"GET /x HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
    "a control character in a value": b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\x01c\r\n\r\n",
    "a field without a colon": b"GET /x HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n",
    "a fragment in the target": request(b"/x#fragment"),
    "a target in authority form": b"GET shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "CONNECT": b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\n",
    "* for another method than OPTIONS": b"GET * HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "another version": b"GET /x HTTP/1.2\r\nHost: shop.test\r\n\r\n",
    "gzip, chunked": (CHUNKED % (b"", b"5\r\nhello\r\n0\r\n\r\n")).replace(b": chunked", b": gzip, chunked"),
    "chunks in HTTP/1.0": (CHUNKED % (b"", b"5\r\nhello\r\n0\r\n\r\n")).replace(b"1.1", b"1.0"),
    "small letters in the method": request(method=b"get"),
    "Connection that names a field of the backend": request(fields=b"Connection: Authorization\r\n"),
    "300 fields": request(fields=b"X: y\r\n" * 300),
    "a head of 80 KiB": request(fields=b"X: " + b"y" * 81920 + b"\r\n"),
    "a trailer that frames": CHUNKED % (b"", b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"),
}


def exchanges() -> list[Exchange]:
    """All cases of this file."""
    made = [one(f"method {method.decode()}", request(method=method), OK) for method in METHODS]
    made += [one(f"method {m.decode()} with a body", request(method=m, body=b"a=1"), OK) for m in METHODS]
    made += [
        one("method HEAD", request(method=b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        one("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n", OK),
    ]
    made += [one(f"target {name}", request(target), OK) for name, target in TARGETS.items()]
    made += [one(f"request fields: {name}", request(fields=fields), OK) for name, fields in FIELDS.items()]
    made += [one(f"Host {name}", b"GET /x HTTP/1.1\r\n" + host + b"\r\n", OK) for name, host in HOSTS.items()]
    made += [one(f"request body: {name}", ask, answer(b"") if b"HEAD" in ask[:5] else OK) for name, ask in BODIES.items()]
    made += [Exchange(f"slow request: {name}", steps, ((OK,),), (b"GET",)) for name, steps in SLOW.items()]
    made += [one(f"absolute form {name}", ask, OK) for name, ask in ABSOLUTE.items()]
    made += [one(f"refused: {name}", ask, OK) for name, ask in REFUSED.items()]
    made += [
        Exchange(
            "the backend sees a body while it is sent",
            (LENGTH % (b"10", b"01234"), Sees(b"103"), b"56789"),
            ((b"HTTP/1.1 103 Early Hints\r\n\r\n", READ, OK),),
            (b"POST",),
            early=True,
        ),
        Exchange(
            "the backend sees chunks while they are sent",
            (CHUNKED % (b"", b"3\r\nabc\r\n"), Sees(b"103"), b"0\r\n\r\n"),
            ((b"HTTP/1.1 103 Early Hints\r\n\r\n", READ, OK),),
            (b"POST",),
            early=True,
        ),
    ]
    return made
