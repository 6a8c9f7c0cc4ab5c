"""Secrets that are known by what they look like, whatever their name: cards, e-mail addresses, IBANs, keys.

Each kind can be switched off. All of them are looked for in linear time, behind a test that costs next to nothing where there is none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Final

import re2

from traffic.redact_shape import KEY_PREFIXES, holds_token, is_token, luhn, mod97

VALUES: Final = ("card", "email", "iban", "jwt", "pem", "key", "bearer")
"""The kinds, as `[redact] values` names them."""
_CARD = re.compile(r"(?<![\w.])(?<!\w[-+])(?<!%)\d(?>(?:(?:[ -]|%20|\+)?\d){12,18})(?!\.?\w)(?!-\w)", re.ASCII)
_LAYOUTS = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 1), (4, 4, 5), (6, 13)})
_BRAND = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d\d|352[89]|35[3-8]\d)\d{12,15}|3(?:0[0-5]|[68]\d|9\d)\d{11}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}|220[0-4]\d{12,15}"
)
_AT = r"(?:@|%40|&\#0*64;|&\#[xX]0*40;|&commat;|\\u0040)"
_EMAIL = re.compile(rf"(?<![\w.+'-])[\w.+'-]++{_AT}([\w-]++(?>(?:\.[\w-]++)+))")
_TOP_LEVEL = re.compile(r"[^\W\d_]{2,24}|xn--[\w-]{2,59}")
_UNICODE = re.compile(r"u[0-9A-Fa-f]{4}")
# `logo@2x.png` and `vue@3.min.js` are files.
_FILES = frozenset(
    (
        *("png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp", "css", "scss", "less", "js"),
        *("mjs", "cjs", "ts", "jsx", "tsx", "map", "json", "html", "htm", "woff", "ttf", "otf"),
    )
)
_IBAN = re.compile(
    r"(?<![\w])[A-Z]{2}\d\d(?:(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|[A-Z0-9]{11,30}+)(?![A-Za-z0-9])", re.ASCII
)
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]*+")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?>(?:(?!-----END).)*)(?:-----END [A-Z0-9 ]{1,40}-----)?", re.DOTALL
)
_OTHERS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
)
_KEY = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:{'|'.join(map(re.escape, KEY_PREFIXES))})[A-Za-z0-9_-]{{16,}}|{'|'.join(_OTHERS)})(?![A-Za-z0-9])",
    re.ASCII,
)
_BEARER = re.compile(
    r"\b((?:[Bb]earer|BEARER|[Bb]asic|BASIC)(?>(?:\s|%20|\+)+))((?=[A-Za-z._~+/-]*+[0-9=]|\S{24})[A-Za-z0-9._~+/-]{8,}+(?>(?:={1,2}(?!\w))?))"
)
_HINTS = {
    "card": r"\d[\d -]{11,22}\d|\d%2[0dD]\d|\d\+\d|%3[0-9]",
    "email": _AT,
    "iban": r"[A-Z]{2}\d\d ?[A-Z0-9]{4}",
    "jwt": "eyJ",
    "pem": "PRIVATE KEY",
    "key": "|".join((*map(re.escape, KEY_PREFIXES), "A[KSBC][IC]A", "AIza", r"ya29\.", r"SG\.")),
    "bearer": "(?i:bearer|basic)",
}
_HINTED = {kind: re2.compile(pattern) for kind, pattern in _HINTS.items()}


def check_kinds(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is none of VALUES, with the nearest one."""
    for name in names:
        if name not in VALUES:
            near = difflib.get_close_matches(name.lower().rstrip("s"), VALUES, 1, 0.4)
            hint = f", did you mean {near[0]!r}?" if near else ";"
            raise ValueError(f"{name!r} is no kind of value{hint} allowed: {', '.join(VALUES)}")


class ValueDetection:
    """Replaces what looks like a secret of one of `kinds` (names of VALUES). `token` gives what stands for a secret."""

    def __init__(self, kinds: Iterable[str], token: Callable[[str], str]) -> None:
        chosen = frozenset(kinds)
        self._token = token
        self._steps = tuple((_HINTED[kind].search, *step) for kind, step in self._all().items() if kind in chosen)
        self._cards, self._emails = "card" in chosen, "email" in chosen
        self.hints = tuple(_HINTS[kind] for kind in VALUES if kind in chosen)
        """RE2 patterns; a text in which none of them is found holds none of the values."""

    def _all(self) -> dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
        # PEM first: its base64 may hold anything.
        return {
            "pem": (_PEM, self._found),
            "jwt": (_JWT, self._found),
            "key": (_KEY, self._found),
            "bearer": (_BEARER, self._bearer),
            "email": (_EMAIL, self._email),
            "iban": (_IBAN, self._iban),
            "card": (_CARD, self._card),
        }

    def redacted(self, text: str) -> str:
        """The text with what was found replaced by tokens."""
        for hinted, pattern, made in self._steps:
            if hinted(text):
                text = pattern.sub(made, text)
        return text

    def addresses(self, text: str) -> str:
        """The text with e-mail addresses replaced."""
        return _EMAIL.sub(self._email, text) if self._emails else text

    def number(self, spelt: str) -> str | None:
        """The token of a JSON number that is a card's, a number as well; None for any other number."""
        return self._token(spelt) if self._cards and spelt.isascii() and spelt.isdigit() and is_card(spelt) else None

    def _found(self, found: re.Match[str]) -> str:
        return self._token(found[0])

    def _bearer(self, found: re.Match[str]) -> str:
        return found[0] if holds_token(found[2]) else found[1] + self._token(found[2])

    def _email(self, found: re.Match[str]) -> str:
        text, domain = found.group(0, 1)
        top = domain.rpartition(".")[2]
        local = text[: -len(domain)]
        if top.lower() in _FILES or _TOP_LEVEL.fullmatch(top) is None:
            return text
        named = local[:-1] if local[-1] == "@" else re.split(_AT, local, maxsplit=1)[0]
        # A token already: an address's, or a userinfo's as in `https://redacted-...@host.example/`.
        if "redacted" in named and (is_token(named) or is_token(f"{named}@{domain}")):
            return text
        before = found.string[max(found.start() - 1, 0) : found.start()]
        size = 2 if before == "%" else 5 if before == "\\" and _UNICODE.match(named) else 0
        escape = named[:size] if len(named) > size else ""
        made = escape + self._token(f"{named[len(escape) :]}@{domain}")
        return made.replace("@", "%40", 1) if "%40" in local else made

    def _iban(self, found: re.Match[str]) -> str:
        return self._token(found[0]) if is_iban(found[0].replace(" ", "")) else found[0]

    def _card(self, found: re.Match[str]) -> str:
        text = found[0]
        plain = text.replace("%20", " ").replace("+", " ")
        groups = re.split("[ -]", plain)
        digits = "".join(groups)
        laid_out = len(groups) == 1 or (tuple(map(len, groups)) in _LAYOUTS and not ("-" in plain and " " in plain))
        if not laid_out or not is_card(digits):
            return text
        made = self._token(plain)
        return made.replace(" ", "%20") if "%20" in text else (made.replace(" ", "+") if "+" in text else made)


def is_card(digits: str) -> bool:
    """Whether a run of digits is a payment card's number: an issuer's first digits, the length that goes with them, the check digit."""
    return _BRAND.fullmatch(digits) is not None and luhn(digits)


def is_iban(text: str) -> bool:
    """Whether a text without spaces is an IBAN: its country's length and the remainder 1 by 97."""
    return _IBAN_LENGTHS.get(text[:2]) == len(text) and mod97(text)
