"""Telling names are secret without being configured; what is only *about* a secret stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.tokens import is_token_name
from traffic.message import Request, Response
from traffic.redact import MARK, Redactor

REDACTOR = Redactor([], ["$..password", "$..token", "$..secret"], b"k" * 32)
SECRET = "hunter2-S3CR3T"
SECRET_NAMES = [
    *(
        "access",
        "refresh",
        "authorization",
        "session",
        "access_token",
        "refresh_token",
        "accessToken",
        "csrfToken",
        "XSRF-TOKEN",
    ),
    *("csrfmiddlewaretoken", "password1", "new_password", "newPassword2", "PASSWORD", "api_key", "apiKey", "APIKey", "apikey"),
    *("client_secret", "clientSecret", "session_key", "sessionid", "id_token", "jwt", "authenticity_token", "auth_key", "sid"),
]
HEADERS = ["X-Auth-Token", "X-CSRF-Token", "X-XSRF-TOKEN", "X-Access-Token", "X-Amz-Security-Token"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_telling_name_is_secret_in_json_forms_and_queries(name: str) -> None:
    form = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
    assert REDACTOR.is_secret_name(name)
    for body in ({name: SECRET}, {"a": [{name: SECRET}]}, {"a": f'{{"{name}": "{SECRET}"}}'}):
        assert SECRET not in REDACTOR.body((), json.dumps(body).encode()).decode()
    assert REDACTOR.body(form, f"a=1&{name}={SECRET}&b=2".encode()).decode() == f"a=1&{name}={REDACTOR.token(SECRET)}&b=2"
    assert REDACTOR.target(f"/x?{name}={SECRET}&a=1".encode()).decode() == f"/x?{name}={REDACTOR.token(SECRET)}&a=1"


@pytest.mark.parametrize(
    "name", ["access", "refresh", "jwt", "sid", "access_key", "auth_key", "csrf", "user_session_id", "xsrf"]
)
def test_what_the_shadow_maps_as_a_token_is_redacted(name: str) -> None:
    assert is_token_name(name)
    assert REDACTOR.is_secret_name(name)


@pytest.mark.parametrize(
    "document",
    [
        {"total_tokens": 5, "tokens_used": 12_345},
        {"password_required": True, "has_password": True},
        {"token_type": "Bearer", "expires_in": 3600, "token_expires_in": "3600"},
        {"accessibility": "good", "accessory": "belt", "secretary": "Ann", "bypass_warning": "x", "keyboard": "us"},
        {"key": "colour", "keys": ["a"], "access_level": "read", "session_name": "Keynote", "refreshed": "yes"},
        {"detail": "Invalid token.", "message": "The password: must be longer", "note": "access denied: no session"},
        {"access_token": None, "new_password": ""},
    ],
)
def test_what_is_about_a_secret_stays(document: dict[str, object]) -> None:
    body = json.dumps(document).encode()
    assert REDACTOR.body((), body) == body


def test_texts_below_a_telling_name_are_secret_and_numbers_only_where_they_can_be() -> None:
    kept = json.loads(
        REDACTOR.body((), b'{"access_token": {"v": "S3CR3T", "n": 5}, "old_password": 123456, "key": "0123456789abcdef0"}')
    )
    assert kept["access_token"]["n"] == 5
    for value in (kept["access_token"]["v"], kept["old_password"], kept["key"]):
        assert value.startswith(MARK)


@pytest.mark.parametrize("name", HEADERS)
def test_token_header_is_redacted(name: str) -> None:
    answer = REDACTOR.response(Response(200, ((name.encode(), SECRET.encode()),)))
    assert answer.headers[0][1].decode() == REDACTOR.token(SECRET)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h/cb#access_token=S3CR3T&state=1", "https://h/cb#access_token=T&state=1"),
        ("https://h/#/page?token=S3CR3T", "https://h/#/page?token=T"),
        ("https://u:S3CR3T@host/x?a=1", "https://u:T@host/x?a=1"),
        ("https://S3CR3T@host/", "https://T@host/"),
        ("//u:S3CR3T@host/", "//u:T@host/"),
        ("/x;jsessionid=S3CR3T/y?a=1;token=S3CR3T", "/x;jsessionid=T/y?a=1;token=T"),
        ("/login?a=b@c&next=/x#top", "/login?a=b@c&next=/x#top"),
    ],
)
def test_url_is_redacted_in_all_of_its_parts(url: str, kept: str) -> None:
    kept = kept.replace("=T", "=" + REDACTOR.token("S3CR3T")).replace(":T@", f":{REDACTOR.token('S3CR3T')}@")
    kept = kept.replace("//T@", f"//{REDACTOR.token('S3CR3T')}@")
    assert REDACTOR.target(url.encode()).decode() == kept
    assert REDACTOR.headers(((b"Location", url.encode()),))[0][1].decode() == kept


@pytest.mark.parametrize(
    "value",
    [
        "/login?next=https%3A%2F%2Fh%2F%3Ftoken%3DS3CR3T",
        "/x?payload=%7B%22password%22%3A%22S3CR3T%22%7D",
        "/verify/eyJhbGciOi.eyJS3CR3T.S3CR3T",
    ],
)
def test_secret_inside_of_a_value_is_redacted(value: str) -> None:
    assert b"S3CR3T" not in REDACTOR.target(value.encode())


def test_link_header_keeps_its_form() -> None:
    kept = REDACTOR.headers(((b"Link", b'<https://h/?a=1>; rel="next", <https://h/?token=S3CR3T>; rel="last"'),))[0][1].decode()
    assert kept == f'<https://h/?a=1>; rel="next", <https://h/?token={REDACTOR.token("S3CR3T")}>; rel="last"'


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60),
    st.binary(max_size=200),
    st.sampled_from([b"", b"text/html", b"application/json", b"multipart/form-data"]),
)
def test_redaction_never_raises(target: bytes, body: bytes, kind: bytes) -> None:
    request = REDACTOR.request(Request("POST", target, ((b"Content-Type", kind), (b"Link", target)), body))
    assert REDACTOR.request(request) == request


PIECES = [
    *(
        "token",
        "password",
        "key",
        "a",
        "=",
        ":",
        "&",
        ";",
        "?",
        "#",
        "//",
        "@",
        "%3D",
        "%26",
        "%25",
        "%22",
        "%40",
        "%74oken",
        "\\u0074oken",
    ),
    *(
        '"',
        "'",
        "\\",
        "&quot;",
        "&#111;",
        "<",
        "<input ",
        "name=",
        "value=",
        "<token>",
        "</token>",
        "<p>",
        ">",
        "{",
        "}",
        "[",
        "]",
        ",",
    ),
    *(" ", "S3CR3T", "0123456789abcdef0", "4111111111111111", "4111 1111 1111 1111", "ann@example.org", "eyJhbGci.eyJS3.S3C"),
    *(
        "Bearer ",
        "Basic ",
        "redacted-0123456789ab",
        "9090912345678906",
        "DE89370400440532013000",
        "AKIAIOSFODNN7EXAMPLE",
        "true",
    ),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "https://", "u:p@", "\u00e9", "\0", "type=password"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([b"", b"text/html", b"application/json", b"application/x-www-form-urlencoded"]))
def test_redacting_twice_changes_nothing(target: str, body: str, kind: bytes) -> None:
    raw = target.encode("latin-1", "replace")
    headers = ((b"Content-Type", kind), (b"Link", raw), (b"Cookie", raw), (b"Set-Cookie", raw), (b"X-Other", raw))
    once = REDACTOR.request(Request("POST", b"/" + raw, headers, body.encode()))
    assert REDACTOR.request(once) == once
    for redacted in (REDACTOR.text, REDACTOR.markup, REDACTOR.values):
        assert redacted(redacted(body)) == redacted(body)
