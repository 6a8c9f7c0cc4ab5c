"""Who sent a request: the key of its lane, of its evidence unit and of its canary bucket. Never a secret in clear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from traffic.message import Headers, Request, Response, first_header, header_values

SESSION_COOKIES = frozenset({"sessionid", "session", "connect.sid", "phpsessid", "jsessionid"})


def cookies(headers: Headers) -> list[tuple[str, str]]:
    """The name and value pairs of all `Cookie` headers, in order."""
    pairs = []
    for line in header_values(headers, b"cookie"):
        for part in line.decode("latin-1").split(";"):
            name, sign, value = part.strip().partition("=")
            if sign and name:
                pairs.append((name, value))
    return pairs


def set_cookies(headers: Headers) -> list[tuple[str, str]]:
    """The name and value pairs that the `Set-Cookie` headers of an answer set, attributes dropped."""
    pairs = []
    for line in header_values(headers, b"set-cookie"):
        name, sign, value = line.decode("latin-1").partition(";")[0].strip().partition("=")
        if sign and name:
            pairs.append((name, value))
    return pairs


def credential(request: Request, session_cookies: Iterable[str] = SESSION_COOKIES) -> str | None:
    """What identifies the client's user: the Authorization value without its scheme, else a session cookie; None without one."""
    names = [name.lower() for name, _ in request.headers]
    if b"authorization" in names:
        return request.headers[names.index(b"authorization")][1].decode("latin-1").rpartition(" ")[2]
    if b"cookie" not in names:
        return None
    wanted = session_cookies if session_cookies is SESSION_COOKIES else {name.lower() for name in session_cookies}
    for name, value in cookies(request.headers):
        if value and name.lower() in wanted:
            return value
    return None


def issued_credentials(response: Response, session_cookies: Iterable[str] = SESSION_COOKIES) -> list[str]:
    """The session cookie values that an answer hands out."""
    wanted = {name.lower() for name in session_cookies}
    return [value for name, value in set_cookies(response.headers) if name.lower() in wanted and value]


def client_key(request: Request, address: str, key: bytes) -> str:
    """A short one-way name of the client: its credential, else its address and user agent (one address can be many people).

    It is kept with the results. Without `key`, the signing key, nobody can try passwords or addresses against it.
    """
    known = credential(request)
    if known is not None:
        return "u" + _digest(known, key)
    agent = first_header(request.headers, b"user-agent") or b""
    return "a" + _digest(address + "\0" + agent.decode("latin-1"), key)


def _digest(text: str, key: bytes) -> str:
    return hashlib.blake2b(
        text.encode("utf-8", "surrogateescape"), digest_size=8, key=key[:64], person=b"paritygate-clnt"
    ).hexdigest()
