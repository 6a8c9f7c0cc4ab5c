"""The tokens of HTML as a browser's tokenizer sees them, in linear time for every input."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5

_NAME = re.compile(r"[A-Za-z][^\s/>]*")
_ATTRIBUTE = re.compile(r"([^\s/>=]++)(?>(?:(\s*+)(?>(?:=\s*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^\s>]*+)))?))?)")
_SKIPPED = re.compile(r"[\s/=]*+")
_START = re.compile(r"<[A-Za-z!?/]")
"""Any other `<` is text."""
_TAG = re.compile(r"</?[A-Za-z]")
_COMMENT = re.compile(r"(?:-?>|(.*?)--!?>)", re.DOTALL)
"""From behind `<!--`; `<!-->` and `<!--->` are empty."""
_RAW = {"script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext"}
_ENTITIES_ONLY = {"title", "textarea"}
_REFERENCE = re.compile(r"&(?:#(?:[xX][0-9a-fA-F]+|[0-9]+)|[a-zA-Z][a-zA-Z0-9]*);?", re.ASCII)
MAX_NUMBER = 20
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'|[^\"']++|[\"']")
_CDATA = "<![CDATA["


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `kind` is `start end text comment cdata doctype cut`; `within` is the path of open tags around it."""

    kind: str
    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    within: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What is compared."""
        return (self.kind, self.name, self.attributes)

    @property
    def shown(self) -> str:
        """The tag's name, or the text without the white space around it; a lone blank is named."""
        if self.kind == "text" and self.name.isspace():
            return "(white space)"
        return self.name.strip() if self.kind in ("text", "comment", "cdata") else self.name


def unescaped(text: str) -> str:
    """The text with character references undone, in one pass; one whose number is absurdly long stays as it is."""
    return _REFERENCE.sub(_undone, text) if "&" in text else text


def attribute_text(text: str) -> str:
    """The value of an attribute with character references undone: there `&sect` in `?a=1&section=2` is none."""
    return _REFERENCE.sub(_undone_in_attribute, text) if "&" in text else text


def _undone(found: re.Match[str]) -> str:
    reference = found[0]
    if reference[1] != "#":
        return html.unescape(reference)
    if len(reference) > MAX_NUMBER:
        return reference
    digits = reference[2:].rstrip(";")
    # the standard library drops references to control characters, browsers do not
    return html.unescape(reference) or chr(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _undone_in_attribute(found: re.Match[str]) -> str:
    reference = found[0]
    if reference[1] != "#":
        open_ended = reference[-1] != ";" and found.string[found.end() : found.end() + 1] == "="
        if open_ended or reference[1:] not in html5:
            return reference
    return _undone(found)


def markup(text: str) -> Iterator[Token]:
    """The tokens of a document or fragment, `within` left empty. Names of tags and attributes are in lower case."""
    at, size = 0, len(text)
    while at < size:
        start = _START.search(text, at)
        if start is None:
            yield Token("text", unescaped(text[at:]))
            return
        if start.start() > at:
            yield Token("text", unescaped(text[at : start.start()]))
        at = start.start()
        if text.startswith("<!--", at):
            found = _COMMENT.match(text, at + 4)
            token, at = (Token("comment", found[1] or ""), found.end()) if found else (Token("comment", text[at + 4 :]), size)
        elif text.startswith(_CDATA, at):
            end = text.find("]]>", at)
            end = size if end < 0 else end
            token, at = Token("cdata", text[at + len(_CDATA) : end]), end + 3
        elif _TAG.match(text, at):
            token, at = _tag(text, at)
        elif text[at + 1 : at + 2] in ("!", "?") or (text.startswith("</", at) and at + 2 < size):
            end = text.find(">", at + 2)
            end = size if end < 0 else end
            token, at = Token("doctype", _declaration(text[at + 1 : end])), end + 1
        else:
            token, at = Token("text", "<"), at + 1
        yield token
        if token.kind == "start" and (token.name in _RAW or token.name in _ENTITIES_ONLY):
            end = _closing(text, at, token.name)
            if end > at:
                yield Token("text", text[at:end] if token.name in _RAW else unescaped(text[at:end]))
            at = end


def _declaration(text: str) -> str:
    """What stands after `<` in `<!...>`, `<?...>`: letter case counts, but for doctypes and `<?xml` outside of quotes."""
    if text[:8].lower() == "!doctype":
        text = "".join(part if part[0] in "\"'" else part.lower() for part in _QUOTED.findall(text[1:]))
    elif text[:5] == "?xml " or text[:5] == "?xml\n":
        text = text.lower()
    return " ".join(text.split())


def _tag(text: str, at: int) -> tuple[Token, int]:
    """A start or end tag and where it ends. One that the text ends in is shown by no browser."""
    kind, name_at = ("end", at + 2) if text.startswith("</", at) else ("start", at + 1)
    name = _NAME.match(text, name_at)
    assert name is not None
    start, at = at, name.end()
    attributes: dict[str, str] = {}
    while True:  # every turn moves on: what separates attributes is skipped whole, and whatever is left is an attribute
        skipped = _SKIPPED.match(text, at)
        at = skipped.end() if skipped is not None else at
        if at >= len(text):
            return Token("cut", text[start:]), at
        if text[at] == ">":
            break
        found = _ATTRIBUTE.match(text, at)
        if found is None:
            at += 1
            continue
        at = found.end()
        value = next((group for group in found.groups()[2:] if group is not None), "")
        attributes.setdefault(found[1].lower(), attribute_text(value))
    return Token(kind, name[0].lower(), tuple(sorted(attributes.items())) if kind == "start" else ()), at + 1


def _closing(text: str, at: int, name: str) -> int:
    if name == "plaintext":
        return len(text)
    found = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(text, at)
    return found.start() if found else len(text)
