"""Which names are secret, and which values under them.

A name is split into its sub-words (`newPassword2`, `csrf_token`, `X-API-Key`), and telling sub-words make it secret. What is under a
telling name is not always a secret, so a name has a grade: `total_tokens: 5` and `password_required: true` stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from urllib.parse import unquote_plus

import re2

from traffic.redact_shape import holds_token

_SEGMENT = re.compile(r"[\[\].]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_OPAQUE = re.compile(r"(?=[^\s]*\d)[A-Za-z0-9_\-+/=.:~]{16,4096}")
_SHORT_NUMBER = re.compile(r"[-+]?\d{1,3}(?:\.\d{1,3})?", re.ASCII)
_PLAIN = frozenset({"true", "false", "null", "none", "undefined"})

# Words and names that stand for the secret itself; a number under one of `_EVEN_NUMBERS` may be the secret (a PIN, a one-time code).
_EVEN_NUMBERS = frozenset({"pwd", "passphrase", "passphrases", "passcode", "passcodes", "secret", "secrets", "otp", "totp"})
_TEXTS = frozenset({"token", "tokens", "jwt", "credential", "credentials", "passkey"})
_ENDS = ("token", "tokens")
_KEYS = (
    *(
        "apikey",
        "accesskey",
        "authkey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "masterkey",
        "sessionkey",
        "sessionid",
        "sessid",
    ),
    *("authorizationcode", "authcode", "amzsignature", "googsignature"),
)
# Whole names that are ordinary words: only a text directly under them is meant. shadow/tokens.py takes the same names for tokens.
_WHOLE = frozenset({"access", "refresh", "authorization", "sid", "sig", "pass", "pw"})
# What comes last in a name says what the value is: a type, a time or a number *about* the secret.
_ABOUT = frozenset(
    {"type", "at", "in", "count", "length", "size", "expires", "expiry", "expiration", "ttl", "lifetime", "age"}
    | {"name", "param", "header", "required", "enabled", "strength"}
)


# Pieces of which each telling name has at least one, and letters that are escaped for URLs, markup and JSON.
_PIECES = (
    *(
        "token",
        "pass",
        "pw",
        "secret",
        "otp",
        "jwt",
        "credential",
        "key",
        "csrf",
        "xsrf",
        "sess",
        "sid",
        "sig",
        "access",
        "refresh",
    ),
    "auth",
)
_HINTS = (
    *_PIECES,
    *(r"%25", r"%[4-7][0-9a-f]", r"&#0*(?:6[5-9]|[789]\d|1[01]\d|12[0-2])\b", r"&#x0*[4-7][0-9a-f]\b", r"\\u00[4-7][0-9a-f]"),
)
_PIECE, _BETWEEN = re2.compile("|".join(_PIECES)), re.compile(r"[\W_]+")
_MOST_KNOWN, _LONGEST_KNOWN = 8_192, 120


class Grade(IntEnum):
    """What under a name is secret; each grade includes the one before."""

    NONE = 0
    OPAQUE = 1  # a text directly there that looks like a key: long, unspaced, with a digit
    DIRECT = 2  # any text directly there
    TEXT = 3  # any text there or below
    NUMBER = 4  # numbers as well
    ALL = 5  # everything but null: configured by name


class SecretNames:
    """The names that are configured, and the telling names that are secret without configuration."""

    def __init__(self, configured: Iterable[str]) -> None:
        self.configured = frozenset(name.lower() for name in configured if name)
        self._known: dict[str, Grade] = {}
        own = sorted({re2.escape(name) for name in self.configured})
        self.hint_text = f"(?i:{'|'.join((*_HINTS, *own))})"
        self.hint = re2.compile(self.hint_text)
        self.ascii = all(name.isascii() for name in self.configured)
        """Found in every text that holds a secret name as it is spelt, or an escaped letter: where it is not, none has to be looked for."""

    def grade(self, name: str) -> Grade:
        """The grade of a name; nested spellings such as `auth[token]` and `%74oken` count by each segment."""
        known = self._known.get(name)
        if known is not None:
            return known
        plain = unquote_plus(name)[:500]
        segments = [part for part in _SEGMENT.split(plain) if part]
        grade = max((self._segment(part) for part in segments), default=Grade.NONE)
        if plain.lower() in self.configured:
            grade = Grade.ALL
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if len(name) <= _LONGEST_KNOWN:
            self._known[name] = grade
        return grade

    def _segment(self, name: str) -> Grade:
        return Grade.ALL if name.lower() in self.configured else _grade(name)

    def unmistakable(self, name: str) -> bool:
        """Whether the bare word is telling wherever it stands, in prose and binary too: not so for `access`, `otp` and the like."""
        grade = self.grade(name)
        return grade is Grade.ALL or (grade >= Grade.TEXT and len(name) > 3)

    def covers(self, name: str, value: str) -> bool:
        """Whether this text, as the value of a field of this name, is secret."""
        return covers(self.grade(name), value) and not (len(value) == 1 and name.lower() == "accesskey")

    def hinted(self, text: str) -> Iterator[int]:
        """Where in a text a name may stand that is secret, from left to right."""
        searched = text.encode("ascii", "replace") if self.ascii else text
        return (found.start() for found in self.hint.finditer(searched))


def covers(grade: Grade, value: object) -> bool:
    """Whether a scalar under a name of this grade is secret. Short numbers and words like `true` are secret only when configured."""
    if value is None or value == "" or grade is Grade.NONE:
        return False
    if grade is Grade.ALL:
        return True
    if isinstance(value, str):
        if grade is Grade.OPAQUE:
            # One that holds a token has been looked into already.
            return _OPAQUE.fullmatch(value) is not None and not holds_token(value)
        plain = value.lower() in _PLAIN or (grade < Grade.NUMBER and _SHORT_NUMBER.fullmatch(value) is not None)
        return not plain
    return grade is Grade.NUMBER and isinstance(value, int | float) and not isinstance(value, bool)


def _grade(name: str) -> Grade:
    if not _PIECE.search(_BETWEEN.sub("", name.lower())):
        return Grade.NONE
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return Grade.NONE
    compact = "".join(words)
    if "password" in compact or any(_even_numbers(word) for word in words):
        return Grade.NUMBER
    if any(word in _TEXTS or word.endswith(_ENDS) or "csrf" in word or "xsrf" in word for word in words):
        return Grade.TEXT
    if compact == "session" or any(key in compact for key in _KEYS):
        return Grade.TEXT
    if compact in _WHOLE:
        return Grade.DIRECT
    return Grade.OPAQUE if compact == "key" else Grade.NONE


def _even_numbers(word: str) -> bool:
    return word in _EVEN_NUMBERS or "passw" in word or word.endswith(("secret", "secrets")) or word.startswith("secretkey")
