"""Finds the tokens in requests and answers: session cookies, csrf tokens, and JSON or form fields with telling names.

Everything is bounded: bytes looked at, depth and nodes walked, length of a value. What is over a bound has no tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
import re2

from traffic.client import set_cookies
from traffic.message import Response, first_header

MAX_BODY = 256 * 1024
MAX_NODES = 2_000
MAX_DEPTH = 6
MIN_LENGTH, MAX_LENGTH = 6, 4_096
_NAMES = frozenset({"access", "refresh", "jwt", "sid", "access_key", "auth_key", "key"})
_PARTS = ("token", "session", "csrf", "xsrf")
_JWT = re.compile(r"[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")
# Asked of every body, so by an engine that takes microseconds where the standard one takes a millisecond for 20 KiB.
_HINT = re2.compile(rb"(?i)token|session|csrf|xsrf|access|refresh|jwt|\"sid\"|_key|\"key\"|\"eyJ")
_INPUT = re.compile(rb"<input\b[^>]{0,500}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"\b(name|value)\s*=\s*[\"']([^\"']{1,500})[\"']", re.IGNORECASE)


def is_token_name(name: str) -> bool:
    """Whether a field or cookie of this name is taken for a token."""
    lowered = name.lower().replace("-", "_")
    return lowered in _NAMES or any(part in lowered for part in _PARTS)


def _usable(value: str) -> bool:
    return MIN_LENGTH <= len(value) <= MAX_LENGTH


def token_fields(document: Any) -> Iterator[tuple[str, str]]:
    """`(path, value)` of the tokens in a parsed JSON document.

    Members of objects only: list elements shift, and a pair learnt at a shifted index poisons the map.
    """
    nodes = 0
    pending: list[tuple[str, Any, int]] = [("$", document, 0)]
    while pending:
        path, node, depth = pending.pop()
        if not isinstance(node, dict):
            continue
        for name, value in node.items():
            nodes += 1
            if nodes > MAX_NODES:
                return
            if isinstance(value, str):
                if _usable(value) and (is_token_name(name) or (value.startswith("eyJ") and _JWT.fullmatch(value))):
                    yield f"{path}.{name}", value
            elif isinstance(value, dict) and depth < MAX_DEPTH:
                pending.append((f"{path}.{name}", value, depth + 1))


def parse_json(body: bytes) -> Any:
    """The document of a body that may hold tokens; None when it is none, too large or plainly without tokens."""
    if not body or len(body) > MAX_BODY or not _HINT.search(body):
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _html_fields(body: bytes) -> Iterator[tuple[str, str]]:
    for found in _INPUT.finditer(body[:MAX_BODY]):
        attributes = {name.lower(): value for name, value in _ATTRIBUTE.findall(found.group())}
        name, value = attributes.get(b"name", b"").decode("latin-1"), attributes.get(b"value", b"").decode("latin-1")
        if is_token_name(name) and _usable(value):
            yield f"input:{name}", value


def answer_tokens(response: Response, body: bytes | None) -> dict[str, str]:
    """All tokens that an answer hands out, by place: `cookie:name`, `$.path` or `input:name`. `body` is the decoded body."""
    found = {f"cookie:{name}": value for name, value in set_cookies(response.headers) if _usable(value)}
    if body:
        kind = (first_header(response.headers, b"content-type") or b"").lower()
        if b"html" in kind:
            found.update(_html_fields(body))
        else:
            found.update(token_fields(parse_json(body)))
    return found
