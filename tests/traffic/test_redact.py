"""Secrets become keyed tokens in every place where they can stand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.message import Request, Response
from traffic.redact import WITHHELD, RedactionError, Redactor

SECRET = "hunter2-very-secret"
NAMES = ["authorization", "cookie", "set-cookie", "x-api-key"]
REDACTOR = Redactor(NAMES, ["$..password", "$..token", "$.user.pin"], b"k" * 32)


def everything(request: Request) -> bytes:
    return b"\n".join([request.target, *(value for _, value in request.headers), request.body])


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", f"/x?token={SECRET}&a=1".encode()),
        Request("GET", f"/x?%74oken={SECRET}".encode()),
        Request("GET", f"/x?auth[token]={SECRET}".encode()),
        Request("GET", b"/x", ((b"Authorization", f"Bearer {SECRET}".encode()),)),
        Request("GET", b"/x", ((b"Cookie", f"a=1; sessionid={SECRET}".encode()),)),
        Request("GET", b"/x", ((b"X-Api-Key", SECRET.encode()),)),
        Request("GET", b"/x", ((b"Referer", f"http://h/?token={SECRET}".encode()),)),
        Request("POST", b"/x", (), json.dumps({"a": [{"password": SECRET}]}).encode()),
        Request("POST", b"/x", (), json.dumps({"user": {"pin": SECRET}}).encode()),
        Request("POST", b"/x", (), json.dumps({"token": {"deep": SECRET}}).encode()),
        Request("POST", b"/x", ((b"Content-Type", b"application/x-www-form-urlencoded"),), f"u=me&password={SECRET}".encode()),
        Request("POST", b"/x", ((b"Content-Type", b"application/json"),), f'{{"password": "{SECRET}"'.encode()),
    ],
)  # fmt: skip
def test_no_secret_survives(request_: Request) -> None:
    assert SECRET.encode() not in everything(REDACTOR.request(request_))


def test_set_cookie_keeps_name_and_attributes() -> None:
    answer = REDACTOR.response(Response(200, ((b"Set-Cookie", f"sessionid={SECRET}; HttpOnly; Path=/".encode()),)))

    value = answer.headers[0][1].decode()
    assert value.startswith("sessionid=redacted-")
    assert value.endswith("; HttpOnly; Path=/")


def test_body_without_a_secret_keeps_its_bytes() -> None:
    body = b'{ "a" : 1.10 }'
    assert REDACTOR.body((), body) is body


def test_broken_json_that_names_a_secret_is_withheld() -> None:
    assert REDACTOR.body(((b"content-type", b"application/json"),), b'{"password": "x"') == WITHHELD


def test_hostile_depth_is_withheld_or_kept_but_never_raises() -> None:
    deep = b"[" * 100_000 + b'"token"' + b"]" * 100_000
    assert REDACTOR.body(((b"content-type", b"application/json"),), deep) in (deep, WITHHELD)


@given(st.text(), st.text())
def test_tokens_are_equal_exactly_when_the_secrets_are(a: str, b: str) -> None:
    assert (REDACTOR.token(a) == REDACTOR.token(b)) == (a == b)


def test_another_key_gives_other_tokens() -> None:
    assert Redactor([], [], b"other").token("a") != REDACTOR.token("a")


def test_path_that_is_no_jsonpath_is_refused_by_name() -> None:
    with pytest.raises(RedactionError, match=r"\$\[\["):
        Redactor([], ["$[["], b"k")
