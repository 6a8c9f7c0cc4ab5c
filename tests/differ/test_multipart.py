"""Multipart bodies are their parts; what is no clean one has none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.multipart import MAX_PARTS, Part, boundary_of, parts_of

BODY = b"--x\r\nContent-Type: text/plain\r\nX-A:  b \r\n\r\none\r\n--x \t\r\n\r\ntwo\r\n\r\n--x--\r\n"
KIND = "multipart/mixed; boundary=x"
PARTS = (Part((("content-type", "text/plain"), ("x-a", "b")), b"one"), Part((), b"two\r\n"))


@pytest.mark.parametrize("body", [BODY, b"before\r\n" + BODY + b"after", BODY[:-2]])
def test_parts_are_read_and_what_stands_around_them_is_left_out(body: bytes) -> None:
    assert parts_of(body, KIND) == PARTS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"one",
        BODY.replace(b"--x--", b""),
        BODY.replace(b"\r\n", b"\n"),
        BODY.replace(b"X-A:", b"X-A"),
        BODY.replace(b"--x--", b"--x--y"),
        BODY + b"--x\r\n\r\nlate\r\n--x--",
        b"\r\n--x\r\n\r\n" * (MAX_PARTS + 1) + b"\r\n--x--",
        BODY.replace(b"--x\r\n", b"--xy\r\n"),
    ],
)
def test_a_broken_body_has_no_parts(body: bytes) -> None:
    assert parts_of(body, KIND) is None


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/mixed; boundary=a", "a"),
        ('Multipart/Form-Data;charset=x; Boundary = "a; b" ; c=d', "a; b"),
        ("multipart/mixed; xboundary=a", ""),
        ("text/plain; boundary=a", ""),
        ("multipart/mixed; boundary=" + "a" * 71, ""),
        ("multipart/mixed", ""),
    ],
)
def test_the_boundary_is_read_from_the_media_type(kind: str, boundary: str) -> None:
    assert boundary_of(kind) == boundary


@settings(deadline=None, max_examples=50)
@given(
    bodies=st.lists(st.binary(max_size=30), max_size=5),
    boundaries=st.tuples(*[st.from_regex(r"[a-z]{30}", fullmatch=True)] * 2),
)
def test_the_boundary_says_nothing(bodies: list[bytes], boundaries: tuple[str, str]) -> None:
    read = []
    for boundary in boundaries:
        mark = b"--" + boundary.encode()
        whole = b"".join(mark + b"\r\nX: 1\r\n\r\n" + body + b"\r\n" for body in bodies) + mark + b"--\r\n"
        read.append(parts_of(whole, f"multipart/mixed; boundary={boundary}"))

    assert read[0] == read[1] == tuple(Part((("x", "1"),), body) for body in bodies)
