"""Redaction of bodies: JSON by name and path, forms, markup, and the withholding of whatever names a secret and cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import jsonpath_rfc9535

from traffic.redact_markup import redacted_markup
from traffic.redact_text import TextRedaction, is_token
from traffic.secret_names import Grade, covers

WITHHELD = b"[body withheld: it could not be parsed and names a secret field]"
_FORM = "application/x-www-form-urlencoded"
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip and zstd: what is inside cannot be seen


class BodyRedaction:
    """Replaces the secrets of bodies. Bodies come decoded; one that still has a content coding is `WITHHELD` by the caller."""

    def __init__(self, text: TextRedaction, paths: Iterable[jsonpath_rfc9535.JSONPathQuery]) -> None:
        self._text, self._paths = text, list(paths)

    def body(self, kind: str, body: bytes) -> bytes:
        """The body with its secrets replaced. `kind` is the bare media type in lower case. Never raises."""
        try:
            return self._body(kind, body)
        except Exception:  # hostile depth, a path that gives up: what cannot be redacted is not kept
            return WITHHELD

    def _body(self, kind: str, body: bytes) -> bytes:
        if body.startswith(_COMPRESSED):
            return WITHHELD
        stripped = body.strip()
        if kind == _FORM and not stripped.startswith((b"{", b"[")):
            return self._text.fields(body.decode("latin-1")).encode("latin-1")
        duplicates: list[str] = []
        try:
            coding = json.detect_encoding(body)
            document = json.loads(body.decode(coding, "surrogatepass"), object_pairs_hook=_noting(duplicates))
        except (ValueError, RecursionError):
            return self._unparsed(kind, body)
        changed = self.document(document)
        # The value of a name that stands twice is lost in parsing, so the bytes must not be kept where it may be a secret.
        changed = changed or bool(duplicates and (self._paths or any(self._text.names.grade(name) for name in duplicates)))
        return json.dumps(document, ensure_ascii=False).encode(coding, "surrogatepass") if changed else body

    def _unparsed(self, kind: str, body: bytes) -> bytes:
        text, coding = _decoded(body)
        if not kind.startswith("multipart/") and (kind.endswith(("html", "xml")) or _like_markup(kind, text)):
            kept = redacted_markup(text, self._text)
            return body if kept == text else kept.encode(coding, "surrogatepass")
        if self._text.names_secret(text) or self._text.names_secret(body.decode("latin-1")):
            return WITHHELD
        kept = self._text.loose(text, strict=True)
        return body if kept == text else kept.encode(coding, "surrogatepass")

    def document(self, document: Any, *, values: bool = True) -> bool:
        """Replaces the secrets of a parsed JSON document in place; True when there were any. May raise for a hostile document.

        `values` off: the place alone says what is secret, pairs inside of texts do not count.
        """
        changed = self._walk(document, Grade.NONE, values)
        for path in self._paths:
            for node in path.find(document):
                if node.location:
                    changed = self._replace(document, tuple(node.location)) or changed
        return changed

    def _walk(self, node: Any, inherited: Grade, values: bool) -> bool:
        changed = False
        if isinstance(node, dict):
            for name, value in node.items():
                grade = max(inherited, self._text.names.grade(name))
                changed = self._member(node, name, value, grade, values) or changed
        elif isinstance(node, list):
            for at, value in enumerate(node):
                changed = self._member(node, at, value, inherited, values) or changed
        return changed

    def _member(self, parent: Any, key: int | str, value: Any, grade: Grade, values: bool) -> bool:
        if isinstance(value, dict | list) and grade is not Grade.ALL:
            return self._walk(value, grade if grade >= Grade.TEXT else Grade.NONE, values)
        if isinstance(value, dict | list) or covers(grade, value):
            if isinstance(value, str) and is_token(value):
                return False
            parent[key] = self._token(value)
            return True
        if values and isinstance(value, str) and value:
            kept = self._text.loose(value, strict=True)
            parent[key] = kept
            return kept != value
        return False

    def _token(self, value: Any) -> str:
        return self._text.token(value if isinstance(value, str) else json.dumps(value))

    def _replace(self, document: Any, location: tuple[int | str, ...]) -> bool:
        node = document
        for step in location[:-1]:
            if isinstance(node, str):  # a container above is a token already
                return False
            node = node[step]
        if isinstance(node, str):
            return False
        value = node[location[-1]]
        if value is None or (isinstance(value, str) and is_token(value)):
            return False
        node[location[-1]] = self._token(value)
        return True


def _noting(duplicates: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) != len(pairs):
            duplicates.extend(name for name, _ in pairs)
        return document

    return made


def _decoded(body: bytes) -> tuple[str, str]:
    """The text and the coding by which its bytes come back."""
    for name in (json.detect_encoding(body), "utf-8"):
        try:
            text = body.decode(name)
        except UnicodeDecodeError:
            continue
        return text, name
    return body.decode("latin-1"), "latin-1"


def _like_markup(kind: str, text: str) -> bool:
    return kind in ("", "text/plain") and text.lstrip("\ufeff \t\r\n")[:1] == "<"
