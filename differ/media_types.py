"""Media types (RFC 9110, 8.3) in comparable form: letter case, blanks, quotes and the order of parameters say nothing."""

from __future__ import annotations

import re

_PIECE = re.compile(r'(?>(?:[^;"]++|"(?>(?:[^"\\]|\\.)*)"|")+)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_JSON = ("/json", "+json")
MediaForm = tuple[str, tuple[tuple[str, str], ...]]


def media_form(value: str) -> MediaForm:
    """The type in lower case and its parameters by name; equal forms are one media type.

    JSON has no charset but UTF-8, so naming it says nothing; a multipart boundary is framing, as the size of a chunk is. Of a
    parameter given twice the first counts for some readers and the last for others: both stay, in their order.
    """
    kind, parameters = _read(value)
    charsets = [text for name, text in parameters if name == "charset"]
    if kind.endswith(_JSON) and charsets in (["utf-8"], ["utf8"]):
        parameters = [pair for pair in parameters if pair[0] != "charset"]
    if kind.startswith("multipart/"):
        parameters = [(name, "*" if name == "boundary" and text else text) for name, text in parameters]
    return kind, tuple(sorted(parameters, key=_name))


def charset_of(value: str) -> str:
    """The charset of a media type in lower case, empty where there is none. The first one counts, as for browsers."""
    return next((text for name, text in _read(value)[1] if name == "charset"), "")


def _read(value: str) -> tuple[str, list[tuple[str, str]]]:
    """The type in lower case, and its parameters in the order they stand."""
    kind, semicolon, rest = value.partition(";")
    found: list[tuple[str, str]] = []
    for piece in _PIECE.findall(rest) if semicolon else ():
        name, _, text = (part.strip() for part in piece.partition("="))
        name = name.lower()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = _ESCAPED.sub(r"\1", text[1:-1])
        if name or text:
            found.append((name, text.lower() if name == "charset" else text))
    return kind.strip().lower(), found


def _name(parameter: tuple[str, str]) -> str:
    return parameter[0]
