"""Redaction of HTML and XML: fields by their name, elements by their tag, and pairs in scripts, links and attributes."""

from __future__ import annotations

import re

from traffic.redact_shape import is_token
from traffic.redact_text import TextRedaction, entities_undone
from traffic.secret_names import Grade, covers

_TAG = re.compile(r"<([A-Za-z_][\w.:-]*+)((?>(?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*))>?")
_ATTRIBUTE = re.compile(r"(?:^|(?<=[\s/\"']))([^\s/>=\"']++)(\s*+=\s*+)(\"[^\"]*+\"?|'[^']*+'?|[^\s>]++)")
_NAMING = frozenset({"name", "id", "property", "itemprop", "key", "http-equiv", "autocomplete"})
_VALUES = frozenset({"value", "content", "data-value", "data-content", "default"})
_VOID = frozenset({"input", "meta", "param", "option", "br", "img", "link", "hr"})
_FRAMES = frozenset({"form", "fieldset", "select", "button", "iframe", "a", "map", "object", "slot", "details", "html", "body"})
_LONGEST_KEY = 4_200
_BUTTONS = frozenset({"submit", "button", "reset", "image"})


def redacted_markup(text: str, redaction: TextRedaction) -> str:
    """The document with its secrets replaced; one without any comes back equal."""
    hints = list(redaction.names.hinted(text))
    return redaction.loose(_elements(text, hints, redaction) if hints else text)


def _elements(text: str, hints: list[int], redaction: TextRedaction) -> str:
    """The document with secret fields and contents of elements replaced; only tags in which a name may be secret are looked into."""
    parts: list[str] = []
    done, coming = 0, 0
    ends = _EndTags(text)
    for tag in _TAG.finditer(text):
        start, at = tag.span()
        if start < done:
            continue
        while coming < len(hints) and hints[coming] < start:
            coming += 1
        if coming == len(hints):
            break
        if hints[coming] >= at:
            continue
        parts += [text[done:start], _tag(tag, redaction)]
        done = at
        if tag[0].endswith("/>") or not tag[0].endswith(">") or tag[1].lower() in _VOID:
            continue
        grade = _content_grade(tag, redaction)
        if grade is Grade.NONE:
            continue
        end = ends.after(tag[1].lower(), at)
        if grade is Grade.OPAQUE and end - at > _LONGEST_KEY:
            continue
        content = text[at:end]
        inner = content.strip()
        if inner and not is_token(inner) and covers(grade, inner):
            parts.append(content.replace(inner, redaction.token(inner), 1))
            done = end
    parts.append(text[done:])
    return "".join(parts)


class _EndTags:
    """Finds end tags; one that there is none of is looked for once only."""

    def __init__(self, text: str) -> None:
        lowered = text.lower()  # a few letters change their length: then positions must come from the text itself
        self._text = lowered if len(lowered) == len(text) else text
        self._next: dict[str, int] = {}

    def after(self, name: str, at: int) -> int:
        """Where the next end tag of this name begins; the text's end if there is none."""
        known = self._next.get(name, -1)
        if known < at:
            found = self._text.find(f"</{name}", at)
            known = self._next[name] = found if found >= 0 else len(self._text)
        return known


def secret_tag(text: str, redaction: TextRedaction) -> bool:
    """Whether a single start tag, perhaps cut, holds a secret or may hold one whose name was cut off."""
    tag = _TAG.match(text)
    if tag is None:
        return False
    attributes = _attributes(tag[2])
    cut = not text.endswith(">")
    return (
        redacted_markup(text, redaction) != text
        or (_secret_field(tag[1], attributes, redaction) and not _VALUES.isdisjoint(attributes))
        or (cut and not _VALUES.isdisjoint(attributes) and "name" not in attributes)
    )


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, _, value in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), entities_undone(value.strip("\"'")))
    return found


def _secret_field(tag: str, attributes: dict[str, str], redaction: TextRedaction) -> bool:
    kind = attributes.get("type", "").lower()
    if tag.lower() == "button" or (tag.lower() == "input" and kind in _BUTTONS):
        return False
    return kind == "password" or any(
        redaction.names.grade(value) > Grade.NONE for name, value in attributes.items() if name in _NAMING
    )


def _tag(tag: re.Match[str], redaction: TextRedaction) -> str:
    attributes = _attributes(tag[2])
    if _VALUES.isdisjoint(attributes) or not _secret_field(tag[1], attributes, redaction):
        return tag[0]
    grade = max((redaction.names.grade(value) for name, value in attributes.items() if name in _NAMING), default=Grade.NONE)
    grade = Grade.ALL if attributes.get("type", "").lower() == "password" else grade

    def replaced(found: re.Match[str]) -> str:
        name, sign, value = found.groups()
        quote = value[0] if value[0] in "\"'" else ""
        inner = value.strip("\"'") if quote else value
        if name.lower() not in _VALUES or is_token(inner) or not covers(grade, entities_undone(inner)):
            return found[0]
        return f"{name}{sign}{quote}{redaction.token(inner)}{quote}"

    start = len(tag[1]) + 1
    return tag[0][:start] + _ATTRIBUTE.sub(replaced, tag[0][start:])


def _content_grade(tag: re.Match[str], redaction: TextRedaction) -> Grade:
    """The grade of what stands between a start tag and its end."""
    grade = redaction.names.grade(tag[1].rpartition(":")[2])
    if grade >= Grade.DIRECT or tag[1].lower() in _FRAMES:
        return grade
    attributes = _attributes(tag[2])
    named = [attributes[name] for name in ("name", "key", "property", "itemprop") if name in attributes]
    grade = max((redaction.names.grade(name) for name in named), default=grade)
    if grade is Grade.NONE and redaction.names.grade(attributes.get("id", "")) > Grade.NONE:
        return Grade.OPAQUE  # `<b id="password-hint">` is for people; only what looks like a key is one
    return grade
