"""What looks like a secret is one, whatever its name; what only resembles one stays."""

from __future__ import annotations

import json
import re

import pytest

from traffic.message import Request
from traffic.redact import Redactor
from traffic.redact_shape import is_token
from traffic.redact_values import VALUES

REDACTOR = Redactor([], [], b"k" * 32)
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
SECRETS = {
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6304000000000000", "30569309025904"],
    "email": ["ann@example.org", "o'neil.x+tag@mail.example.co.uk", "jörg@bücher.example"],
    "iban": ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO9386011117947"],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
    "pem": [PEM],
    "key": [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1_B" * 8,
        "xoxb-123456789012-abcdefABCDEF",
        "sk_live_" + "a1B2" * 6,
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    ],
    "bearer": ["Bearer mF_9.B5f-4.1JqM", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
}
ALL = [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets]


def core(secret: str) -> str:
    return secret.partition(" ")[2] if secret.startswith("B") else secret


@pytest.mark.parametrize(("kind", "secret"), ALL)
def test_value_is_found_in_every_place_and_left_where_it_is_switched_off(kind: str, secret: str) -> None:
    without = Redactor([], [], b"k" * 32, values=[name for name in VALUES if name != kind])
    sentence = f"see {secret}, please"
    for body, headers in (
        (json.dumps({"note": sentence}, ensure_ascii=False), ()),
        (f"<html><p>{sentence}</p></html>", ((b"Content-Type", b"text/html"),)),
        (sentence, ((b"Content-Type", b"text/plain"),)),
    ):
        spelt = json.dumps(core(secret), ensure_ascii=False)[1:-1] if body.startswith("{") else core(secret)
        assert spelt not in REDACTOR.body(headers, body.encode()).decode()
        if kind != "pem" or body.startswith("{"):  # "PRIVATE KEY" is a telling word of its own in a plain text
            assert spelt in without.body(headers, body.encode()).decode()
    assert core(secret) not in REDACTOR.text(sentence)


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111112",
        "id 1234567890123456",
        "at 1767225600000000 in 2026-01-01 10:00:00 and 20260101100000",
        "550e8400-e29b-41d4-a716-411111111111",
        "0.4111111111111111 and 4111111111111111.5",
        "A4111111111111111 and 4111111111111111B",
        "phone +49 30 901820 or 030-1234-5678",
        "logo@2x.png vue@3.2.min.js @decorator a@b user@localhost",
        "DE00370400440532013000 AB12CDEF34567890",
        "basic JavaScript and Basic Authentication",
        "ghp_short AKIA1234 eyJ.a.b",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "bearer of bad news",
    ],
)
def test_what_resembles_a_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text
    for body in (json.dumps({"note": text}), f"<p>{text}</p>"):
        assert REDACTOR.body((), body.encode()) == body.encode()


def test_card_sent_as_a_number_stays_a_number() -> None:
    kept = json.loads(REDACTOR.body((), b'{"reference": 4111111111111111, "order": 4111111111111112, "n": 1.50}'))
    assert is_token(str(kept["reference"]))
    assert isinstance(kept["reference"], int)
    assert kept["order"] == 4111111111111112


@pytest.mark.parametrize(
    "target",
    [
        "/pay/4111111111111111/x",
        "/pay?card=4111+1111+1111+1111",
        "/pay?q=4111%201111%201111%201111",
        "/p?q=4111%2d1111%2D1111-1111",
        "/users/ann@example.org",
        "/users/ann%40example.org?x=1",
        "/users?q=ann%40example.org",
        "/x?next=%2Fusers%2Fann%2540example.org",
        "/x/%34%31%31%31111111111111",
    ],
)
def test_value_is_found_in_a_target(target: str) -> None:
    kept = REDACTOR.target(target.encode()).decode()
    digits = re.sub(r"\D", "", kept)
    assert "4111111" not in digits
    assert "ann" not in kept
    assert REDACTOR.target(kept.encode()).decode() == kept


def test_name_that_is_data_is_a_token_too() -> None:
    kept = json.loads(REDACTOR.body((), b'{"by": {"ann@example.org": 1}}'))
    assert [is_token(name) for name in kept["by"]] == [True]


def test_one_value_has_one_token_in_all_places() -> None:
    token = REDACTOR.token("ann@example.org")
    request = Request("POST", b"/a?q=ann%40example.org", ((b"X-User", b"ann@example.org"),), b'{"a": "ann@example.org"}')
    kept = REDACTOR.request(request)
    assert kept.target.decode() == f"/a?q={token.replace('@', '%40')}"
    assert kept.headers[0][1].decode() == token
    assert kept.body.decode() == f'{{"a": "{token}"}}'
