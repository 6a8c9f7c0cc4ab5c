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
_URL_HEADERS = frozenset({"location", "referer", "content-location", "link"})


class DifferenceRedactor:
    """Knows whether the place of a difference is secret, and looks into texts that hold more than one value."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def text(self, difference: Difference) -> DifferenceText:
        """The difference as it may be kept."""
        secret = self._secret_place(difference)
        return DifferenceText(
            difference.atom,
            self._value(difference, difference.primary, secret),
            self._value(difference, difference.candidate, secret),
            difference.location,
            difference.note,
        )

    def _secret_place(self, difference: Difference) -> bool:
        aspect, path = difference.atom.aspect, difference.atom.path
        if aspect == "header":
            return self._redactor.is_secret_header(path.partition(" ")[0].partition(":")[0])
        if aspect == "cookie":
            return self._redactor.is_secret_header("set-cookie")
        if aspect == "body":
            return self._redactor.document(skeleton(difference.location or path, "x"))
        return False

    def _value(self, difference: Difference, text: str | None, secret: bool) -> str | None:
        if text is None or text == "":
            return text
        if secret:
            return self._redactor.token(text)
        if difference.atom.aspect == "header" and difference.atom.path.lower() in _URL_HEADERS:
            return self._redactor.target(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
        if difference.atom.aspect == "body":
            return self._body_text(difference.location or difference.atom.path, text)
        return text

    def _body_text(self, location: str, text: str) -> str:
        """A value may be a whole object, or the cut beginning of one; a secret name inside withholds what cannot be parsed."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict | list):
            document = skeleton(location, value)
            try:
                if self._redactor.document(document):
                    return json.dumps(_inner(document, location), ensure_ascii=False)
            except RecursionError:
                return self._redactor.token(text)
            return text
        names = [_unescaped(name) for name in _JSON_NAME.findall(text)] + _FORM_NAME.findall(text)
        return self._redactor.token(text) if any(self._redactor.is_secret_name(name) for name in names) else text


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
