"""The tokens of HTML as a browser's tokenizer sees them, in linear time for every input."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z][^\s/>]*")
_ATTRIBUTE = re.compile(r"([^\s/>=]++)(?:(\s*+)(?:=\s*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^\s>]*+)))?+)?+")
_SKIPPED = re.compile(r"[\s/=]*+")
_RAW = {"script", "style"}
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'|[^\"']++|[\"']")
_CDATA = "<![CDATA["


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `kind` is `start end text comment cdata doctype`; `within` is the path of open tags around it."""

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
    """The text with character references undone; one whose number is absurd stays as it is."""
    try:
        return html.unescape(text)
    except (ValueError, OverflowError):
        return text


def markup(text: str) -> Iterator[Token]:
    """The tokens of a document or fragment, `within` left empty. Names of tags and attributes are in lower case."""
    at, size = 0, len(text)
    while at < size:
        mark = text.find("<", at)
        if mark < 0:
            yield Token("text", unescaped(text[at:]))
            return
        if mark > at:
            yield Token("text", unescaped(text[at:mark]))
        at = mark
        follower = text[at + 1 : at + 2]
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            end = size if end < 0 else end
            yield Token("comment", text[at + 4 : end])
            at = end + 3
        elif text.startswith(_CDATA, at):
            end = text.find("]]>", at)
            end = size if end < 0 else end
            yield Token("cdata", text[at + len(_CDATA) : end])
            at = end + 3
        elif follower in ("!", "?") or (follower == "/" and not text[at + 2 : at + 3].isalpha()):
            end = text.find(">", at + 2)
            end = size if end < 0 else end
            yield Token("doctype", _declaration(text[at + 1 : end]))
            at = end + 1
        elif follower == "/":
            end = text.find(">", at)
            end = size if end < 0 else end
            name = _NAME.match(text, at + 2)
            yield Token("end", name[0].lower() if name else "")
            at = end + 1
        elif follower.isascii() and follower.isalpha():
            token, at = _start(text, at)
            yield token
            if token.name in _RAW or token.name == "textarea" or token.name == "title":
                end = _closing(text, at, token.name)
                content = text[at:end]
                if content:
                    yield Token("text", content if token.name in _RAW else unescaped(content))
                at = end
        else:
            yield Token("text", "<")
            at += 1


def _declaration(text: str) -> str:
    """What stands after `<` in `<!...>`, `<?...>`: letter case counts, but for doctypes and `<?xml` outside of quotes."""
    if text[:8].lower() == "!doctype":
        text = "".join(part if part[0] in "\"'" else part.lower() for part in _QUOTED.findall(text[1:]))
    elif text[:5] == "?xml " or text[:5] == "?xml\n":
        text = text.lower()
    return " ".join(text.split())


def _start(text: str, at: int) -> tuple[Token, int]:
    name = _NAME.match(text, at + 1)
    assert name is not None
    at = name.end()
    attributes: dict[str, str] = {}
    while True:  # every turn moves on: what separates attributes is skipped whole, and whatever is left is an attribute
        skipped = _SKIPPED.match(text, at)
        at = skipped.end() if skipped is not None else at
        if at >= len(text) or text[at] == ">":
            at += 1
            break
        found = _ATTRIBUTE.match(text, at)
        if found is None:
            at += 1
            continue
        at = found.end()
        value = next((group for group in found.groups()[2:] if group is not None), "")
        attributes.setdefault(found[1].lower(), unescaped(value))
    return Token("start", name[0].lower(), tuple(sorted(attributes.items()))), at


def _closing(text: str, at: int, name: str) -> int:
    found = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(text, at)
    return found.start() if found else len(text)
