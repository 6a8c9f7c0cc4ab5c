"""Redaction before anything is written or logged: a secret becomes a keyed token.

The same secret gives the same token under the same key, so that equality survives; the key is not stored beside the data.
Covered: headers, cookies, URLs, query and form fields by name, JSON by name and path, HTML and XML by the names in them. Telling
names (traffic/secret_names.py) are secret without being configured. What cannot be read and names a secret is withheld whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jsonpath_rfc9535

from traffic.message import Headers, Request, Response, first_header, header_values
from traffic.redact_body import WITHHELD, BodyRedaction
from traffic.redact_markup import redacted_markup, secret_tag
from traffic.redact_text import MARK, TextRedaction
from traffic.secret_names import Grade, SecretNames

__all__ = ["MARK", "WITHHELD", "RedactionError", "Redactor"]

_ANYWHERE = re.compile(r"\$\.\.(?:([A-Za-z_][\w]*)|\['([^'\]]+)'\]|\[\"([^\"\]]+)\"\])")
_BRACKETED = re.compile(r"<([^<>]*)>")
URL_HEADERS = frozenset({"location", "referer", "content-location", "link", "refresh", "origin"})


class RedactionError(ValueError):
    """A JSON path of `[redact] json` that is no RFC 9535 path."""


class Redactor:
    """Knows what is secret and replaces it. Pure: the key is handed in."""

    def __init__(self, headers: Iterable[str], json_paths: Iterable[str], key: bytes) -> None:
        self._headers = {name.lower() for name in headers}
        self._key = key[:64]
        names: set[str] = set()
        paths = []
        for path in json_paths:
            anywhere = _ANYWHERE.fullmatch(path)
            if anywhere:  # the usual form, `$..password`: one walk finds all of these, in forms and queries too
                names.add(next(group for group in anywhere.groups() if group))
                continue
            try:
                paths.append(jsonpath_rfc9535.compile(path))
            except Exception as error:
                raise RedactionError(f"{path!r} is no RFC 9535 path: {error}") from error
        self._names = SecretNames(names)
        self._text = TextRedaction(self._names, self.token)
        self._body = BodyRedaction(self._text, paths)

    def token(self, secret: str) -> str:
        """What stands for `secret`."""
        raw = secret.encode("utf-8", "surrogatepass")
        return MARK + hashlib.blake2b(raw, digest_size=6, key=self._key).hexdigest()

    def is_secret_name(self, name: str) -> bool:
        """Whether text in a field of this name is secret; nested spellings such as `auth[token]` and `%74oken` count."""
        return self._names.grade(name) > Grade.OPAQUE

    def is_secret_header(self, name: str) -> bool:
        """Whether the header of this name is secret: configured, or telling by itself."""
        return name.lower() in self._headers or self._names.grade(name) >= Grade.TEXT

    def is_configured_header(self, name: str) -> bool:
        """Whether every value of this header is secret."""
        return name.lower() in self._headers

    def is_secret_at(self, document: Any) -> bool:
        """Whether the only value of this document stands at a secret place; what the value itself holds does not count."""
        return self._body.document(document, values=False)

    def headers(self, headers: Headers) -> Headers:
        """The same list with secret values replaced; cookies keep their names and attributes."""
        return tuple((name, self._header(name.decode("latin-1").strip().lower(), value)) for name, value in headers)

    def _header(self, name: str, value: bytes) -> bytes:
        text = value.decode("latin-1")
        if name not in self._headers:
            return self.header_text(name, text).encode("latin-1")
        if name == "cookie":
            return "; ".join(self._cookie(part.strip()) for part in text.split(";")).encode("latin-1")
        if name == "set-cookie":
            pair, semicolon, attributes = text.partition(";")
            return (self._cookie(pair) + semicolon + attributes).encode("latin-1")
        scheme, space, secret = text.partition(" ")
        if name == "authorization" and space:
            return f"{scheme} {self.token(secret)}".encode("latin-1")
        return self.token(text).encode("latin-1")

    def header_text(self, name: str, text: str) -> str:
        """The value of a header (its name in lower case) that is not configured as secret."""
        if self._names.grade(name) >= Grade.TEXT and self._names.covers(name, text):
            return self.token(text)
        if name == "link":
            return _BRACKETED.sub(lambda found: f"<{self._text.url(found[1])}>", text) if "<" in text else self._text.url(text)
        if name in URL_HEADERS:
            return self._text.url(text)
        return self._text.loose(text, strict=True)

    def _cookie(self, pair: str) -> str:
        name, sign, value = pair.partition("=")
        return f"{name}={self.token(value)}" if sign and value else pair

    def target(self, target: bytes) -> bytes:
        """A request target or URL with the secrets of its userinfo, path parameters, query and fragment replaced."""
        return self._text.url(target.decode("latin-1")).encode("latin-1")

    def text(self, text: str) -> str:
        """Words for people (a message, a note) with quoted and `name=value` secrets replaced."""
        return self._text.loose(text, strict=True)

    def markup(self, text: str) -> str:
        """Text of a page or script with its secrets replaced."""
        return redacted_markup(text, self._text)

    def is_secret_tag(self, text: str) -> bool:
        """Whether a single start tag, perhaps cut, holds a secret or may hold one."""
        return secret_tag(text, self._text)

    def body(self, headers: Headers, body: bytes) -> bytes:
        """A decoded body with secret fields replaced; bytes without a secret come back as they are. Never raises."""
        if not body:
            return body
        kind = (first_header(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
        return self._body.body(kind.decode("latin-1"), body)

    def document(self, document: Any) -> bool:
        """Replaces the secrets of a parsed JSON document in place; True when there were any. May raise for a hostile document."""
        return self._body.document(document)

    def request(self, request: Request) -> Request:
        """The request, fit to be stored. A body with a content coding is withheld: nobody has looked into it."""
        codings = b",".join(header_values(request.headers, b"content-encoding")).lower()
        coded = any(part.strip() not in (b"", b"identity") for part in codings.split(b","))
        return replace(
            request,
            target=self.target(request.target),
            headers=self.headers(request.headers),
            body=WITHHELD if coded and request.body else self.body(request.headers, request.body),
        )

    def response(self, response: Response) -> Response:
        """The answer, fit to be stored; its body must be decoded already."""
        return replace(response, headers=self.headers(response.headers), body=self.body(response.headers, response.body))
