"""Rewrites a copy so that the other backend can understand it: the tokens it carries become that backend's own.

Whole values only, never substrings, and everything else stays byte for byte. Ids and slugs would be rewritten here too
(a second map, asked in `rewrite` for path segments, query values and JSON values); that map is not learnt yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote_plus, unquote_plus

import orjson

from shadow.token_map import TokenMap
from shadow.tokens import answer_tokens, is_token_name, parse_json, token_fields
from traffic.message import Headers, Request, Response, Side, first_header

_TOKEN_HEADERS = frozenset(
    {b"x-csrftoken", b"x-csrf-token", b"x-xsrf-token", b"x-auth-token", b"x-session-token", b"x-access-token"}
)
_FORM = b"application/x-www-form-urlencoded"


class Bridge:
    """Learns from pairs of answers and rewrites requests; both directions, since roles swap sides at cutover."""

    def __init__(self, tokens: TokenMap | None = None) -> None:
        self.tokens = tokens if tokens is not None else TokenMap()

    def learn(self, side: Side, issued: Mapping[str, str], other: Response, other_body: bytes | None) -> None:
        """Pairs the tokens that `side`'s answer issued, by place, with those of the other side's, whose decoded body is given."""
        if issued:
            paired = answer_tokens(other, other_body)
            self.tokens.learn(*((issued, paired) if side is Side.PRIMARY else (paired, issued)))

    def rewrite(self, request: Request, towards: Side) -> Request:
        """`request` as the side `towards` has to see it."""
        if not len(self.tokens):
            return request
        headers = tuple((name, self._header(name.lower(), value, towards)) for name, value in request.headers)
        body = self._body(request.headers, request.body, towards)
        if headers == request.headers and body == request.body:
            return request
        return replace(request, headers=headers, body=body)

    def _header(self, name: bytes, value: bytes, towards: Side) -> bytes:
        if name == b"authorization":
            scheme, space, secret = value.rpartition(b" ")
            return scheme + space + self._value(secret, towards)
        if name == b"cookie":
            return b";".join(self._cookie(part, towards) for part in value.split(b";"))
        return self._value(value, towards) if name in _TOKEN_HEADERS else value

    def _cookie(self, part: bytes, towards: Side) -> bytes:
        name, sign, value = part.partition(b"=")
        return name + sign + self._value(value, towards) if sign and name.strip() else part

    def _value(self, value: bytes, towards: Side) -> bytes:
        counterpart = self.tokens.translate(value.decode("latin-1"), towards)
        if counterpart is None:
            return value
        encoded = counterpart.encode("utf-8")
        # A learnt token that no header may carry is better left alone than turned into another header.
        return encoded if encoded.isascii() and encoded.decode().isprintable() else value

    def _body(self, headers: Headers, body: bytes, towards: Side) -> bytes:
        if not body or first_header(headers, b"content-encoding") is not None:
            return body
        kind = (first_header(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
        if kind == _FORM:
            return b"&".join(self._field(part, towards) for part in body.split(b"&"))
        for _, value in token_fields(parse_json(body)):
            counterpart = self.tokens.translate(value, towards)
            if counterpart is not None:
                body = body.replace(orjson.dumps(value), orjson.dumps(counterpart))
        return body

    def _field(self, part: bytes, towards: Side) -> bytes:
        name, sign, value = part.decode("latin-1").partition("=")
        if not sign or not is_token_name(unquote_plus(name)):
            return part
        counterpart = self.tokens.translate(unquote_plus(value), towards)
        return part if counterpart is None else f"{name}={quote_plus(counterpart)}".encode("latin-1")
