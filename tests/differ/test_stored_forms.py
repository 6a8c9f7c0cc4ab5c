"""Stored responses are read in three forms, explained in bounded text, and refused with a sentence."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import date

import pytest

from differ.cases import judge_case
from differ.decode import decoded_body
from differ.explain import explain
from differ.message_file import parse_response
from traffic.message import Response


def test_a_raw_message_is_read_and_its_chunks_joined() -> None:
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    assert parse_response(text).body == b"abcde"


def test_a_message_shorter_than_it_says_is_truncated() -> None:
    assert parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").truncated


def test_a_har_entry_loses_headers_that_no_longer_hold() -> None:
    entry = {
        "response": {
            "status": 200,
            "headers": [{"name": "Content-Encoding", "value": "gzip"}, {"name": "X", "value": "1"}],
            "content": {"text": base64.b64encode(b"abc").decode(), "encoding": "base64"},
        }
    }

    assert parse_response(json.dumps(entry).encode()) == Response(200, ((b"X", b"1"),), b"abc")


def test_a_json_message_is_read() -> None:
    assert parse_response(b'{"status": 404, "headers": [["A", "b"]], "body": "x"}') == Response(404, ((b"A", b"b"),), b"x")


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"HTTP/1.1 abc\r\n", b'{"status": "x"}', b"HTTP/1.1 200 OK\r\nbad\r\n\r\n", b'{"log": {}}', b"[1]"]
)
def test_what_is_no_response_is_refused_with_a_sentence(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_response(text)


def test_explanations_name_the_place_and_both_values() -> None:
    text = explain(b'{"a": {"b": 1}, "__typename": "A"}', b'{"a": {"b": 2}, "__typename": "B"}')

    assert (
        text == '$.a.b: Value of root changed from 1 to 2. (factor x2)\n$.__typename: Value of root changed from "A" to "B".'
        or ("$.a.b" in text and "$.__typename" in text and "1" in text and "2" in text)
    )


def test_explanations_are_bounded() -> None:
    one = json.dumps({f"f{at}_{'x' * at}": at for at in range(500)}).encode()
    other = json.dumps({f"f{at}_{'x' * at}": str(at) for at in range(500)}).encode()

    assert len(explain(one, other).splitlines()) == 51
    assert "differ from byte" in explain(b"<a>", b"<b>")


def test_decoded_bodies_are_none_over_the_cap() -> None:
    response = Response(200, ((b"content-encoding", b"gzip"),), gzip.compress(b"x" * 1_000))

    assert decoded_body(response, 1_000) == b"x" * 1_000
    assert decoded_body(response, 999) is None


@pytest.mark.parametrize(
    "case",
    [{}, {"name": "n", "request": {"method": "GET", "path": "/"}}, [], {"request": {"method": "GET", "path": "/"}, "rules": 1}],
)
def test_an_unreadable_case_is_an_error_line(case: object) -> None:
    assert judge_case(case, date(2026, 1, 1))["verdict"] == "error"  # type: ignore[arg-type]


def test_interim_answers_come_before_the_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    made = parse_response(interim + b"HTTP/1.1 201 Created\r\nA: b\r\n\r\nx")

    assert (made.status, made.headers, made.body) == (201, ((b"A", b"b"),), b"x")


@pytest.mark.parametrize("size", [b"-1", b"0x3", b"+3", b"1_0", b""])
def test_a_chunk_size_is_hexadecimal_digits_alone(size: bytes) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        parse_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc\r\n0\r\n\r\n")
