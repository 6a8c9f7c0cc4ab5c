"""The reader of answers: legal ones in any pieces, and nothing else; what could be read in two ways is no answer."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.answer_reader import MAX_HEAD, MAX_HEADERS, MAX_INTERIM, AnswerReader, CutOff, NoAnswer, OverLimit

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Read = tuple[int, list[tuple[bytes, bytes]], bytes, bool]


def read(data: bytes, at: tuple[int, ...] = (), is_head: bool = False, limit: int = 1_000_000, end: bool = True) -> Read:
    """What was read of `data`, fed in pieces cut at `at`, the connection's end after it."""
    reader = AnswerReader(is_head, limit)
    bounds = [0, *sorted(at), len(data)]
    for begin, stop in itertools.pairwise(bounds):
        if begin != stop and reader.feed(data[begin:stop]):
            break
    else:
        assert end, "the answer is not complete"
        reader.end()
    return reader.status, reader.headers, reader.body, reader.reusable


LEGAL = {
    "length": (OK + b"Content-Length: 3\r\n\r\nabc", (200, b"abc", True)),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", (200, b"", True)),
    "leading zeros": (OK + b"Content-Length: 0003\r\n\r\nabc", (200, b"abc", True)),
    "chunks": (CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", (200, b"abc0123456789", True)),
    "chunk extension": (CHUNKED + b'3;name="va;l"\r\nabc\r\n0;x=y\r\n\r\n', (200, b"abc", True)),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\nX-Checksum: 1\r\nX-Other: 2\r\n\r\n", (200, b"abc", True)),
    "chunked in capitals": (OK + b"TRANSFER-ENCODING: Chunked \r\n\r\n3\r\nabc\r\n0\r\n\r\n", (200, b"abc", True)),
    "until the end": (OK + b"X: 1\r\n\r\nabc", (200, b"abc", False)),
    "nothing until the end": (OK + b"\r\n", (200, b"", False)),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc", False)),
    "HTTP/1.0 until the end": (b"HTTP/1.0 200 OK\r\n\r\nabc", (200, b"abc", False)),
    "close": (OK + b"Connection: Close\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc", False)),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", (404, b"", True)),
    "odd status": (b"HTTP/1.1 799 What \xe4\r\nContent-Length: 0\r\n\r\n", (799, b"", True)),
    "204": (b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", (204, b"", True)),
    "304": (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", (304, b"", True)),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", (200, b"abc", True)),
    "103 before": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", (200, b"a", True)),
    "1xx with a length": (
        b"HTTP/1.1 102 P\r\nContent-Length: 5\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
        (200, b"a", True),
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_answer_is_read_in_whatever_pieces_it_comes(name: str) -> None:
    data, (status, body, reusable) = LEGAL[name]
    for at in range(len(data)):
        made = read(data, (at,))
        assert (made[0], made[2], made[3]) == (status, body, reusable), at
    assert read(data, tuple(range(1, len(data)))) == read(data)


def test_headers_are_raw_in_order_with_their_duplicates_and_without_the_blanks_around_values() -> None:
    head = (
        OK
        + b"X-A: 1\r\nx-a:2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Empty:\r\nX-Obs: \xe4\t\xff \t \r\nContent-Length: 0\r\n\r\n"
    )
    assert read(head)[1] == [
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"X-Empty", b""),
        (b"X-Obs", b"\xe4\t\xff"),
        (b"Content-Length", b"0"),
    ]


def test_trailers_and_headers_of_interim_answers_are_left_aside() -> None:
    data = b"HTTP/1.1 103 E\r\nLink: a\r\n\r\n" + CHUNKED + b"0\r\nX-T: 1\r\n\r\n"
    assert read(data)[1] == [(b"Transfer-Encoding", b"chunked")]


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", True),
        (OK + b"X: 1\r\n\r\n", True),
        # a body that comes all the same would be taken for the beginning of the next answer
        (OK + b"Content-Length: 50\r\n\r\n", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", False),
    ],
)
def test_head_s_answer_has_no_body(head: bytes, reusable: bool) -> None:
    assert read(head, is_head=True)[2:] == (b"", reusable)
    assert read(head + b"x" * 50, is_head=True)[2:] == (b"", False)


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 3\r\n\r\nabcX",
        OK + b"Content-Length: 3\r\n\r\nabc" + OK + b"Content-Length: 0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\nX",
    ],
)
def test_bytes_behind_an_answer_do_not_belong_to_it_and_end_the_connection(data: bytes) -> None:
    assert read(data)[2:] == (b"abc", False)


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_body_of_an_answer_that_has_none_ends_the_connection(status: bytes) -> None:
    assert read(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 2\r\n\r\nab")[2:] == (b"", False)


NO_ANSWERS = [
    # framing that two readers may read in two ways
    OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    *(
        OK + b"Content-Length:" + value + b"\r\n\r\nabc"
        for value in (b" 3, 3", b" +3", b" -3", b"", b" 0x3", b" 3 3", b" 3.0", b" \xb3", b" " + b"9" * 30)
    ),
    OK + b"Content-Length : 3\r\n\r\nabc",
    *(
        OK + b"Transfer-Encoding:" + value + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for value in (b" gzip, chunked", b" xchunked", b" identity", b" chunked, gzip", b' "chunked"', b" \x0bchunked", b"")
    ),
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    # chunks
    *(
        CHUNKED + chunk
        for chunk in (
            b"zz\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabcXX0\r\n\r\n",
            b"3\nabc\n0\n\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"-3\r\nabc\r\n0\r\n\r\n",
            b"\r\nabc\r\n0\r\n\r\n",
            b"3;a=\x00\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabc\r\n0\r\nContent-Length: 1\r\n\r\n",
            b"3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
            b"fffffffffffffffff\r\nabc",
            b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        )
    ),
    # heads
    OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    OK + b" X: a\r\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    OK + b"X Bad: a\r\nContent-Length: 0\r\n\r\n",
    OK + b": a\r\nContent-Length: 0\r\n\r\n",
    OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
    *(
        line + b"\r\nContent-Length: 0\r\n\r\n"
        for line in (
            b"HTTP/2.0 200 OK",
            b"HTTP/0.9 200 OK",
            b"HTTP/1.2 200 OK",
            b"HTTP/1.10 200 OK",
            b"http/1.1 200 OK",
            b"RTSP/1.0 200 OK",
            b"ICY 200 OK",
            b"HTTP/1.1 099 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 abc OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1 200 a\x00b",
            b" HTTP/1.1 200 OK",
            b"\r\nHTTP/1.1 200 OK",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket",
        )
    ),
    b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    # bounds
    OK + b"X: " + b"a" * MAX_HEAD + b"\r\n\r\n",
    OK + b"X: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1),
]
ENDLESS = [
    OK + b"X: " + b"a" * 2 * MAX_HEAD,
    OK + b"X: a\r\n" * MAX_HEAD,
    b"HTTP/1.1 200 " + b"a" * 2 * MAX_HEAD,
    CHUNKED + b"3\r\nabc\r\n0\r\nX: " + b"a" * 2 * MAX_HEAD,
    CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X: a\r\n" * MAX_HEAD,
    CHUNKED + b"3;" + b"a" * 2 * MAX_HEAD,
]


def feed(reader: AnswerReader, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        assert not reader.feed(data[at : at + size])
        assert len(reader.body) <= 1000


@pytest.mark.parametrize("data", NO_ANSWERS, ids=lambda data: repr(data[:60]))
def test_what_could_be_read_in_two_ways_is_no_answer_in_whatever_pieces_it_comes(data: bytes) -> None:
    """[F-6] [T8] Protocol, never a mismatch and never a match."""
    cuts = range(len(data)) if len(data) < 1000 else range(0, len(data), 4999)
    for at in cuts:
        with pytest.raises(NoAnswer):
            read(data, (at,))


@pytest.mark.parametrize("data", ENDLESS, ids=lambda data: repr(data[:60]))
def test_head_or_trailer_without_an_end_is_given_up_at_the_bound(data: bytes) -> None:
    """[T8] Nobody waits for its end."""
    with pytest.raises(NoAnswer):
        feed(AnswerReader(False, 1000), data, 1000)


@pytest.mark.parametrize("name", [name for name in LEGAL if name.find("until the end") < 0])
def test_answer_that_ends_early_is_cut_off_wherever_it_ends(name: str) -> None:
    """[F-5] Never a shorter answer."""
    data, _ = LEGAL[name]
    for size in range(len(data)):
        with pytest.raises(CutOff):
            read(data[:size])


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 1001\r\n\r\n",
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        OK + b"Content-Length: 999999999999\r\n\r\nx",
        CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * 1001 + b"0\r\n\r\n",
        OK + b"\r\n" + b"x" * 1001,
    ],
)
def test_body_over_the_limit_is_noticed_and_not_kept(data: bytes) -> None:
    """[F-7] A declared length is enough."""
    for size in (len(data), 100):
        with pytest.raises(OverLimit):
            feed(AnswerReader(False, 1000), data, size)


def test_body_of_exactly_the_limit_is_taken() -> None:
    assert len(read(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000, limit=1000)[2]) == 1000
    assert len(read(CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n", limit=1000)[2]) == 1000


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([data for data, _ in LEGAL.values()] + NO_ANSWERS[:60]), st.randoms(use_true_random=False))
def test_bytes_that_were_changed_end_in_one_of_the_known_ways(data: bytes, chance: random.Random) -> None:
    """Whatever is flipped, left out or put in, and wherever it is cut: an answer or one of the three exceptions, the same both times."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(changed) + 1)
        changed[at : at + chance.randrange(3)] = bytes(chance.choices(b"\r\n\x00: ;0129aAfF\xff", k=chance.randrange(3)))
    cuts = tuple(chance.randrange(len(changed) + 1) for _ in range(3))
    ends: list[object] = []
    for at in ((), cuts):
        try:
            ends.append(read(bytes(changed), at)[:3])
        except (NoAnswer, CutOff, OverLimit) as error:
            ends.append(type(error))
    # In one piece the bytes behind the end are seen together with it; apart they are not fed at all. The answer is the same.
    assert ends[0] == ends[1] or {NoAnswer, CutOff} == set(ends)
