"""HTML as a stream of tokens: what a browser's tokenizer sees, in linear time for every input.

Left out because no reader of the page can tell: the spelling of entities, the order of attributes, letter case of names,
white space outside pre, textarea, script and style, and the value of Django's CSRF field (its presence stays).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z][^\s/>]*")
_ATTRIBUTE = re.compile(r"([^\s/>=]++)(?:(\s*+)(?:=\s*+(?:\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)|([^\s>]*+)))?+)?+")
_SKIPPED = re.compile(r"[\s/=]*+")
_SPACE = re.compile(r"[ \t\n\f\r]+")
_RAW = {"script", "style"}
_KEPT_SPACE = {"pre", "textarea", "script", "style"}
MAX_DEPTH = 12
"""Tags of the tag path that a cluster is keyed by."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `kind` is `start end text comment doctype`; `within` is the path of open tags around it."""

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
        """The tag's name, or the text without the white space around it."""
        return self.name.strip() if self.kind in ("text", "comment") else self.name


def tokens(text: str, *, mask_csrf: bool) -> list[Token]:
    """The tokens of a document or fragment."""
    return list(_collapsed(_raw_tokens(text), mask_csrf))


def unescaped(text: str) -> str:
    """The text with character references undone; one whose number is absurd stays as it is."""
    try:
        return html.unescape(text)
    except (ValueError, OverflowError):
        return text


def _raw_tokens(text: str) -> Iterator[Token]:
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
        elif follower in ("!", "?") or (follower == "/" and not text[at + 2 : at + 3].isalpha()):
            end = text.find(">", at + 2)
            end = size if end < 0 else end
            yield Token("doctype", " ".join(text[at + 2 : end].lower().split()))
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


_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def _collapsed(raw: Iterator[Token], mask_csrf: bool) -> Iterator[Token]:
    open_tags: list[str] = []
    pending: list[str] = []

    def flush() -> Iterator[Token]:
        if not pending:
            return
        joined = "".join(pending)
        pending.clear()
        if not any(tag in _KEPT_SPACE for tag in open_tags[-MAX_DEPTH:]):
            joined = _SPACE.sub(" ", joined).strip(" ")
        if joined:
            yield Token("text", joined, (), "/".join(open_tags[-MAX_DEPTH:]))

    for token in raw:
        if token.kind == "text":
            pending.append(token.name)
            continue
        yield from flush()
        within = "/".join(open_tags[-MAX_DEPTH:])
        if token.kind == "start":
            attributes = _masked(token) if mask_csrf else token.attributes
            yield Token("start", token.name, attributes, within)
            if token.name not in _VOID:
                open_tags.append(token.name)
                del open_tags[:-1_000]
        elif token.kind == "end":
            if token.name in open_tags[-MAX_DEPTH:]:
                while open_tags.pop() != token.name:
                    pass
            if token.name not in _VOID:
                yield Token("end", token.name, (), within)
        else:
            yield Token(token.kind, token.name.strip(), (), within)
    yield from flush()


def _masked(token: Token) -> tuple[tuple[str, str], ...]:
    if token.name == "input" and ("name", "csrfmiddlewaretoken") in token.attributes:
        return tuple((name, "masked" if name == "value" and value else value) for name, value in token.attributes)
    return token.attributes
