"""The words of a path's text: names, quoted texts, integers and numbers as RFC 9535 spells them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

MAX_INTEGER = 2**53 - 1
"""The I-JSON range of exact integers: indices and slices outside it are invalid."""

_FIRST = "A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff"
NAME = re.compile(f"[{_FIRST}][0-9{_FIRST}]*")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r"[=!<>]=|[<>]")
_BLANKS = re.compile(r"[ \t\n\r]*")
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile("[^'\"\\\\\x00-\x1f\ud800-\udfff]+")
_HEX = re.compile(r"\\u(?:([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4}))")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}


class GrammarError(ValueError):
    """A text outside the grammar. The message says what was expected, where, and what stands there."""


class Misuse(GrammarError):
    """A text that the ABNF allows and that is not well-typed, out of range or beyond our bounds."""


class Cursor:
    """A place in a text, and what can be taken there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fault(self, reason: str) -> GrammarError:
        """What is wrong with what stands here."""
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        return GrammarError(f"{reason}, got {found} at character {self.at + 1}")

    def misuse(self, reason: str, start: int) -> Misuse:
        """What is wrong with what started there."""
        return Misuse(f"{reason}, at character {start + 1}")

    def starts(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def take(self, word: str) -> bool:
        if not self.starts(word):
            return False
        self.at += len(word)
        return True

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def blanks(self) -> None:
        self.match(_BLANKS)

    def take_next(self, word: str) -> bool:
        """Takes `word` and the blanks before it, or nothing at all."""
        before = self.at
        self.blanks()
        if self.take(word):
            return True
        self.at = before
        return False

    def integer(self) -> int | None:
        start = self.at
        found = self.match(_INTEGER)
        if found is None:
            return None
        digits = found[0].removeprefix("-")
        if found[0] == "-0" or (digits[0] == "0" and len(digits) > 1):
            self.at = start
            raise self.fault("an index has no leading zero and is not '-0'")
        if len(digits) > 16 or int(digits) > MAX_INTEGER:
            raise self.misuse(f"an index lies between -{MAX_INTEGER} and {MAX_INTEGER}, got {found[0][:20]!r}", start)
        return int(found[0])

    def string(self) -> str:
        quote = self.text[self.at]
        start = self.at
        self.at += 1
        parts = []
        while not self.take(quote):
            plain = self.match(_PLAIN)
            if plain is not None:
                parts.append(plain[0])
            elif self.starts("\\"):
                parts.append(self.escape(quote))
            elif self.starts("'") or self.starts('"'):
                parts.append(self.text[self.at])
                self.at += 1
            elif self.at >= len(self.text):
                self.at = start
                raise self.fault("a text is not closed")
            else:
                raise self.fault("a control character or half a surrogate pair cannot stand in a text; use \\u")
        return "".join(parts)

    def escape(self, quote: str) -> str:
        escaped = self.match(_HEX)
        if escaped is not None:
            high, low, plain = escaped.groups()
            return chr(int(plain, 16)) if plain else chr(0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00)
        letter = self.text[self.at + 1 : self.at + 2]
        if letter != quote and letter not in _ESCAPES:
            self.at += 1
            raise self.fault(f"after a backslash stands {quote} or one of b f n r t / \\ uXXXX (no half of a pair)")
        self.at += 2
        return _ESCAPES.get(letter, letter)

    def number(self) -> int | float | Decimal | None:
        """A number as exactly as it is spelled: a float only where its shortest spelling is the same number. None where none is."""
        found = self.match(_NUMBER)
        if found is None:
            return None
        if found[1] is None and found[2] is None:
            return int(found[0])
        short = float(found[0])
        try:
            exact = Decimal(found[0])
        except InvalidOperation:  # an exponent of twenty digits
            return short
        return short if Decimal(repr(short)) == exact else exact
