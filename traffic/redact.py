"""Redaction before anything is written or logged: a secret becomes a keyed token of the same format (traffic/redact_shape.py).

The same secret gives the same token under the same key, so that equality survives; the key is not stored beside the data.
Covered: headers, cookies, URLs, query and form fields by name, JSON by name and path, HTML and XML by the names in them, and
whatever looks like a card, an e-mail address or a key (traffic/redact_values.py). Telling names (traffic/secret_names.py) are secret
without being configured. What cannot be read and names a secret is withheld whole. Nothing here raises, whatever the traffic holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from traffic.message import Failure, Headers, Request, Response, first_header, header_values
from traffic.redact_body import MOST_KEPT, WITHHELD, BodyRedaction
from traffic.redact_json import JsonRedaction
from traffic.redact_markup import redacted_markup, secret_tag
from traffic.redact_paths import PathStep, RedactionError, SecretPaths, read_path
from traffic.redact_shape import MARK, Tokens, is_token
from traffic.redact_text import TextRedaction
from traffic.redact_values import VALUES, ValueDetection
from traffic.secret_names import Grade, SecretNames, covers

__all__ = ["MARK", "MOST_KEPT", "TOO_LARGE", "WITHHELD", "RedactionError", "Redactor", "is_token"]

TOO_LARGE = b"[body withheld: a request of this size is not kept]"
_ANYWHERE = re.compile(r"\$\.\.(?:([A-Za-z_][\w]*)|\['([^'\]]+)'\]|\[\"([^\"\]]+)\"\])")
_BRACKETED = re.compile(r"<([^<>]*)>")
URL_HEADERS = frozenset({"location", "referer", "content-location", "link", "refresh", "origin"})


class Redactor:
    """Knows what is secret and replaces it. Pure: the key is handed in.

    `headers` and `cookies` are names whose values are secret; `query` are names of fields in URLs, forms and other texts;
    `json_paths` are RFC 9535 paths; `values` are names of traffic.redact_values.VALUES. Raises RedactionError for a bad path.
    """

    def __init__(
        self,
        headers: Iterable[str],
        json_paths: Iterable[str],
        key: bytes,
        *,
        query: Iterable[str] = (),
        cookies: Iterable[str] = (),
        values: Iterable[str] = VALUES,
    ) -> None:
        self._headers = {name.lower() for name in headers}
        self._cookies = SecretNames(cookies)
        names: set[str] = set()
        paths: list[tuple[PathStep, ...]] = []
        for path in json_paths:
            anywhere = _ANYWHERE.fullmatch(path)
            if anywhere:  # the usual form, `$..password`, stands for the name in forms and queries too
                names.add(next(group for group in anywhere.groups() if group))
            else:
                paths.append(read_path(path))
        self.token = Tokens(key).token
        """What stands for a secret; a token stands for itself."""
        self._names = SecretNames({*names, *query})
        self._text = TextRedaction(self._names, self.token, ValueDetection(values, self.token))
        self._document = JsonRedaction(SecretNames(names), SecretPaths(paths), self._text)
        self._body = BodyRedaction(self._text, self._document)

    def is_secret_name(self, name: str) -> bool:
        """Whether text in a field of this name is secret; nested spellings such as `auth[token]` and `%74oken` count."""
        return self._names.grade(name) > Grade.OPAQUE

    def is_secret_header(self, name: str) -> bool:
        """Whether the header of this name is secret: configured, or telling by itself."""
        return name.lower() in self._headers or self._names.grade(name) >= Grade.TEXT

    def is_configured_header(self, name: str) -> bool:
        """Whether every value of this header is secret."""
        return name.lower() in self._headers

    def is_secret_at(self, steps: Sequence[str | int], value: object) -> bool:
        """Whether a JSON value that stands at this place is secret; what a text or container holds inside does not count."""
        grade, _, _ = self._document.place(steps)
        return grade is Grade.ALL if isinstance(value, dict | list) else covers(grade, value)

    def document(self, text: str, steps: Sequence[str | int] = ()) -> str:
        """JSON text that stands at this place of a document, its secrets replaced. Raises ValueError where it is no JSON."""
        return self._document.redacted(text, steps)

    def headers(self, headers: Headers) -> Headers:
        """The same list with secret values replaced; cookies keep their names and attributes."""
        return tuple((name, self._header(name.decode("latin-1").strip().lower(), value)) for name, value in headers)

    def _header(self, name: str, value: bytes) -> bytes:
        text = value.decode("latin-1")
        if name == "cookie":
            return "; ".join(self._cookie(name, part.strip()) for part in text.split(";")).encode("latin-1")
        if name == "set-cookie":
            pair, semicolon, attributes = text.partition(";")
            return (self._cookie(name, pair) + semicolon + self._text.loose(attributes, strict=True)).encode("latin-1")
        if name not in self._headers:
            return self.header_text(name, text).encode("latin-1")
        scheme, space, secret = text.partition(" ")
        if name in ("authorization", "proxy-authorization") and space:
            return f"{scheme} {self.token(secret)}".encode("latin-1")
        return self.token(text).encode("latin-1")

    def header_text(self, name: str, text: str) -> str:
        """The value of a header (its name in lower case) that is not configured as secret."""
        if name in ("cookie", "set-cookie"):
            return self._header(name, text.encode("latin-1", "replace")).decode("latin-1")
        if self._names.grade(name) >= Grade.TEXT and self._names.covers(name, text):
            return self.token(text)
        if name == "link":
            return _BRACKETED.sub(lambda found: f"<{self._text.url(found[1])}>", text) if "<" in text else self._text.url(text)
        if name in URL_HEADERS:
            return self._text.url(text)
        return self._text.loose(text, strict=True)

    def _cookie(self, header: str, pair: str) -> str:
        name, sign, value = pair.partition("=")
        if not sign:
            return self._text.loose(pair, strict=True)
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        inner = value[1:-1] if quoted else value
        if not inner:
            return pair
        if header in self._headers or self._cookies.covers(name.strip(), inner) or self._names.covers(name.strip(), inner):
            return f'{name}="{self.token(inner)}"' if quoted else f"{name}={self.token(inner)}"
        return self._text.url(f"?{pair}")[1:]

    def is_secret_cookie(self, name: str) -> bool:
        """Whether the values of cookies of this name are secret."""
        everything = {"cookie", "set-cookie"} & self._headers
        return bool(everything) or self._cookies.grade(name) > Grade.OPAQUE or self.is_secret_name(name)

    def target(self, target: bytes) -> bytes:
        """A request target or URL with the secrets of its userinfo, path parameters, query and fragment replaced."""
        return self._text.url(target.decode("latin-1")).encode("latin-1")

    def text(self, text: str) -> str:
        """Words for people (a message, a note, a line of a log) with quoted and `name=value` secrets and URLs' secrets replaced."""
        return self._text.loose(text, strict=True)

    def values(self, text: str) -> str:
        """The text with those secrets replaced that need no name: cards, e-mail addresses, keys, userinfo of URLs."""
        return self._text.values(text)

    def markup(self, text: str) -> str:
        """Text of a page or script with its secrets replaced."""
        return redacted_markup(text, self._text)

    def is_secret_tag(self, text: str) -> bool:
        """Whether a single start tag, perhaps cut, holds a secret or may hold one."""
        return secret_tag(text, self._text)

    def body(self, headers: Headers, body: bytes, *, cut: bool = False) -> bytes:
        """A decoded body with secret fields replaced; bytes without a secret come back as they are. `cut`: it is a beginning only."""
        if not body:
            return body
        kind = (first_header(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
        return self._body.body(kind.decode("latin-1"), body, cut=cut)

    def request(self, request: Request) -> Request:
        """The request, fit to be stored. A body with a content coding, which nobody has looked into, or over MOST_KEPT is withheld."""
        codings = b",".join(header_values(request.headers, b"content-encoding")).lower()
        coded = any(part.strip() not in (b"", b"identity") for part in codings.split(b","))
        if len(request.body) > MOST_KEPT:
            body = TOO_LARGE
        else:
            body = WITHHELD if coded and request.body else self.body(request.headers, request.body)
        return replace(request, target=self.target(request.target), headers=self.headers(request.headers), body=body)

    def response(self, response: Response) -> Response:
        """The answer, fit to be stored; its body must be decoded already. One over MOST_KEPT is cut and then `truncated`."""
        cut = response.truncated or len(response.body) > MOST_KEPT
        body = self.body(response.headers, response.body[:MOST_KEPT], cut=cut)
        return Response(response.status, self.headers(response.headers), body, cut)

    def failure(self, failure: Failure) -> Failure:
        """What went wrong, fit to be stored."""
        return Failure(failure.reason, self.text(failure.detail))
