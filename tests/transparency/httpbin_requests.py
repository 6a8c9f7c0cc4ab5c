"""What httpbin is asked: every endpoint it has, with ordinary and odd arguments."""

from __future__ import annotations

from tests.transparency.exchange import request

Asked = tuple[str, bytes]
ODD_QUERIES = (
    "", "?", "?a", "?a=", "?=b", "?a=1&a=2", "?a=%20+%2B", "?%C3%A4=%E2%82%AC", "?a[]=1&a[b]=2", "?a=1;b=2", "?a=%zz", "?a=b=c", "?&&",
    "?q=%00", "?x=" + "y" * 2000,
)  # fmt: skip
ODD_PATHS = (
    "",
    "/",
    "//",
    "/a/../b",
    "/%2e%2e/x",
    "/a%2Fb",
    "/a;b=c",
    "/%C3%A4",
    "/a%20b",
    "/~x",
    "/a+b",
    "/!$&'()*,=:@",
    "/a//b",
)
FIELDS = (
    b"Accept: */*\r\n", b"Accept: application/json;q=0.5, text/html\r\n", b"Accept-Encoding: gzip, br\r\n", b"User-Agent: odd (x)/1\r\n",
    b"Cookie: a=1; b=2\r\n", b"Cookie: a=1\r\nCookie: b=2\r\n", b"Referer: http://x.test/?a=b#c\r\n", b"X-Empty:\r\n",
    b"X-Twice: 1\r\nX-Twice: 2\r\n", b"X-Latin: caf\xe9\r\n", b"Authorization: Bearer abc\r\n", b"Origin: http://x.test\r\n",
    b"Content-Type: text/plain\r\n", b"X-Tab: a\tb\r\n", b"DNT: 1\r\nSec-Fetch-Mode: cors\r\n", b"X-Forwarded-Host: x.test\r\n",
)  # fmt: skip
PART = b'Content-Disposition: form-data; name="f"'
BODIES = (
    (b"Content-Type: application/json\r\n", b'{"a": [1, 2, {"b": null}], "a": 1}'),
    (b"Content-Type: application/json\r\n", b"{not json"),
    (b"Content-Type: application/json; charset=utf-8\r\n", '"ä€"'.encode()),
    (b"Content-Type: application/x-www-form-urlencoded\r\n", b"a=1&a=2&b=%C3%A4&c=+&d"),
    (b"Content-Type: text/plain; charset=latin-1\r\n", b"caf\xe9"),
    (b"Content-Type: application/octet-stream\r\n", bytes(range(256))),
    (b'Content-Type: multipart/form-data; boundary="b"\r\n', b"--b\r\n" + PART + b'; filename="a.bin"\r\n\r\n\x00\xff\r\n--b--\r\n'),
    (b"Content-Type: multipart/form-data; boundary=b\r\n", b"--b\r\n" + PART + b"\r\n\r\n1\r\n--b\r\n" + PART + b"\r\n\r\n2\r\n--b--\r\n"),
    (b"", b""),
    (b"Content-Encoding: gzip\r\nContent-Type: text/plain\r\n", b"not gzip"),
    (b"Content-Type: text/plain\r\n", b"z" * 70000),
)  # fmt: skip
PLAIN = (
    "/ip", "/user-agent", "/headers", "/html", "/robots.txt", "/deny", "/xml", "/json", "/encoding/utf8", "/gzip", "/deflate", "/brotli",
    "/forms/post", "/links/5/2", "/links/3", "/image", "/image/png", "/image/jpeg", "/image/svg", "/image/webp", "/base64/SGVsbG8=",
    "/base64/not%20base64", "/bytes/100?seed=1", "/bytes/0?seed=1", "/bytes/100000?seed=7", "/stream-bytes/1000?seed=2&chunk_size=7",
    "/stream-bytes/50000?seed=2", "/stream/1", "/stream/20", "/stream/0", "/range/26", "/range/1000?chunk_size=10&duration=0",
    "/drip?numbytes=5&duration=0.1&delay=0", "/drip?numbytes=10&duration=0.05&code=500", "/delay/0", "/delay/0.1", "/cookies",
    "/cookies/set?a=1&b=2", "/cookies/set/x/y", "/cookies/delete?a", "/redirect/1", "/redirect/3", "/relative-redirect/2",
    "/absolute-redirect/2", "/redirect-to?url=%2Fget", "/redirect-to?url=http%3A%2F%2Fx.test%2F%3Fa%3Db&status_code=307",
    "/basic-auth/u/p", "/hidden-basic-auth/u/p", "/bearer", "/response-headers?X-A=1&X-A=2&Content-Type=text%2Fx",
    "/response-headers?Set-Cookie=a%3D1&Set-Cookie=b%3D2", "/cache/60", "/etag/abc", "/static/favicon.ico", "/flasgger_static/none",
    "/nothing/here", "/legacy", "/spec.json", "/",
)  # fmt: skip
STATUSES = (
    200, 201, 202, 203, 204, 205, 206, 207, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 409, 410,
    411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 599,
)  # fmt: skip


def _get(target: str, fields: bytes = b"", method: bytes = b"GET", body: bytes | None = None) -> Asked:
    ask = request(target.encode(), method, b"Connection: close\r\n" + fields, body)
    return f"{method.decode()} {target[:60]} {fields.decode('latin-1').strip()[:60]}".strip(), ask


def asked() -> list[Asked]:
    """Each request with a name."""
    made = [_get(target) for target in PLAIN]
    made += [_get(f"/get{query}") for query in ODD_QUERIES]
    made += [_get(f"/anything{path}") for path in ODD_PATHS]
    made += [_get("/headers", fields) for fields in FIELDS]
    made += [_get("/anything", fields) for fields in FIELDS]
    made += [_get(f"/status/{status}", method=method) for status in STATUSES for method in (b"GET",)]
    made += [
        _get("/status/418", method=method) for method in (b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE")
    ]
    for i, (fields, body) in enumerate(BODIES):
        for target, method in (
            ("/anything", b"POST"),
            ("/post", b"POST"),
            ("/put", b"PUT"),
            ("/patch", b"PATCH"),
            ("/delete", b"DELETE"),
        ):
            name, ask = _get(target, fields, method, body)
            made.append((f"{name} (body {i})", ask))
    chunked = b"Connection: close\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
    made.append(
        ("POST /post in chunks", request(b"/post", b"POST", chunked) + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
    )
    made += [
        _get(target, method=b"HEAD")
        for target in ("/get", "/bytes/50?seed=1", "/gzip", "/stream/3", "/nothing", "/range/100", "/etag/x")
    ]
    made += [_get(target, method=method) for target in ("/get", "/post") for method in (b"OPTIONS", b"DELETE", b"PURGE")]
    made += [
        _get("/range/100", b"Range: bytes=%b\r\n" % span) for span in (b"0-9", b"90-", b"-5", b"200-300", b"0-9,20-29", b"x-y")
    ]
    made += [
        _get("/etag/abc", field) for field in (b'If-None-Match: "abc"\r\n', b"If-None-Match: *\r\n", b"If-Match: other\r\n")
    ]
    made += [_get("/cache", b"If-Modified-Since: Sat, 29 Oct 2033 19:43:31 GMT\r\n"), _get("/cache", b"If-None-Match: x\r\n")]
    made += [
        _get("/basic-auth/u/p", b"Authorization: Basic dTpw\r\n"),
        _get("/hidden-basic-auth/u/p", b"Authorization: Basic eA==\r\n"),
    ]
    made += [_get("/bearer", b"Authorization: Bearer t\r\n"), _get("/cookies", b'Cookie: a="x y"; b=2; a=3\r\n')]
    made += [_get("/image", b"Accept: image/%b\r\n" % kind) for kind in (b"webp", b"svg+xml", b"jpeg", b"*", b"none")]
    return made
