"""Tokens that keep the format of what they stand for: an e-mail stays an e-mail, a UUID a UUID, a number of 20 digits one of 20.

What a token promises, to whoever holds the data and not the key:
- the same secret gives the same token under one key, so equality survives; two different secrets give different tokens, but for
  chance: one pair in 2**44 or rarer, one in 10**8 to 10**11 for 13 to 16 digits, where the shape has no more room;
- nothing of the secret is in it but its length (up to LONGEST), the kind of its characters and, of well-known formats, what says
  which format it is: a country's absence, `ghp_`, a UUID's version;
- a short secret (a PIN of 4 digits) cannot be found by trying all of them, because the token is keyed. Who has the key can.
Every token carries a mark that can be seen and that no real value of that format has: `redacted` where letters are allowed,
`0facade0` in hex, `90909` in digits (no card begins so, and the check digit is wrong), `XX00` in an IBAN, the domain
`redacted.invalid`, which can never exist. Where a value is too short for mark and digest together, `redacted-` and 12 hex digits
stand for it. So a token is known without the key: `is_token`. A real secret that looks like one by chance (a number of 13 digits
or more: once in 100,000) would be taken for one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

MARK = "redacted-"
LONGEST = 512
"""Characters. A longer secret gets a token of this length."""
DIGEST = 12
"""Hex digits of a digest at least; 11 in an IBAN."""
KEY_PREFIXES = (
    *("github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "npm_", "pypi-"),
    *(
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "rk_test_",
        "whsec_",
        "xoxa-",
        "xoxb-",
        "xoxp-",
        "xoxr-",
        "xoxs-",
        "sk-ant-",
        "sk-proj-",
    ),
)
_HEX = "[0-9a-f]"
_PREFIX = "|".join(map(re.escape, KEY_PREFIXES))
_ALONE = r"(?:(?<![0-9A-Za-z.])|(?<=%[0-9A-Fa-f]{2}))"
# Written without possessive repeats: exported tests hold a copy of it and may run on an older Python.
TOKEN = (
    rf"-----BEGIN [A-Z0-9 ]{{1,40}}-----\s*redacted-{_HEX}{{12,}}\s*-----END [A-Z0-9 ]{{1,40}}-----"
    rf"|(?:{_PREFIX})?redacted-?{_HEX}{{12,}}"
    rf"(?:\.redacted-{_HEX}{{12,}}\.(?:redacted-{_HEX}{{12,}})?|(?:@|%40)redacted\.invalid|={{1,2}})?"
    r"|REDACTED[0-9A-F]{12,}"
    rf"|{_ALONE}0facade0(?:-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}|{_HEX}{{12,}})(?![0-9A-Za-z])"
    rf"|{_ALONE}0FACADE0(?:-[0-9A-F]{{4}}-[0-9A-F]{{4}}-[0-9A-F]{{4}}-[0-9A-F]{{12}}|[0-9A-F]{{12,}})(?![0-9A-Za-z])"
    rf"|{_ALONE}XX00(?: ?[0-9A-F]{{1,4}}){{3,8}}(?![0-9A-Za-z])"
    rf"|{_ALONE}9090[ -]?9(?:[ -]?[0-9]){{8,}}(?![0-9A-Za-z])"
)
"""A pattern that finds the tokens in a text; what it finds is a token unless it is digits that `luhn` accepts."""
_TOKEN = re.compile(TOKEN)
_EMAIL = re.compile(r"[^\s@]+@[\w-]+(?:\.[\w-]+)+")
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.([\w-]*)", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12}")
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{1,40}-----)(\s*).*?(\s*)(-----END [A-Z0-9 ]{1,40}-----)\s*", re.DOTALL)
_IBAN = re.compile(r"[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}", re.ASCII)
_CARD = re.compile(r"\d{4}(?:[ -]?\d){9,15}", re.ASCII)
_DIGITS = re.compile(r"\d{16,}", re.ASCII)
_LOWER_HEX, _UPPER_HEX = re.compile(r"[0-9a-f]{20,}"), re.compile(r"[0-9A-F]{20,}")
_PREFIXED = re.compile(rf"({_PREFIX})[A-Za-z0-9_-]{{20,}}")
_ALPHANUMERIC = re.compile(r"([A-Za-z0-9+/]{20,})(={0,2})")


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        total += value if at % 2 == 0 else value * 2 - 9 * (value > 4)
    return total % 10 == 0


def mod97(text: str) -> bool:
    """Whether the check digits of an IBAN without spaces are right."""
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def is_token(value: str) -> bool:
    """Whether the whole value is a token of ours, under whatever key."""
    found = _TOKEN.match(value)
    if found is None or found.end() != len(value):
        return False
    return value[0] != "9" or not luhn("".join(filter(str.isdigit, value)))


def holds_token(text: str) -> bool:
    """Whether a token stands anywhere in the text."""
    return _TOKEN.search(text) is not None


class Tokens:
    """Makes tokens under one key of at most 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]

    def token(self, secret: str) -> str:
        """What stands for `secret`; a token stands for itself."""
        if is_token(secret):
            return secret
        seed = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=32, key=self._key).digest()
        return _shaped(secret, hashlib.shake_128(seed).hexdigest(LONGEST // 2))


def _shaped(secret: str, digest: str) -> str:
    """`digest` has LONGEST hex digits."""
    if len(secret) > 8192 and not secret.startswith("-----BEGIN"):
        return _marked(secret, digest)
    if "@" in secret and _EMAIL.fullmatch(secret):
        return f"{MARK}{digest[:DIGEST]}@redacted.invalid"
    for pattern, make in _SHAPES:
        found = pattern.fullmatch(secret)
        made = make(found, digest) if found is not None else None
        if made is not None:
            return made
    return _marked(secret, digest)


def _marked(secret: str, digest: str) -> str:
    return MARK + digest[: max(DIGEST, min(len(secret), LONGEST) - len(MARK))]


def _jwt(found: re.Match[str], digest: str) -> str:
    """Three parts, each with a mark and its own piece of the digest; a missing signature stays missing."""
    parts, at = [], 0
    for part in found[0].split("."):
        size = max(DIGEST, min(len(part), LONGEST // 3) - len(MARK)) if part else 0
        parts.append(MARK + digest[at : at + size] if part else "")
        at += size
    return ".".join(parts)


def _uuid(found: re.Match[str], digest: str) -> str:
    text = found[0]
    made = f"0facade0-{digest[:4]}-{text[14]}{digest[4:7]}-{text[19]}{digest[7:10]}-{digest[10:22]}"
    return made if text == text.lower() else made.upper()


def _pem(found: re.Match[str], digest: str) -> str:
    return f"{found[1]}{found[2]}{MARK}{digest[:32]}{found[3]}{found[4]}"


def _iban(found: re.Match[str], digest: str) -> str | None:
    if not mod97(found[0].replace(" ", "")):
        return None
    return "XX00" + _filled(found[0][4:], digest.upper())


def _filled(layout: str, characters: str) -> str:
    """The characters one after the other, where the layout has none but spaces and hyphens."""
    supply = iter(characters)
    return "".join(char if char in " -" else next(supply) for char in layout)


def _digits(found: re.Match[str], digest: str) -> str:
    """As many digits in the same places; the check digit is made wrong, so that it is no card whatever its first digits say."""
    count = sum(char.isdigit() for char in found[0])
    size = min(count, LONGEST) - 5
    digits = "90909" + str(int(digest, 16) % 10**size).zfill(size)
    if luhn(digits):
        digits = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    return _filled(found[0][:LONGEST], digits)


def _card(found: re.Match[str], digest: str) -> str:
    text = found[0]
    digits = text.replace(" ", "").replace("-", "")
    return _digits(found, digest) if len(digits) >= 16 or luhn(digits) else _marked(text, digest)


def _lower_hex(found: re.Match[str], digest: str) -> str:
    return "0facade0" + digest[: min(len(found[0]), LONGEST) - 8]


def _upper_hex(found: re.Match[str], digest: str) -> str:
    return _lower_hex(found, digest).upper()


def _prefixed(found: re.Match[str], digest: str) -> str:
    return found[1] + "redacted" + digest[: min(len(found[0]), LONGEST) - len(found[1]) - 8]


def _alphanumeric(found: re.Match[str], digest: str) -> str:
    run, padding = found.groups()
    made = "redacted" + digest[: min(len(run), LONGEST) - 8]
    return made.upper() if run == run.upper() and not padding else made + padding


_SHAPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], str | None]], ...] = (
    (_UUID, _uuid),
    (_IBAN, _iban),
    (_CARD, _card),
    (_DIGITS, _digits),
    (_LOWER_HEX, _lower_hex),
    (_UPPER_HEX, _upper_hex),
    (_JWT, _jwt),
    (_PREFIXED, _prefixed),
    (_ALPHANUMERIC, _alphanumeric),
    (_PEM, _pem),
)
