"""Who sent a request."""

from __future__ import annotations

from traffic.client import client_key, cookies, credential, issued_credentials
from traffic.message import Request, Response

KEY = b"k" * 32


def with_headers(*headers: tuple[bytes, bytes]) -> Request:
    return Request("GET", b"/", headers)


def test_credential_is_the_authorization_value_then_the_session_cookie() -> None:
    both = with_headers((b"Authorization", b"Token abc"), (b"Cookie", b"sessionid=s1"))
    assert credential(both) == "abc"
    assert credential(with_headers((b"cookie", b"theme=dark; SessionID=s1"))) == "s1"
    assert credential(with_headers((b"cookie", b"theme=dark"))) is None


def test_key_is_one_way_and_depends_on_the_credential_before_the_address() -> None:
    request = with_headers((b"authorization", b"Token abc"))
    assert client_key(request, "1.1.1.1", KEY) == client_key(request, "2.2.2.2", KEY)
    assert "abc" not in client_key(request, "1.1.1.1", KEY)
    assert client_key(with_headers(), "1.1.1.1", KEY) != client_key(with_headers(), "2.2.2.2", KEY)
    assert client_key(request, "1.1.1.1", KEY) != client_key(request, "1.1.1.1", b"o" * 32)


def test_issued_credentials_are_the_session_cookies_of_an_answer() -> None:
    answer = Response(200, ((b"Set-Cookie", b"sessionid=new; Path=/"), (b"Set-Cookie", b"theme=dark")))
    assert issued_credentials(answer) == ["new"]


def test_broken_cookie_headers_are_read_as_far_as_they_go() -> None:
    assert cookies(((b"Cookie", b"=x; a; b=2;;"),)) == [("b", "2")]
