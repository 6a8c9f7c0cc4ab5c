"""Tokens keep the format of what they stand for, and are known as tokens wherever they stand."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.generated import parity_values
from traffic.redact_shape import LONGEST, TOKEN, Tokens, is_token, luhn, mod97

T = Tokens(b"k" * 32)
SHAPES = st.one_of(
    st.from_regex(r"[a-z]{1,12}\.[a-z]{1,12}@[a-z]{2,12}\.(org|example)", fullmatch=True),
    st.uuids().map(str),
    st.uuids().map(lambda one: str(one).upper()),
    st.from_regex(r"[0-9a-f]{20,80}", fullmatch=True),
    st.from_regex(r"[0-9A-F]{20,80}", fullmatch=True),
    st.from_regex(r"[0-9]{16,40}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9+/]{20,60}={0,2}", fullmatch=True),
    st.from_regex(r"eyJ[A-Za-z0-9_-]{5,60}\.[A-Za-z0-9_-]{4,90}\.[A-Za-z0-9_-]{0,60}", fullmatch=True),
    st.from_regex(r"(ghp_|sk_live_|xoxb-)[A-Za-z0-9]{20,40}", fullmatch=True),
    st.text(max_size=60),
)


@given(SHAPES, SHAPES)
def test_tokens_are_equal_exactly_when_the_secrets_are(a: str, b: str) -> None:
    assert (T.token(a) == T.token(b)) == (a == b)


@given(SHAPES)
def test_a_token_is_known_without_the_key_and_stands_for_itself(secret: str) -> None:
    token = T.token(secret)
    assert is_token(token)
    assert T.token(token) == token
    assert Tokens(b"other").token(token) == token
    found = re.search(TOKEN, f"x {token} y")
    assert found is not None
    assert found[0] == token


@given(SHAPES)
def test_nothing_of_the_secret_is_in_its_token(secret: str) -> None:
    known = ("redacted", "invalid", "-----BEGIN", "ghp_", "sk_live_", "xoxb-")
    pieces = [secret[at : at + 8] for at in range(len(secret) - 7)]
    token = T.token(secret)
    assert not [piece for piece in pieces if piece in token and not any(piece in word or word in piece for word in known)]


@pytest.mark.parametrize(
    ("secret", "pattern"),
    [
        ("ann@example.org", r"redacted-[0-9a-f]{12}@redacted\.invalid"),
        ("4111 1111 1111 1111", r"9090 9\d{3} \d{4} \d{4}"),
        ("4111-1111-1111-1111", r"9090-9\d{3}-\d{4}-\d{4}"),
        ("378282246310005", r"90909\d{10}"),
        ("4222222222222", r"90909\d{8}"),
        ("12345678901234567890", r"90909\d{15}"),
        ("d41d8cd98f00b204e9800998ecf8427e", r"0facade0[0-9a-f]{24}"),
        ("D41D8CD98F00B204E9800998ECF8427E", r"0FACADE0[0-9A-F]{24}"),
        ("550e8400-e29b-41d4-a716-446655440000", r"0facade0-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"),
        ("DE89370400440532013000", r"XX00[0-9A-F]{18}"),
        ("GB82 WEST 1234 5698 7654 32", r"XX00(?: [0-9A-F]{4}){4} [0-9A-F]{2}"),
        ("ghp_" + "a1B2" * 9, r"ghp_redacted[0-9a-f]{28}"),
        ("AKIAIOSFODNN7EXAMPLE", r"REDACTED[0-9A-F]{12}"),
        ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", r"redacted[0-9a-f]{18}=="),
        ("abc_DEF-123_xyz_098_foo", r"redacted-[0-9a-f]{14}"),
        ("1234", r"redacted-[0-9a-f]{12}"),
        ("a pass phrase of several words", r"redacted-[0-9a-f]{21}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMI\n-----END RSA PRIVATE KEY-----", r"-----BEGIN.*-----\nredacted-[0-9a-f]{32}\n-----END.*"),
    ],
)  # fmt: skip
def test_format_survives(secret: str, pattern: str) -> None:
    assert re.fullmatch(pattern, T.token(secret))


def test_jwt_keeps_three_parts_and_their_lengths() -> None:
    secret = f"eyJ{'a' * 33}.{'b' * 80}.{'c' * 43}"
    assert [len(part) for part in T.token(secret).split(".")] == [36, 80, 43]
    assert T.token("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.").endswith(".")


def test_uuid_stays_one_of_its_version() -> None:
    for secret in (uuid.uuid4(), uuid.uuid1()):
        assert uuid.UUID(T.token(str(secret))).version == secret.version


@given(st.from_regex(r"4[0-9]{15}|[0-9]{16,19}", fullmatch=True))
def test_no_token_passes_for_a_card_or_an_account(digits: str) -> None:
    assert not luhn(T.token(digits))
    assert not mod97(T.token("DE89370400440532013000"))


@pytest.mark.parametrize("secret", ["x" * 100_000, "é" * 5_000, "a b " * 9_000, "1" * 2_000, "0a" * 2_000])
def test_length_is_kept_up_to_a_cap(secret: str) -> None:
    assert len(T.token(secret)) == LONGEST
    assert T.token(secret) != T.token(secret + secret[0])


def test_another_key_gives_other_tokens() -> None:
    for secret in ("1234", "ann@example.org", "4111111111111111", "d41d8cd98f00b204e9800998ecf8427e"):
        assert Tokens(b"other").token(secret) != T.token(secret)


@pytest.mark.parametrize("value", ["redacted", "redacted-0123", "hunter2", "0facade0", "90909", "9090912345678906", "XX00", ""])
def test_what_only_begins_like_a_token_is_none(value: str) -> None:
    assert not is_token(value)


def test_exported_tests_know_tokens_by_the_same_pattern() -> None:
    assert parity_values._TOKEN.pattern == TOKEN


@given(SHAPES)
def test_exported_tests_take_any_value_for_a_token(secret: str) -> None:
    if not re.search(r"[&;,\s]", secret):
        assert parity_values.same_text(f"a={T.token(secret)}&b", f"a={secret}&b")
