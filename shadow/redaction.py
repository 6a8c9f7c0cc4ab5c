"""Makes differences and examples fit to be stored: every secret becomes a token before anything leaves memory."""

from __future__ import annotations

import json
import re
from typing import Any

from differ.facts import Difference
from store.records import DifferenceText
from traffic.message import Answer, Response
from traffic.redact import Redactor

_STEP = re.compile(r"""\.([^.\[\]]+)|\["((?:[^"\\]|\\.)*)"\]|(\[[^\]]*\])""")
_JSON_NAME = re.compile(r'"((?:[^"\\]|\\.){1,200})"\s*:')
_FORM_NAME = re.compile(r"([^\s&?=;,\"'<>]{1,200})=")
_TAG_TEXT = re.compile(r"<[A-Za-z]")
_SAMPLES: dict[str, object] = {"number": 0.5, "boolean": True}


class DifferenceRedactor:
    """Knows whether the place of a difference is secret, and looks into texts that hold more than one value."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def text(self, difference: Difference) -> DifferenceText:
        """The difference as it may be kept. Never raises: what cannot be looked into becomes tokens."""
        types = difference.atom.types.split(">")
        sides = [
            self._side(difference, text, types[at] if len(types) == 2 else "")
            for at, text in enumerate((difference.primary, difference.candidate))
        ]
        location = self._location(difference, sides != [difference.primary, difference.candidate])
        return DifferenceText(difference.atom, sides[0], sides[1], location, self._redactor.text(difference.note))

    def _location(self, difference: Difference, redacted: bool) -> str:
        """In HTML the location repeats the text of the page; where that is secret only the path of tags is kept."""
        location = difference.location
        if not location.startswith("html:"):
            return location
        shown = location.removeprefix("html:")
        return difference.atom.path if redacted or self._redactor.markup(shown) != shown else location

    def _side(self, difference: Difference, text: str | None, kind: str) -> str | None:
        if text is None or text == "":
            return text
        try:
            secret = self._secret_place(difference, _SAMPLES.get(kind, text))
            return self._redactor.token(text) if secret else self._value(difference, text)
        except Exception:  # a hostile path or text: it is not kept
            return self._redactor.token(text)

    def _secret_place(self, difference: Difference, value: object) -> bool:
        aspect, path = difference.atom.aspect, difference.atom.path
        if aspect == "header":
            return self._redactor.is_configured_header(path.partition(" ")[0].partition(":")[0])
        if aspect == "cookie":
            return self._redactor.is_secret_header("set-cookie") or self._redactor.is_secret_name(path)
        if aspect == "body" and path.startswith("html:"):
            innermost = path.rpartition("/")[2].removeprefix("html:").rpartition(":")[2]
            return difference.atom.types == "text" and self._redactor.is_secret_name(innermost)
        if aspect == "body":
            place = difference.location or path
            return place != "$" and self._redactor.is_secret_at(skeleton(place, value))
        return False

    def _value(self, difference: Difference, text: str) -> str:
        if difference.atom.aspect == "header":
            return self._redactor.header_text(difference.atom.path.partition(" ")[0].partition(":")[0].lower(), text)
        if difference.atom.aspect == "body" and difference.atom.path.startswith("html:"):
            return self._html_text(difference.atom.types, text)
        if difference.atom.aspect == "body":
            return self._body_text(difference.location or difference.atom.path, text)
        return text

    def _html_text(self, kind: str, text: str) -> str:
        if kind == "start" or _TAG_TEXT.match(text):
            return self._redactor.token(text) if self._redactor.is_secret_tag(text) else text
        return self._redactor.token(text) if self._redactor.markup(text) != text else text

    def _body_text(self, location: str, text: str) -> str:
        """A value may be a whole object, or the cut beginning of one; a secret name inside withholds what cannot be parsed."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None  # no document, or the cut beginning of one
        if isinstance(value, dict | list):
            document = skeleton(location, value)
            return json.dumps(_inner(document, location), ensure_ascii=False) if self._redactor.document(document) else text
        names = [_unescaped(name) for name in _JSON_NAME.findall(text)] + _FORM_NAME.findall(text)
        if any(self._redactor.is_secret_name(name) for name in names):
            return self._redactor.token(text)
        if location == "$":  # the beginning of a whole body: it may be markup, multipart or anything else
            return (
                text
                if self._redactor.body((), text.encode("utf-8", "surrogatepass")).decode() == text
                else self._redactor.token(text)
            )
        return self._redactor.text(text)


def skeleton(location: str, value: Any) -> Any:
    """A document that holds nothing but `value` at `location`; an index becomes the only element of its list."""
    document = value
    for name, quoted, bracket in reversed(_STEP.findall(location.removeprefix("$"))):
        document = [document] if bracket else {name or _unescaped(quoted): document}
    return document if isinstance(document, dict | list) else {"": document}


def _inner(document: Any, location: str) -> Any:
    for name, quoted, bracket in _STEP.findall(location.removeprefix("$")):
        document = document[0] if bracket else document[name or _unescaped(quoted)]
    return document


def _unescaped(quoted: str) -> str:
    try:
        return str(json.loads(f'"{quoted}"'))
    except ValueError:
        return quoted


def redacted_answer(redactor: Redactor, answer: Answer, body: bytes | None) -> Answer:
    """An answer as it may be kept, its body decoded; a body that could not be decoded is withheld."""
    if not isinstance(answer, Response):
        return answer
    kept = Response(answer.status, answer.headers, body if body is not None else b"", answer.truncated or body is None)
    return redactor.response(kept)
