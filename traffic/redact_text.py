"""Redaction of texts that are no documents: URLs, form fields, and whatever holds `name: value` pairs (scripts, pages, messages).

Every pattern is possessive, so that hostile texts cost linear time.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import unquote, unquote_plus

from traffic.secret_names import Grade, SecretNames

MARK = "redacted-"
_QUOTE = r"""\\{0,8}+["'`]|&quot;|&\#0*3[49];|&\#[xX]0*2[27];|&apos;|%22|%27"""
_NAME = r"(?:[\w\-.$\[\]]|%(?!3[AaDdFf]|2[2367Ff])[0-9A-Fa-f]{2})++"
_EDGE = r"(?<![\w\-.$\[\]%])"
_SIGN = r"\s*+(?:=>|={1,3}+|:|%3[AaDd])\s*+"
_PAIR = re.compile(
    rf"{_EDGE}(?P<name>{_NAME})(?P<end>(?:{_QUOTE})?+\]?+)(?P<sep>{_SIGN})"
    rf"(?:(?P<quote>{_QUOTE})(?P<quoted>(?:(?!(?P=quote))(?:\\.|.))*+)|(?P<bare>(?:(?:[Bb]earer|[Bb]asic|[Tt]oken)\s++)?+[^\s\"'`<>&;,(){{}}\[\]]++))",
    re.DOTALL,
)
_HEAD = re.compile(
    rf"{_EDGE}(?P<name>{_NAME})(?P<end>(?:{_QUOTE})?+\]?+)(?P<sep>{_SIGN})(?=(?:{_QUOTE})?+(?P<peek>[^\s\"'<>&;,)}}\\]{{1,64}}+))"
)
_LIST = re.compile(rf"{_EDGE}(?P<name>{_NAME})(?P<end>(?:{_QUOTE})?+{_SIGN})(?P<list>[\[{{][^\]}}]*+)")
_NAMED = re.compile(rf"(?P<name>[\w\-.$\[\]]++)(?P<quote>[\"'])?+(?P<sign>{_SIGN})?+")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]*+")
_BEARER = re.compile(r"\b([Bb]earer|[Bb]asic|BEARER|BASIC)((?:\s|%20)++)((?=\S*[0-9=]|\S+[A-Z])[A-Za-z0-9._~+/=-]{8,}+)")
_USERINFO = re.compile(r"((?:^|(?<=[^\w]))(?:[A-Za-z][A-Za-z0-9+.-]{0,30}+:)?//)([^\s/?#\"'<>]*)@")
_TOKEN = re.compile(MARK + r"[0-9a-f]{12}")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")


class TextRedaction:
    """Replaces secrets in texts. `token` gives what stands for a secret."""

    def __init__(self, names: SecretNames, token: Callable[[str], str]) -> None:
        self.names, self.token = names, token

    def loose(self, text: str, *, strict: bool = False) -> str:
        """A text with the values of secret `name: value` pairs, userinfo and JWTs replaced.

        `strict` is for texts that people write: only `name=value` without spaces and quoted names count as pairs.
        """
        text = _PAIR.sub(lambda found: self._pair(found, strict), text)
        if not strict:
            text = _LIST.sub(self._list, text)
            text = _BEARER.sub(lambda m: m[0] if is_token(m[3]) else f"{m[1]}{m[2]}{self.token(m[3])}", text)
        return self._values(text)

    def _values(self, text: str) -> str:
        if "@" in text:
            text = _USERINFO.sub(self._userinfo, text)
        return _JWT.sub(lambda found: self.token(found[0]), text) if "eyJ" in text else text

    def _pair(self, found: re.Match[str], strict: bool, nested: bool = False) -> str:
        whole, value = found[0], found["bare"] if found["quoted"] is None else found["quoted"]
        head = whole[: len(whole) - len(value)]
        if is_token(value):
            return whole
        if not (strict and _prose(found)) and self.names.covers(unescaped(found["name"]), value):
            return head + self.token(value)
        if nested or not any(sign in value for sign in ":=%"):
            return whole
        # A value can hold pairs of its own. One level is walked exactly; what is below it is replaced whole, which bounds the depth.
        inner = _PAIR.sub(lambda deeper: self._pair(deeper, strict, nested=True), value)
        return head + (self.token(value) if self.pairs_secret(inner, strict=strict) else inner)

    def _list(self, found: re.Match[str]) -> str:
        content = found["list"]
        if len(content.strip("[{ \n\t")) == 0 or MARK in content or self.names.grade(unescaped(found["name"])) < Grade.TEXT:
            return found[0]
        return f"{found['name']}{found['end']}{content[0]}{self.token(content[1:])}"

    def pairs_secret(self, text: str, *, strict: bool = False) -> bool:
        """Whether the text, in any usual escaping, pairs a secret name with a value that is no token."""
        if not any(sign in text for sign in ":=%"):
            return False
        return any(
            self.names.covers(found["name"], found["peek"]) and not is_token(found["peek"])
            for found in _HEAD.finditer(unescaped(text))
            if not (strict and _prose(found))
        )

    def _userinfo(self, found: re.Match[str]) -> str:
        user, colon, secret = found[2].partition(":")
        if not colon:
            return found[0] if is_token(user) or not user else f"{found[1]}{self.token(user)}@"
        return found[0] if is_token(secret) or not secret else f"{found[1]}{user}:{self.token(secret)}@"

    def url(self, target: str) -> str:
        """A request target or URL with secrets in its userinfo, path parameters, query and fragment replaced."""
        head, sharp, fragment = target.partition("#")
        path, question, query = head.partition("?")
        path = ";".join(part if at == 0 else self._path_parameter(part) for at, part in enumerate(path.split(";")))
        text = self._values(path) + question + self._parts(query)
        if not sharp:
            return text
        route, question, query = fragment.partition("?")  # `#/page?token=...` of applications that route in the browser
        return text + sharp + (self._values(route) if question else self._parts(route)) + question + self._parts(query)

    def _path_parameter(self, text: str) -> str:
        parameter, slash, rest = text.partition("/")
        return self._field(parameter) + slash + rest if "=" in parameter else text

    def fields(self, fields: str) -> str:
        """`application/x-www-form-urlencoded` fields with secret values replaced."""
        return "&".join(self._field(part) for part in fields.split("&"))

    def _parts(self, query: str) -> str:
        return "&".join(";".join(self._field(part) for part in parts.split(";")) for parts in query.split("&"))

    def _field(self, part: str) -> str:
        name, sign, value = part.partition("=")
        if not sign:
            return self.token(part) if self.pairs_secret(part) else self._values(part)
        if not value or is_token(value):
            return part
        plain = unquote_plus(value)
        if self.names.covers(name, plain) or self.pairs_secret(plain) or self._values(plain) != plain:
            return f"{name}={self.token(value)}"
        return part

    def names_secret(self, text: str) -> bool:
        """Whether a text that could not be parsed names a secret: a telling word anywhere, or a secret name where names stand."""
        text = unescaped(text)
        for found in _NAMED.finditer(text):
            name = found["name"]
            quoted = found["quote"] is not None and text[max(found.start() - 1, 0)] in "\"'"
            placed = quoted or found["sign"] is not None
            if self.names.unmistakable(name) or (placed and self.names.grade(name) > Grade.OPAQUE):
                return True
        return False


def is_token(value: str) -> bool:
    """Whether the value needs no replacing."""
    return _TOKEN.fullmatch(value) is not None


def unescaped(text: str) -> str:
    """The text as the usual readers of it would see it: NULs dropped, `\\u0041`, `%41` and `&#65;` undone."""
    text = text.replace("\0", "")
    if "\\u" in text:
        text = _UNICODE.sub(lambda found: chr(int(found[1], 16)), text)
    if "%" in text:
        text = unquote(unquote(text, errors="replace"), errors="replace")
    return entities_undone(text) if "&" in text else text


def entities_undone(text: str) -> str:
    """The text with character references undone; one whose number is absurd leaves the text as it is."""
    try:
        return html.unescape(text)
    except (ValueError, OverflowError):
        return text


def _prose(found: re.Match[str]) -> bool:
    return not found["end"] and found["sep"] not in ("=", "%3D", "%3d")
