"""Makes differences and examples fit to be stored: every secret becomes a token before anything leaves memory."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from differ.facts import Atom, Difference
from store.records import DifferenceText, Finding
from traffic.message import Answer, Response
from traffic.redact import WITHHELD, Redactor

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
        return DifferenceText(self._atom(difference.atom), sides[0], sides[1], location, self._redactor.text(difference.note))

    def path(self, path: str) -> str:
        """A generalised path. A name in it may be data, such as an e-mail address: its token stands for it then."""
        return self._redactor.values(path)

    def finding(self, finding: Finding) -> Finding:
        """What was found over many exchanges, as it may be kept."""
        return replace(finding, atom=self._atom(finding.atom), detail=self._redactor.text(finding.detail))

    def _atom(self, atom: Atom) -> Atom:
        path = self.path(atom.path)
        return atom if path == atom.path else replace(atom, path=path)

    def _location(self, difference: Difference, redacted: bool) -> str:
        """In HTML the location repeats the text of the page; where that is secret only the path of tags is kept."""
        location = difference.location
        if not location.startswith("html:"):
            return self._redactor.values(location)
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
            return self._redactor.is_secret_cookie(path)
        if aspect == "body" and path.startswith("html:"):
            innermost = path.rpartition("/")[2].removeprefix("html:").rpartition(":")[2]
            return difference.atom.types == "text" and self._redactor.is_secret_name(innermost)
        if aspect == "body":
            place = difference.location or path
            return place != "$" and self._redactor.is_secret_at(steps_of(place), value)
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
        if text[:1] in ("{", "["):
            try:
                json.loads(text)
                return self._redactor.document(text, steps_of(location))
            except (ValueError, RecursionError):
                pass  # no document, or the cut beginning of one
        names = [_unescaped(name) for name in _JSON_NAME.findall(text)] + _FORM_NAME.findall(text)
        if any(self._redactor.is_secret_name(name) for name in names):
            return self._redactor.token(text)
        if location == "$":  # the beginning of a whole body: it may be markup, multipart or anything else
            kept = self._redactor.body((), text.encode("utf-8", "surrogatepass"))
            return self._redactor.token(text) if kept == WITHHELD else kept.decode("utf-8", "surrogatepass")
        return self._redactor.text(text)


def steps_of(location: str) -> tuple[str | int, ...]:
    """The names and indices of a place in a document; whichever index it is, it stands as 0."""
    return tuple(
        0 if bracket else name or _unescaped(quoted) for name, quoted, bracket in _STEP.findall(location.removeprefix("$"))
    )


def _unescaped(quoted: str) -> str:
    try:
        return str(json.loads(f'"{quoted}"'))
    except ValueError:
        return quoted


def redacted_answer(redactor: Redactor, answer: Answer, body: bytes | None) -> Answer:
    """An answer as it may be kept, its body decoded; a body that could not be decoded is withheld."""
    if not isinstance(answer, Response):
        return redactor.failure(answer)
    kept = Response(answer.status, answer.headers, body if body is not None else b"", answer.truncated or body is None)
    return redactor.response(kept)
