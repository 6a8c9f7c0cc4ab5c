"""Redaction before anything is written or logged: a secret becomes a keyed token.

The same secret gives the same token under the same key, so that equality survives; the key is not stored beside the data.
Covered: headers, cookies, query and form fields by name, JSON by path. What cannot be parsed and names a secret is withheld whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import jsonpath_rfc9535

from traffic.message import Headers, Request, Response, first_header

MARK = "redacted-"
WITHHELD = b"[body withheld: it could not be parsed and names a secret field]"
_ANYWHERE = re.compile(r"\$\.\.(?:([A-Za-z_][\w]*)|\['([^'\]]+)'\]|\[\"([^\"\]]+)\"\])")
_SEGMENT = re.compile(r"[\[\].]+")


class RedactionError(ValueError):
    """A JSON path of `[redact] json` that is no RFC 9535 path."""


class Redactor:
    """Knows what is secret and replaces it. Pure: the key is handed in."""

    def __init__(self, headers: Iterable[str], json_paths: Iterable[str], key: bytes) -> None:
        self._headers = {name.lower().encode("latin-1") for name in headers}
        self._key = key[:64]
        self._names: set[str] = set()
        self._paths = []
        for path in json_paths:
            anywhere = _ANYWHERE.fullmatch(path)
            if anywhere:  # the usual form, `$..password`: one walk finds all of these, in forms and queries too
                self._names.add(next(group for group in anywhere.groups() if group).lower())
                continue
            try:
                self._paths.append(jsonpath_rfc9535.compile(path))
            except Exception as error:
                raise RedactionError(f"{path!r} is no RFC 9535 path: {error}") from error

    def token(self, secret: str) -> str:
        """What stands for `secret`."""
        raw = secret.encode("utf-8", "surrogatepass")
        return MARK + hashlib.blake2b(raw, digest_size=6, key=self._key).hexdigest()

    def is_secret_name(self, name: str) -> bool:
        """Whether a field of this name is secret; nested spellings such as `auth[token]` and `%74oken` count by each segment."""
        return any(part.lower() in self._names for part in _SEGMENT.split(unquote_plus(name)) if part)

    def is_secret_header(self, name: str) -> bool:
        """Whether the header of this name is secret."""
        return name.lower().encode("latin-1", "replace") in self._headers

    def headers(self, headers: Headers) -> Headers:
        """The same list with secret values replaced; cookies keep their names and attributes."""
        return tuple((name, self._header(name.lower(), value)) for name, value in headers)

    def _header(self, name: bytes, value: bytes) -> bytes:
        text = value.decode("latin-1")
        if name in (b"location", b"referer", b"content-location", b"link") and name not in self._headers:
            return self.target(value)
        if name not in self._headers:
            return value
        if name == b"cookie":
            return "; ".join(self._cookie(part.strip()) for part in text.split(";")).encode("latin-1")
        if name == b"set-cookie":
            pair, semicolon, attributes = text.partition(";")
            return (self._cookie(pair) + semicolon + attributes).encode("latin-1")
        scheme, space, secret = text.partition(" ")
        if name == b"authorization" and space:
            return f"{scheme} {self.token(secret)}".encode("latin-1")
        return self.token(text).encode("latin-1")

    def _cookie(self, pair: str) -> str:
        name, sign, value = pair.partition("=")
        return f"{name}={self.token(value)}" if sign and value else pair

    def target(self, target: bytes) -> bytes:
        """A request target or URL with secret query values replaced."""
        path, question, query = target.partition(b"?")
        return path + question + self._fields(query) if question else target

    def _fields(self, fields: bytes) -> bytes:
        parts = []
        for part in fields.decode("latin-1").split("&"):
            name, sign, value = part.partition("=")
            parts.append(f"{name}={self.token(value)}" if sign and value and self.is_secret_name(name) else part)
        return "&".join(parts).encode("latin-1")

    def body(self, headers: Headers, body: bytes) -> bytes:
        """A decoded body with secret fields replaced; bytes without a secret come back as they are."""
        if not body or not (self._names or self._paths):
            return body
        kind = (first_header(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
        if kind == b"application/x-www-form-urlencoded":
            return self._fields(body)
        try:
            document = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError):
            lowered = body.lower()
            named = any(name.encode("utf-8") in lowered for name in self._names)
            return WITHHELD if named and kind.endswith(b"json") else body
        try:
            changed = self.document(document)
        except RecursionError:
            return WITHHELD
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass") if changed else body

    def document(self, document: Any) -> bool:
        """Replaces the secrets of a parsed JSON document in place; True when there were any."""
        changed = self._walk(document)
        for path in self._paths:
            for node in path.find(document):
                if node.location:
                    changed = self._replace(document, tuple(node.location)) or changed
        return changed

    def _walk(self, node: Any) -> bool:
        changed = False
        if isinstance(node, dict):
            for name, value in node.items():
                if value is not None and self.is_secret_name(name):
                    node[name] = self.token(value if isinstance(value, str) else json.dumps(value))
                    changed = True
                else:
                    changed = self._walk(value) or changed
        elif isinstance(node, list):
            for value in node:
                changed = self._walk(value) or changed
        return changed

    def _replace(self, document: Any, location: tuple[int | str, ...]) -> bool:
        node = document
        for step in location[:-1]:
            node = node[step]
        value = node[location[-1]]
        if value is None or (isinstance(value, str) and value.startswith(MARK)):
            return False
        node[location[-1]] = self.token(value if isinstance(value, str) else json.dumps(value))
        return True

    def request(self, request: Request) -> Request:
        """The request, fit to be stored."""
        return replace(
            request,
            target=self.target(request.target),
            headers=self.headers(request.headers),
            body=self.body(request.headers, request.body),
        )

    def response(self, response: Response) -> Response:
        """The answer, fit to be stored; its body must be decoded already."""
        return replace(response, headers=self.headers(response.headers), body=self.body(response.headers, response.body))
