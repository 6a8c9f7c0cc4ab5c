"""Redaction of bodies: JSON by name and path, forms, markup, and the withholding of whatever names a secret and cannot be read."""

from __future__ import annotations

import json

from traffic.redact_json import JsonRedaction
from traffic.redact_markup import redacted_markup
from traffic.redact_text import TextRedaction

WITHHELD = b"[body withheld: it could not be parsed and names a secret field]"
MOST_KEPT = 256 * 1024
"""Bytes of a body. What is behind them is not kept, so it need not be looked at."""
_LOOKED_BACK = 4_096
_SPACED = 64
"""Characters of the longest value that may have spaces in it: an IBAN in groups."""
_FORM = "application/x-www-form-urlencoded"
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip and zstd: what is inside cannot be seen
_ENDS = " \t\r\n<>\"'&,;"


class BodyRedaction:
    """Replaces the secrets of bodies. Bodies come decoded; one that still has a content coding is `WITHHELD` by the caller."""

    def __init__(self, text: TextRedaction, document: JsonRedaction) -> None:
        self._text, self._document = text, document

    def body(self, kind: str, body: bytes, *, cut: bool = False) -> bytes:
        """The body with its secrets replaced. `kind` is the bare media type in lower case. Never raises.

        `cut`: it is the beginning of a body only, so that a value at its end may be a part of one: what is after the last
        complete value is left out.
        """
        try:
            return self._body(kind, body, cut)
        except Exception:  # hostile depth, a coding that lies: what cannot be redacted is not kept
            return WITHHELD

    def _body(self, kind: str, body: bytes, cut: bool) -> bytes:
        if body.startswith(_COMPRESSED):
            return WITHHELD
        start = body[:1_000].lstrip()
        if kind == _FORM and not start.startswith((b"{", b"[")):
            form = body.decode("latin-1")
            return self._text.fields(form.rpartition("&")[0] if cut else form).encode("latin-1")
        coding = json.detect_encoding(body)
        if cut and start.startswith((b"{", b"[")):
            return self._document.redacted(_text(body, coding), cut=True).encode(coding, "surrogatepass")
        try:
            text = body.decode(coding, "surrogatepass")
            json.loads(text)
        except (ValueError, RecursionError):
            return self._unparsed(kind, body, cut)
        kept = self._document.redacted(text)
        return body if kept == text else kept.encode(coding, "surrogatepass")

    def _unparsed(self, kind: str, body: bytes, cut: bool) -> bytes:
        text, coding = _decoded(body, cut)
        marked_up = not kind.startswith("multipart/") and (kind.endswith(("html", "xml")) or _like_markup(kind, text))
        if not marked_up and (self._text.names_secret(text) or self._text.names_secret(body.decode("latin-1"))):
            return WITHHELD
        kept = redacted_markup(text, self._text) if marked_up else self._text.loose(text, strict=True)
        if cut:
            kept = _up_to_an_end(kept)
        return body if kept == text else kept.encode(coding, "surrogatepass")


def _text(body: bytes, coding: str) -> str:
    """The text of the beginning of a body, whose last character may be cut."""
    return body.decode(coding, "replace").rstrip("\ufffd")


def _decoded(body: bytes, cut: bool) -> tuple[str, str]:
    """The text and the coding by which its bytes come back."""
    for name in (json.detect_encoding(body), "utf-8"):
        for dropped in range(4 if cut else 1):  # a cut may go through a character
            try:
                text = body[: len(body) - dropped].decode(name)
            except UnicodeDecodeError:
                continue
            return text, name
    return body.decode("latin-1"), "latin-1"


def _up_to_an_end(text: str) -> str:
    """The text up to the last place where a value ends: the beginning of a card's number would be known for what it is by nobody."""
    text = text[: max(len(text) - _SPACED, 0)]
    tail = max(len(text) - _LOOKED_BACK, 0)
    last = max(text.rfind(end, tail) for end in _ENDS)
    return text[: last + 1] if last >= 0 else text[:tail]


def _like_markup(kind: str, text: str) -> bool:
    return kind in ("", "text/plain") and text.lstrip("\ufeff \t\r\n")[:1] == "<"
