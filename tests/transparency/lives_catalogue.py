"""How exchanges follow each other and how they fail: informational answers, persistence, pipelines, early ends, cuts."""

from __future__ import annotations

from tests.transparency.exchange import (
    CLOSE,
    GATE,
    HALF_CLOSE,
    READ,
    RESET,
    Exchange,
    Pause,
    Sees,
    answer,
    chunked,
    one,
    request,
)

GET, OK = request(), answer()
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
INFORMATIONAL: dict[str, bytes] = {
    "100 that nobody asked for": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": HINTS,
    "103 twice": HINTS + HINTS,
    "100, 102, 103": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: b\r\n\r\n" + HINTS,
    "an unknown one": b"HTTP/1.1 199 Odd \xe9\r\nX-Empty:\r\n\r\n",
    "103 without a reason": b"HTTP/1.1 103 \r\n\r\n",
    "of HTTP/1.0": b"HTTP/1.0 103 Early Hints\r\n\r\n",
    "ten of them": b"HTTP/1.1 102 Processing\r\n\r\n" * 10,
}
EXPECT = b"Expect: 100-continue\r\n"
UPLOAD = b"PUT /x HTTP/1.1\r\nHost: shop.test\r\n%bContent-Length: 10\r\n\r\n"
LARGE = b"PUT /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3000000\r\n\r\n"
STREAM = b"PUT /x HTTP/1.1\r\nHost: shop.test\r\n%bTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NO = answer(b"no", b"Connection: close\r\n", b"%b")
CUTS: dict[str, tuple[bytes | Pause, ...]] = {
    "in a body of known length": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",),
    "before a body of known length": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",),
    "in a chunk": (chunked(b"a\r\n01234"),),
    "between chunks": (chunked(b"5\r\nhello\r\n"),),
    "before the first chunk": (chunked(b""),),
    "in a chunk's size": (chunked(b"5\r\nhello\r\n1"),),
    "before the last empty line": (chunked(b"5\r\nhello\r\n0\r\n"),),
    "in the trailers": (chunked(b"5\r\nhello\r\n0\r\nX-S"),),
    "after an informational answer and half a body": (HINTS, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
}
VERSION_0: dict[str, tuple[bytes, bytes]] = {
    "HTTP/1.0 without keep-alive": (b"", answer(version=b"1.0")),
    "HTTP/1.0, answered as HTTP/1.1": (b"", answer(fields=b"Connection: close\r\n")),
    "HTTP/1.0, answered until the end": (b"", b"HTTP/1.0 200 OK\r\n\r\nold"),
    "HTTP/1.0 without Host": (b"-", answer(version=b"1.0")),
    "HTTP/1.0 with hints": (b"", HINTS + answer(version=b"1.0")),
}


def exchanges() -> list[Exchange]:
    """All cases of this file."""
    made = [one(f"informational: {name}", GET, early + OK) for name, early in INFORMATIONAL.items()]
    made += [
        one("informational, then chunks", GET, HINTS + chunked(b"2\r\nok\r\n0\r\n\r\n")),
        one("informational, then nothing more", request(method=b"HEAD"), HINTS + b"HTTP/1.1 204 No Content\r\n\r\n"),
        one("informational to a POST", request(method=b"POST", body=b"abc"), HINTS, OK),
        Exchange("informational at once", (GET, Sees(b"103 Early")), ((HINTS, GATE, OK),)),
        Exchange("informational to each of two", (GET, Sees(b"hello"), GET), ((HINTS + OK,), (HINTS + OK,)), (b"GET", b"GET")),
    ]
    made += _upgrades() + _expectations() + _early() + _persistence() + _pipelines() + _half_closed()
    for name, steps in CUTS.items():
        made.append(one(f"cut {name}", GET, *steps, CLOSE, probe=False))
        made.append(one(f"reset {name}", GET, *steps, RESET, probe=False))
    made += [
        one("reset in a body until the end", GET, b"HTTP/1.1 200 OK\r\n\r\nhalf of", RESET, probe=False),
        one("cut before an answer", request(method=b"POST", body=b"x"), CLOSE, probe=False),
        one("cut in a head", GET, b"HTTP/1.1 200 OK\r\nX-A", CLOSE, probe=False),
    ]
    return made


def _upgrades() -> list[Exchange]:
    ask = request(fields=b"Upgrade: foo/1\r\nConnection: Upgrade\r\n")
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo/1\r\nConnection: Upgrade\r\nX-A:b\r\n\r\n"
    return [
        Exchange(
            "upgrade: both ways, the client ends first", (ask, Sees(b"101"), b"hello", Sees(b"HELLO"), HALF_CLOSE), ((switch,),)
        ),
        Exchange(
            "upgrade: the backend speaks first",
            (ask, Sees(b"banner"), b"a\r\n", Sees(b"A\r\n"), HALF_CLOSE),
            ((switch + b"\r\n\r\nbanner\r\n",),),
        ),
        Exchange(
            "upgrade: the client's first bytes are line ends", (ask, Sees(b"101"), b"\r\n\n\rx", HALF_CLOSE), ((switch,),)
        ),
        Exchange("upgrade: the client does not wait for 101", (ask + b"\r\nhello", HALF_CLOSE), ((switch,),)),
        Exchange("upgrade: all bytes, 300 KiB", (ask, Sees(b"101"), bytes(range(256)) * 1200, HALF_CLOSE), ((switch,),)),
        Exchange("upgrade: the backend ends first", (ask, Sees(b"bye")), ((switch, b"bye", CLOSE),)),
        Exchange("upgrade: reset by the backend", (ask, Sees(b"bye")), ((switch, b"bye", GATE, RESET),)),
        Exchange("upgrade: hints before it", (ask, Sees(b"101"), b"hello", HALF_CLOSE), ((HINTS + switch,),)),
        Exchange("upgrade: refused", (ask,), ((answer(b"no", status=b"426 Upgrade Required"),),)),
        Exchange("upgrade: ignored", (ask, Sees(b"hello"), GET), ((OK,), (OK,)), (b"GET", b"GET")),
    ]


def _expectations() -> list[Exchange]:
    final = {
        "200": OK,
        "417": answer(b"", status=b"417 Expectation Failed"),
        "401": answer(b"", b"WWW-Authenticate: Basic\r\n", b"401 Unauthorized"),
    }
    made = [
        Exchange(
            "expect: continued", (UPLOAD % EXPECT, Sees(b"100"), b"0123456789"), ((CONTINUE, READ, OK),), (b"PUT",), early=True
        ),
        Exchange(
            "expect: continued, in chunks",
            (STREAM % EXPECT, Sees(b"100"), b"3\r\nabc\r\n0\r\n\r\n"),
            ((CONTINUE, READ, OK),),
            (b"PUT",),
            early=True,
        ),
        Exchange(
            "expect: the body comes without waiting",
            (UPLOAD % EXPECT + b"0123456789",),
            ((CONTINUE, READ, OK),),
            (b"PUT",),
            early=True,
        ),
        Exchange(
            "expect: never continued, the client sends all the same",
            (UPLOAD % EXPECT, Pause(0.1), b"0123456789"),
            ((READ, OK),),
            (b"PUT",),
            early=True,
        ),
        Exchange(
            "expect: in capitals",
            (UPLOAD % EXPECT.replace(b"100-continue", b"100-Continue"), Sees(b"100"), b"0123456789"),
            ((CONTINUE, READ, OK),),
            (b"PUT",),
            early=True,
        ),
        Exchange("expect: without a body", (request(fields=EXPECT),), ((OK,),)),
        Exchange("expect: of HTTP/1.0", ((UPLOAD % EXPECT).replace(b"1.1", b"1.0") + b"0123456789",), ((OK,),), (b"PUT",)),
        Exchange(
            "expect: hints, then continued",
            (UPLOAD % EXPECT, Sees(b"100 Continue"), b"0123456789"),
            ((HINTS, CONTINUE, READ, OK),),
            (b"PUT",),
            early=True,
        ),
    ]
    for status, say in final.items():
        closing = say.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        made.append(
            Exchange(
                f"expect: refused with {status}",
                (UPLOAD % EXPECT, Sees(b"\r\n\r\n")),
                ((closing, GATE, CLOSE),),
                (b"PUT",),
                early=True,
                probe=False,
            )
        )
        made.append(
            Exchange(
                f"expect: {status} at once, the body all the same",
                (UPLOAD % EXPECT, Sees(b"\r\n\r\n"), b"0123456789"),
                ((say, GATE, READ),),
                (b"PUT",),
                early=True,
            )
        )
    return made


def _early() -> list[Exchange]:
    made = []
    for status in (b"401 Unauthorized", b"413 Content Too Large", b"200 OK"):
        number = status[:3].decode()
        closing = answer(b"no", b"Connection: close\r\n", status)
        for name, beginning in {
            "small": UPLOAD % b"" + b"01",
            "large": LARGE + b"x" * 1000,
            "chunked": STREAM % b"" + b"3\r\nabc\r\n",
            "nothing sent": UPLOAD % b"",
        }.items():
            made.append(
                Exchange(
                    f"early {number} to an upload ({name})",
                    (beginning, Sees(b"no")),
                    ((closing, GATE, CLOSE),),
                    (b"PUT",),
                    early=True,
                    probe=False,
                )
            )
    made.append(
        Exchange(
            "early 403, the rest comes all the same",
            (UPLOAD % b"" + b"01", Sees(b"no"), b"23456789"),
            ((answer(b"no", status=b"403 Forbidden"), GATE, READ),),
            (b"PUT",),
            early=True,
        )
    )
    made.append(
        Exchange(
            "early 413 while 4 MiB are sent",
            (LARGE[:-11] + b"4194304\r\n\r\n" + b"x" * 4194304,),
            ((answer(b"no", b"Connection: close\r\n", b"413 Content Too Large"), CLOSE),),
            (b"PUT",),
            early=True,
            probe=False,
        )
    )
    made.append(
        Exchange(
            "early 413 that ends with its connection",
            (UPLOAD % b"" + b"01",),
            ((b"HTTP/1.1 413 Content Too Large\r\n\r\nno", CLOSE),),
            (b"PUT",),
            early=True,
            probe=False,
        )
    )
    made.append(
        Exchange(
            "both ways at once",
            (STREAM % b"" + b"3\r\nabc\r\n", Sees(b"one"), b"3\r\ndef\r\n0\r\n\r\n"),
            ((chunked(b"3\r\none\r\n"), GATE, READ, b"3\r\ntwo\r\n0\r\n\r\n"),),
            (b"PUT",),
            early=True,
        )
    )
    return made


def _persistence() -> list[Exchange]:
    made = [
        Exchange("ten requests, one connection", (GET, Sees(b"hello"), *([GET] * 9)), ((OK,),) * 10, (b"GET",) * 10),
        Exchange(
            "all framings in a row",
            (GET, GET, request(method=b"HEAD"), GET, GET, GET),
            (
                (OK,),
                (chunked(b"2\r\nok\r\n0\r\nX: 1\r\n\r\n"),),
                (OK[:-5],),
                (b"HTTP/1.1 204 No\r\n\r\n",),
                (b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",),
                (answer(b""),),
            ),
            (b"GET", b"GET", b"HEAD", b"GET", b"GET", b"GET"),
        ),
        Exchange("an idle connection is used again", (GET, Sees(b"hello"), Pause(0.2), GET), ((OK,), (OK,)), (b"GET", b"GET")),
        Exchange(
            "HTTP/1.0 with keep-alive, twice",
            (
                request(version=b"1.0", fields=b"Connection: keep-alive\r\n"),
                Sees(b"hello"),
                request(version=b"1.0", fields=b"Connection: keep-alive\r\n"),
            ),
            ((answer(fields=b"Connection: keep-alive\r\n", version=b"1.0"),),) * 2,
            (b"GET", b"GET"),
        ),
        one(
            "HTTP/1.0 with Keep-Alive in capitals",
            request(version=b"1.0", fields=b"Connection: Keep-Alive\r\n"),
            answer(fields=b"Connection: Keep-Alive\r\n", version=b"1.0"),
        ),
        one(
            "HTTP/1.0 with keep-alive, HTTP/1.1 back",
            request(version=b"1.0", fields=b"Connection: keep-alive\r\n"),
            answer(fields=b"Connection: keep-alive\r\n"),
        ),
        one("HTTP/1.0 POST", request(method=b"POST", version=b"1.0", body=b"abc"), answer(version=b"1.0")),
        one("a backend that leaves Connection: close to the client", request(fields=b"Connection: close\r\n"), OK),
        one("a backend that says close and stays", GET, answer(fields=b"Connection: close\r\n")),
    ]
    for name, (fields, say) in VERSION_0.items():
        ask = b"GET /x HTTP/1.0\r\n\r\n" if fields == b"-" else request(version=b"1.0", fields=fields)
        made.append(one(name, ask, say))
    return made


def _pipelines() -> list[Exchange]:
    post = request(method=b"POST", body=b"abc")
    chunks = (STREAM % b"") + b"3\r\nabc\r\n0\r\n\r\n"
    return [
        Exchange("pipeline of three", (GET * 3,), ((OK,),) * 3, (b"GET",) * 3),
        Exchange("pipeline of fifty", (GET * 50,), ((OK,),) * 50, (b"GET",) * 50),
        Exchange("pipeline with bodies", (GET + post + chunks + GET,), ((OK,),) * 4, (b"GET", b"POST", b"PUT", b"GET")),
        Exchange("pipeline with empty lines between", (GET + b"\r\n" + GET + b"\r\n\r\n" + GET,), ((OK,),) * 3, (b"GET",) * 3),
        Exchange("an empty line behind a body", (post + b"\r\n" + GET,), ((OK,), (OK,)), (b"POST", b"GET")),
        Exchange(
            "pipeline that ends with close", (GET + request(fields=b"Connection: close\r\n"),), ((OK,),) * 2, (b"GET",) * 2
        ),
        Exchange("pipeline behind a close", (request(fields=b"Connection: close\r\n") + GET,), ((OK,),), (b"GET",)),
        Exchange("pipeline of slow answers", (GET * 3,), ((Pause(0.03), OK),) * 3, (b"GET",) * 3),
        Exchange("pipeline of HEAD and GET", (request(method=b"HEAD") + GET,), ((OK[:-5],), (OK,)), (b"HEAD", b"GET")),
        Exchange("pipeline cut inside a head", (GET + GET[:15], Pause(0.03), GET[15:]), ((OK,),) * 2, (b"GET",) * 2),
        Exchange(
            "pipeline with 300 KiB behind an open request",
            (GET + request(method=b"POST", body=b"z" * 307200),),
            ((Pause(0.1), OK), (OK,)),
            (b"GET", b"POST"),
        ),
        Exchange("pipeline behind an answer until the end", (GET + GET,), ((b"HTTP/1.1 200 OK\r\n\r\nend", CLOSE),), (b"GET",)),
    ]


def _half_closed() -> list[Exchange]:
    return [
        Exchange("half-closed behind a request", (GET, HALF_CLOSE), ((OK,),)),
        Exchange("half-closed, a slow answer", (GET, HALF_CLOSE), ((Pause(0.1), OK),)),
        Exchange("half-closed behind a body", (request(method=b"POST", body=b"abc"), HALF_CLOSE), ((OK,),), (b"POST",)),
        Exchange("half-closed behind a pipeline", (GET * 3, HALF_CLOSE), ((OK,),) * 3, (b"GET",) * 3),
        Exchange("half-closed, an answer until the end", (GET, HALF_CLOSE), ((b"HTTP/1.1 200 OK\r\n\r\nend", CLOSE),)),
        Exchange(
            "half-closed while the answer comes",
            (GET, Sees(b"5\r\nhello"), HALF_CLOSE),
            ((chunked(b"5\r\nhello\r\n"), GATE, Pause(0.05), b"0\r\n\r\n"),),
        ),
        Exchange("half-closed, large answer", (GET, HALF_CLOSE), ((answer(b"0123456789" * 50000),),)),
        Exchange("half-closed, HTTP/1.0", (request(version=b"1.0"), HALF_CLOSE), ((answer(version=b"1.0"),),)),
    ]
