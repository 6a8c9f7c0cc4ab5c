"""I-Regexp (RFC 9485), the patterns of `match()` and `search()`: checked against its grammar and respelled for RE2."""

from __future__ import annotations

import re
from functools import cache

import re2

_CATEGORY = r"\\[pP]\{(?:L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|Z[lps]?|S[ckmo]?|C[cfno]?)\}"
_ESCAPE = r"\\[()*+\-.?\[\\\]^nrt{|}]"
_MEMBER = rf"(?:[^\[\\\]\-]|{_ESCAPE})"
_ITEM = rf"(?:{_CATEGORY}|{_MEMBER}(?:-{_MEMBER})?)"
_PIECE = re.compile(
    rf"(?:(?P<class>\[\^?(?:-|{_ITEM}){_ITEM}*-?\])|(?P<category>{_CATEGORY})|(?P<literal>[^.\\()*+?\[\]{{|}}]|{_ESCAPE})"
    r"|(?P<other>[.()|]))(?P<count>[*+?]|\{(?P<least>[0-9]+)(?P<more>,(?P<most>[0-9]*))?\})?",
)
_ITEMS = re.compile(rf"({_CATEGORY})|({_MEMBER})(?:-({_MEMBER}))?|-")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_ASSIGNED = r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}"
_OTHER = r"\p{Cc}\p{Cf}\p{Co}"


def to_re2(pattern: str) -> str | None:
    """The RE2 pattern that means the same, or None where `pattern` is no I-Regexp. Takes time in proportion to its length.

    `.` is anything but line feed and carriage return. `^` and `$` are the ends of the text, as RFC 9485 5.3 maps them.
    `\\p{Cn}`, which RE2 does not know, becomes the characters that RE2's own tables do not hold, and `\\p{C}` holds them.
    """
    if _SURROGATE.search(pattern):
        return None
    parts: list[str] = []
    open_groups = at = 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None:
            return None
        at = piece.end()
        open_groups += {"(": 1, ")": -1}.get(piece["other"] or "", 0)
        atom, count = _atom(piece), _count(piece)
        if atom is None or count is None or open_groups < 0:
            return None
        parts.append(atom + count)
    return "".join(parts) if open_groups == 0 else None


def _atom(piece: re.Match[str]) -> str | None:
    if piece["class"]:
        return _class(piece["class"])
    if piece["category"]:
        return f"[{_category(piece['category'])}]"
    if piece["literal"]:
        return piece["literal"] if piece["literal"] in "^$" else _spelled(piece["literal"])
    return {".": r"[^\x{a}\x{d}]", "(": "(?:"}.get(piece["other"], piece["other"])


def _count(piece: re.Match[str]) -> str | None:
    """The quantifier; None where it has nothing to repeat or its bounds are the wrong way round."""
    if piece["count"] and piece["other"] in ("(", "|"):
        return None
    if not piece["least"]:
        return piece["count"] or ""
    least = int(piece["least"])
    if not piece["more"]:
        return f"{{{least}}}"
    if not piece["most"]:
        return f"{{{least},}}"
    most = int(piece["most"])
    return f"{{{least},{most}}}" if least <= most else None


def _class(text: str) -> str | None:
    if text == "[^]":
        return None
    negated = text.startswith("[^")
    parts = []
    for category, first, last in _ITEMS.findall(text[2:-1] if negated else text[1:-1]):
        if category:
            parts.append(_category(category))
        elif last and _character(first) > _character(last):
            return None
        else:
            parts.append(_spelled(first or "-") + (f"-{_spelled(last)}" if last else ""))
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _category(text: str) -> str:
    """The category as a part of a class."""
    if text[3:-1] not in ("C", "Cn"):
        return text
    if text[1] == "P":
        return _ASSIGNED if text[3:-1] == "C" else _ASSIGNED + _OTHER
    return _unassigned() if text[3:-1] == "Cn" else _OTHER + _unassigned()


@cache
def _unassigned() -> str:
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    runs = (found[0] for found in re2.finditer(f"[^{_ASSIGNED}{_OTHER}]+", everything))
    return "".join(f"{_spelled(run[0])}-{_spelled(run[-1])}" for run in runs)


def _character(text: str) -> str:
    return _CONTROLS.get(text[1], text[1]) if len(text) == 2 else text


def _spelled(text: str) -> str:
    """One character so that RE2 cannot take it for anything else."""
    return f"\\x{{{ord(_character(text)):x}}}"
