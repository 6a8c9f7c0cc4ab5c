"""Redaction of HTML and XML: fields by their name, elements by their tag, and pairs in scripts, links and attributes."""

from __future__ import annotations

import re

from traffic.redact_text import TextRedaction, entities_undone, is_token
from traffic.secret_names import Grade, covers

_TAG = re.compile(r"<([A-Za-z_][\w.:-]*+)((?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+)>?")
_ATTRIBUTE = re.compile(r"(?:^|(?<=[\s/\"']))([^\s/>=\"']++)(\s*+=\s*+)(\"[^\"]*+\"?|'[^']*+'?|[^\s>]++)")
_NAMING = frozenset({"name", "id", "property", "itemprop", "key", "http-equiv", "autocomplete"})
_VALUES = frozenset({"value", "content", "data-value", "data-content", "default"})
_VOID = frozenset({"input", "meta", "param", "option", "br", "img", "link", "hr"})
_FRAMES = frozenset({"form", "fieldset", "select", "button", "iframe", "a", "map", "object", "slot", "details", "html", "body"})
_BUTTONS = frozenset({"submit", "button", "reset", "image"})


def redacted_markup(text: str, redaction: TextRedaction) -> str:
    """The document with its secrets replaced; one without any comes back equal."""
    parts: list[str] = []
    at = 0
    lowered: str | None = None
    while True:
        tag = _TAG.search(text, at)
        if tag is None:
            break
        parts += [text[at : tag.start()], _tag(tag, redaction)]
        at = tag.end()
        if tag[0].endswith("/>") or not tag[0].endswith(">") or tag[1].lower() in _VOID:
            continue
        grade = _content_grade(tag, redaction)
        if grade is Grade.NONE:
            continue
        if lowered is None:
            lowered = text.lower()
            if len(lowered) != len(text):  # a few letters change their length: then positions must come from the text itself
                lowered = text
        end = lowered.find(f"</{tag[1].lower()}", at)
        end = len(text) if end < 0 else end
        content = text[at:end]
        if content.strip() and not is_token(content) and covers(grade, content.strip()):
            parts.append(redaction.token(content))
            at = end
    parts.append(text[at:])
    return redaction.loose("".join(parts))


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
