"""Redaction of texts that are no documents: URLs, form fields, and whatever holds `name: value` pairs (scripts, pages, messages).

A text is only looked into where a telling or configured name may stand, and no pattern goes back over what it has read, so that large and
hostile texts cost linear time. Groups are atomic, `(?>(...)*)`, and not possessive, `(...)*+`: up to Python 3.11.4 a possessive group that
tries an alternative in vain reads on from there (gh-106052).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import re2

from traffic.redact_shape import MARK, is_token
from traffic.redact_values import ValueDetection
from traffic.secret_names import Grade, SecretNames

_QUOTE = r"""\\{0,8}+["'`]|&quot;|&\#0*3[49];|&\#[xX]0*2[27];|&apos;|%22|%27"""
_ESCAPED = (
    r"%(?!3[AaDdFf]|2[2367Ff]|5[Cc])[0-9A-Fa-f]{2}|\\u00[2-7][0-9A-Fa-f]"
    r"|&\#0*(?:4[56]|95|6[5-9]|[789]\d|1[01]\d|12[0-2]);?|&\#[xX]0*[2-7][0-9A-Fa-f];?"
)
_NAME = rf"(?>(?:[\w\-.$\[\]]|{_ESCAPED})+)"
_SIGN = r"\s*+(?:=>|={1,3}+|:|%3[AaDd])\s*+"
_BEGUN = re.compile(rf"(?P<name>{_NAME})(?P<end>(?>(?:{_QUOTE})?)\]?+)(?>(?P<sep>{_SIGN})?)")
_VALUE = re.compile(
    rf"(?P<quote>{_QUOTE})(?P<quoted>(?>(?:(?!(?P=quote))(?:\\.|.))*))"
    r"|(?P<bare>(?>(?:(?:[Bb]earer|[Bb]asic|[Tt]oken)\s++)?)(?>(?:(?!\\{1,8}[\"'`])[^\s\"'`<>&;,(){}\[\]])+))",
    re.DOTALL,
)
_LIST = re.compile(r"[\[{][^\]}]*+")
_WHOLE = re.compile(r"[^\s\"'`<>&;,(){}\[\]=?]++")
_NAMED = re.compile(rf"(?P<name>[\w\-.$\[\]]++)(?>(?P<quote>[\"'])?)(?>(?P<sign>{_SIGN})?)")
_USERINFO = re.compile(r"((?:^|(?<=[^\w]))(?:[A-Za-z][A-Za-z0-9+.-]{0,30}+:)?//)([^\s/?#\"'<>]*)@")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_LONGEST_NAME = 240
_SHORT, _MOST_ROUNDS = 8_192, 5


class TextRedaction:
    """Replaces secrets in texts. `token` gives what stands for a secret, `values` knows those that need no name."""

    def __init__(self, names: SecretNames, token: Callable[[str], str], values: ValueDetection) -> None:
        self.names, self.token, self._detection = names, token, values
        self._hint = re2.compile("|".join((names.hint_text, "@", *values.hints)))

    def hints(self, text: str) -> list[int]:
        """Where in a text anything may stand that needs a closer look, from left to right; where there is nothing, nothing is secret."""
        # Over bytes the engine is many times faster; one byte stands for each character.
        searched = text.encode("ascii", "replace") if self.names.ascii else text
        return [found.start() for found in self._hint.finditer(searched)]

    def loose(self, text: str, *, strict: bool = False) -> str:
        """A text with the values of secret `name: value` pairs, userinfo and detected values replaced.

        `strict` is for texts that people write: only `name=value` without spaces and quoted names count as pairs.
        """
        return _settled(partial(self._loose, strict), text)

    def _loose(self, strict: bool, text: str) -> str:
        if not self._hint.search(text):
            return text
        if self.names.hint.search(text):
            text = self._pairs(text, strict)
        return self._values(text)

    def values(self, text: str) -> str:
        """A text with the secrets replaced that need no name: userinfo of URLs and detected values."""
        return _settled(self._values, text)

    def _values(self, text: str) -> str:
        if "@" in text and "//" in text:
            text = _USERINFO.sub(self._userinfo, text)
        return self._detection.redacted(text)

    def address(self, text: str) -> str:
        """A text of which all `hints` are `@` signs, with its secrets replaced."""
        return self.values(text) if "//" in text else self._detection.addresses(text)

    def number(self, spelt: str) -> str | None:
        """The token of a JSON number that is one secret by itself; None for any other."""
        return self._detection.number(spelt)

    def _pairs(self, text: str, strict: bool) -> str:
        parts: list[str] = []
        done = 0
        for start in self._starts(text):
            if start < done:
                continue
            pair = self._pair(text, start, strict)
            if pair is not None:
                begin, end, made = pair
                parts += [text[done:begin], made]
                done = end
        return "".join([*parts, text[done:]]) if parts else text

    def _starts(self, text: str) -> Iterator[int]:
        """Where names begin that may be secret, each once."""
        last = -1
        for at in self.names.hinted(text):
            if at <= last:
                continue
            found = _BEGUN.match(text, name_start(text, at))
            if found is not None:
                last = found.end("name") - 1
                yield found.start()

    def _pair(self, text: str, start: int, strict: bool) -> tuple[int, int, str] | None:
        """Which piece of the text is the secret of the pair that begins at `start`, and what stands for it."""
        begun = _BEGUN.match(text, start)
        if begun is None:
            return None
        if not begun["sep"]:
            return self._double(text, begun)
        name = unescaped(begun["name"])
        grade = self.names.grade(name)
        if grade is Grade.NONE:
            return self._double(text, begun)
        value = _VALUE.match(text, begun.end())
        if value is None:
            return None if strict else self._list(text, begun.end(), grade)
        kind = "bare" if value["quoted"] is None else "quoted"
        secret = value[kind]
        if is_token(secret) or (strict and _prose(begun)) or not self.names.covers(name, secret):
            return None
        if kind == "bare" and is_token(secret.partition(" ")[2]):  # `Bearer redacted-...`
            return None
        made = self.token(secret)
        return value.start(kind), value.end(kind), made

    def _double(self, text: str, begun: re.Match[str]) -> tuple[int, int, str] | None:
        """Where a name is escaped twice, as in `%2574oken%253Dx`, sign and value are part of the run: all of it goes."""
        if "%25" not in begun["name"]:
            return None
        run = _WHOLE.match(text, begun.start())
        if run is None or is_token(run[0]) or not self.pairs_secret(run[0]):
            return None
        return run.start(), run.end(), self.token(run[0])

    def _list(self, text: str, at: int, grade: Grade) -> tuple[int, int, str] | None:
        found = _LIST.match(text, at)
        if found is None or grade < Grade.TEXT or MARK in found[0] or not found[0].strip("[{ \n\t"):
            return None
        return at + 1, found.end(), self.token(found[0][1:])

    def pairs_secret(self, text: str, *, strict: bool = False) -> bool:
        """Whether the text, in any usual escaping, pairs a secret name with a value that is no token."""
        if not any(sign in text for sign in ":=%") or not self.names.hint.search(text):
            return False
        text = unescaped(text)
        return any(self._pair(text, start, strict) is not None for start in self._starts(text))

    def _userinfo(self, found: re.Match[str]) -> str:
        user, colon, secret = found[2].partition(":")
        if not colon:
            return found[0] if is_token(user) or not user else f"{found[1]}{self.token(user)}@"
        return found[0] if is_token(secret) or not secret else f"{found[1]}{user}:{self.token(secret)}@"

    def url(self, target: str) -> str:
        """A request target or URL with secrets in its userinfo, path parameters, query and fragment replaced."""
        return _settled(self._url, target)

    def _url(self, target: str) -> str:
        if not self._hint.search(target):
            return target
        head, sharp, fragment = target.partition("#")
        path, question, query = head.partition("?")
        path = ";".join(part if at == 0 else self._path_parameter(part) for at, part in enumerate(path.split(";")))
        text = self._escaped_values(path) + question + self._parts(query)
        if not sharp:
            return text
        route, question, query = fragment.partition("?")  # `#/page?token=...` of applications that route in the browser
        return text + sharp + (self.values(route) if question else self._parts(route)) + question + self._parts(query)

    def _path_parameter(self, text: str) -> str:
        parameter, slash, rest = text.partition("/")
        return self._field(parameter) + slash + rest if "=" in parameter else text

    def fields(self, fields: str) -> str:
        """`application/x-www-form-urlencoded` fields with secret values replaced."""
        parts, at, coming = fields.split("&"), 0, 0
        hints = [*self.hints(fields), len(fields) + 1]
        for number, part in enumerate(parts):
            end = at + len(part)
            while hints[coming] < at:
                coming += 1
            if hints[coming] < end:
                parts[number] = self._field(part)
            at = end + 1
        return "&".join(parts)

    def _parts(self, query: str) -> str:
        return "&".join([";".join([self._field(part) for part in parts.split(";")]) for parts in query.split("&")])

    def _field(self, part: str) -> str:
        name, sign, value = part.partition("=")
        if not sign:
            return self.token(part) if self.pairs_secret(part) else self._escaped_values(part)
        if not value:
            return part
        plain = unquote_plus(value)
        if is_token(plain):
            return part
        if self.names.covers(name, plain):
            return f"{name}={as_spelt(self.token(plain), value)}"
        return f"{name}={self._inside(value, plain)}"

    def _inside(self, value: str, plain: str) -> str:
        """The value of an ordinary field, which may hold pairs, URLs or detected values in its escaped or plain form."""
        if not self._hint.search(value) and (plain == value or not self._hint.search(plain)):
            return value
        whole = self.values(plain)
        if is_token(whole):
            return as_spelt(whole, value)
        kept = self.loose(value, strict=True)
        then = unquote_plus(kept) if kept != value or plain != value else kept
        if self.values(then) != then or self.pairs_secret(then):
            return as_spelt(self.token(plain), value)
        return kept

    def _escaped_values(self, text: str) -> str:
        """Detected values of a path; a segment that hides one by escaping is replaced whole."""
        kept = self.values(text)
        if "%" not in kept:
            return kept
        return "/".join([self._segment(segment) for segment in kept.split("/")])

    def _segment(self, segment: str) -> str:
        plain = unquote(segment)
        return segment if plain == segment or self.values(plain) == plain else as_spelt(self.token(plain), segment)

    def names_secret(self, text: str) -> bool:
        """Whether a text that could not be parsed names a secret: a telling word anywhere, or a secret name where names stand."""
        if not self.names.hint.search(text):
            return False
        text = unescaped(text)
        done = -1
        for at in self.names.hinted(text):
            if at <= done:
                continue
            start = at
            while start > 0 and at - start < _LONGEST_NAME and (text[start - 1].isalnum() or text[start - 1] in "_-.$[]"):
                start -= 1
            found = _NAMED.match(text, start)
            if found is None:
                continue
            name, done = found["name"], found.end("name") - 1
            quoted = found["quote"] is not None and text[max(start - 1, 0)] in "\"'"
            placed = quoted or found["sign"] is not None
            if self.names.unmistakable(name) or (placed and self.names.grade(name) > Grade.OPAQUE):
                return True
        return False


def _settled(once: Callable[[str], str], text: str) -> str:
    """What `once` makes of the text until it finds nothing more: a token beside other letters can look like a value of another kind."""
    for _ in range(_MOST_ROUNDS):
        kept = once(text)
        if kept == text or len(text) > _SHORT:
            return kept
        text = kept
    return text


def name_start(text: str, at: int) -> int:
    """Where the name begins that the character at `at` is part of."""
    before = text[max(0, at - _LONGEST_NAME) : at]
    start = len(before)
    while start > 0:
        char = before[start - 1]
        if char.isalnum() or char in "_-.$[]":
            if start >= 3 and before[start - 3] == "%" and _DELIMITER.fullmatch(before, start - 3, start):
                break  # `%3Ftoken`: the `F` is no letter of the name
            start -= 1
        else:
            escape = _ESCAPE_END.search(before, max(0, start - 8), start)
            if escape is None:
                break
            start = escape.start()
    return at - (len(before) - start)


_DELIMITER = re.compile(r"%(?:3[AaDdFf]|2[2367FfCc]|5[Cc]|7[BbCcDd])")
_ESCAPE_END = re.compile(rf"(?:{_ESCAPED}|%)\Z")


def as_spelt(token: str, raw: str) -> str:
    """A token escaped for a URL as far as the value that it replaces was."""
    kept = "".join(char for char in "@/+" if char in raw) + "=-."
    return (quote_plus if "+" in raw and " " in token else quote)(token, safe=kept)


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
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except (ValueError, OverflowError):
        return text


def _prose(found: re.Match[str]) -> bool:
    return not found["end"] and found["sep"] not in ("=", "%3D", "%3d")
