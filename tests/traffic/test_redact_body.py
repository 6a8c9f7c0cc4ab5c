"""Bodies of every kind: replaced where they can be read, withheld where they cannot and name a secret."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from traffic.message import Request
from traffic.redact import WITHHELD, Redactor

REDACTOR = Redactor([], ["$..password", "$..token", "$..secret"], b"k" * 32)
HTML = ((b"Content-Type", b"text/html; charset=utf-8"),)


@pytest.mark.parametrize(
    "page",
    [
        '<input name="password" value="S3CR3T">',
        "<input value='S3CR3T' type=hidden name='csrfmiddlewaretoken'>",
        "<input type=password id=p value=S3CR3T>",
        '<input placeholder="a > b" name="new_password" value="S3CR3T"/>',
        '<input name="passw&#111;rd" value="S3CR3T">',
        '<meta content="S3CR3T" name="csrf-token">',
        "<token>S3CR3T</token>",
        "<a:token x='1'><![CDATA[S3CR3T]]></a:token>",
        "<password><value>S3CR3T</value></password>",
        "<password>S3CR3T",
        '<string name="api_key">S3CR3T</string>',
        '<textarea name="client_secret">S3CR3T</textarea>',
        '<user password="S3CR3T"/>',
        '<div data-csrf-token="S3CR3T"></div>',
        '<script>window.cfg={"token":"S3CR3T-A"}</script>',
        "<script>const csrfToken = 'S3CR3T';</script>",
        '<script>var s = "{\\"token\\":\\"S3CR3T\\"}";</script>',
        "<script>tokens: ['a', 'S3CR3T']</script>",
        '<div data-page="{&quot;accessToken&quot;:&quot;S3CR3T&quot;}"></div>',
        '<a href="/login?next=%2Fx%3Ftoken%3DS3CR3T">x</a>',
        '<a href="https://u:S3CR3T@host/">x</a>',
        "<p>Authorization: Bearer S3CR3T-0123</p>",
        "<p>eyJhbGciOiJI.eyJS3CR3T.S3CR3T</p>",
    ],
)
def test_page_loses_its_secret_and_keeps_the_rest(page: str) -> None:
    text = f"<html><h1>Hello</h1>{page}<p>End</p></html>"
    for headers, coding in ((HTML, "utf-8"), ((), "utf-8"), (((b"content-type", b"application/xml"),), "utf-16")):
        kept = REDACTOR.body(headers, text.encode(coding)).decode(coding)
        assert "S3CR3T" not in kept
        assert kept.startswith("<html><h1>Hello</h1>")


@pytest.mark.parametrize(
    "page",
    [
        "<!doctype html><html><body><p class='x'>Ordinary: 5 = five</p><a href='/a?b=1&c=2'>x</a></body></html>",
        "<form><label for='password'>Password:</label><input type='password' name='password' id='password'></form>"
        "<a href='/password/reset'>Forgot your password?</a><button name='reset_password' value='1'>Reset</button>",
        "<script>function f(a){return a<1 ? {x: 'y'} : null} var required = true;</script><p>basic functionality</p>",
        "<p>mail me at home</p><input name='q' value='v'><meta name='viewport' content='width=device-width'>",
        "<h1 id='access'>Access</h1><p>The session begins at 10:30. Key: value</p>",
    ],
)
def test_ordinary_page_stays_as_it_is(page: str) -> None:
    body = page.encode()
    assert REDACTOR.body(HTML, body) is body


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nS3CR3T\r\n--b--'),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="access"\r\n\r\nS3CR3T\r\n--b--'),
        ("", b'{"password": "S3CR3T"'),
        ("text/plain", b'{"p\\u0061ssword": "S3CR3T"'),
        ("application/octet-stream", b"\x00\xff\xfepassword\x08S3CR3T"),
        ("application/x-ndjson", b'{"a": 1}\n{"refresh": "S3CR3T"}\n'),
        ("text/csv", b"user,password\nbob,S3CR3T\n"),
        ("application/yaml", b"api_key: S3CR3T\n"),
        ("application/x-www-form-urlencoded", b'{"password": "S3CR3T"'),
        ("application/octet-stream", '{"password": "S3CR3T"'.encode("utf-16")),
        ("application/gzip", gzip.compress(b"password=S3CR3T", mtime=0)),
    ],
)
def test_what_cannot_be_read_and_names_a_secret_is_withheld(kind: str, body: bytes) -> None:
    assert REDACTOR.body(((b"content-type", kind.encode()),), body) == WITHHELD


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"access denied"),
        ("", b"\x89PNG\r\n\x1a\n\x00\x01"),
        ("multipart/form-data", b'--b\r\nname="photo"\r\n\r\nx'),
    ],
)
def test_what_cannot_be_read_and_names_none_stays(kind: str, body: bytes) -> None:
    assert REDACTOR.body(((b"content-type", kind.encode()),), body) == body


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"identity, x-gzip"])
def test_coded_request_body_is_withheld(coding: bytes) -> None:
    request = Request("POST", b"/", ((b"Content-Encoding", coding),), gzip.compress(b'{"password": "S3CR3T"}'))
    assert REDACTOR.request(request).body == WITHHELD


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_in_another_encoding_is_redacted_in_it(coding: str) -> None:
    kept = REDACTOR.body((), '{"a": 1, "password": "S3CR3T"}'.encode(coding))
    assert json.loads(kept) == {"a": 1, "password": REDACTOR.token("S3CR3T")}


def test_json_sent_as_a_form_is_redacted() -> None:
    kept = REDACTOR.body(((b"content-type", b"application/x-www-form-urlencoded"),), b'{"password": "S3CR3T"}')
    assert json.loads(kept) == {"password": REDACTOR.token("S3CR3T")}


def test_name_that_stands_twice_does_not_hide_a_secret() -> None:
    assert b"S3CR3T" not in REDACTOR.body((), b'{"password": "S3CR3T", "password": null}')


def test_path_finds_its_place_at_any_depth() -> None:
    redactor = Redactor([], ["$..card.number"], b"k" * 32)
    deep = b'{"a":' * 150 + b'{"card": {"number": "4111"}}' + b"}" * 150
    assert redactor.body((), deep) == deep.replace(b"4111", redactor.token("4111").encode())


@pytest.mark.parametrize(
    "piece",
    [
        b"a",
        b"<a",
        b"<p ",
        b"a=",
        b'a="',
        b"a: ",
        b"\\",
        b"%41",
        b"<token>",
        b"&quot;",
        b"password",
        b"//",
        b"x='",
        b"a={",
        b"eyJaaaa.",
        b"a:[",
    ],
)
def test_hostile_page_costs_linear_time(piece: bytes) -> None:
    body = piece * (200_000 // len(piece))
    begun = time.process_time()
    REDACTOR.body(HTML, body)
    REDACTOR.body((), body)
    assert time.process_time() - begun < 8
