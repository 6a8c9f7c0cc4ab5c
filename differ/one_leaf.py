"""Proves from two JSON texts that their documents differ in one leaf alone, without looking at anything but bytes.

If what lies between their common beginning and their common end holds nothing that structures a document, then both texts are in
the same place of the same structure before and after it: they differ inside one token, and all other tokens are the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_LEAF = 10_000
_STRUCTURE = b'"{}[],:\\'
_CHUNK = 1_024
_AROUND = 32
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_SAFE_DIGITS = b"0" * 15


class OneLeaf(NamedTuple):
    """Where two texts differ: `start` from the beginning, `end` from the end of each."""

    start: int
    end: int

    def around(self, text: bytes) -> bytes:
        """What differs, with so much on either side that a word or a number is whole."""
        return text[max(0, self.start - _AROUND) : len(text) - self.end + _AROUND]

    def holds_no_boolean(self, a: bytes, b: bytes) -> bool:
        """Whether the token is no boolean on either side: then true nowhere stands where the other one has 1."""
        return not any(word in self.around(text) for text in (a, b) for word in (b"true", b"false"))

    def is_plain(self, text: bytes) -> bool:
        """Whether the token is a value, no name, that every parser reads alike: no long number and no exponent."""
        near = self.around(text)
        if b"E" in near or b"e" in near or _SAFE_DIGITS in near.translate(_DIGITS):
            quote = text.rfind(b'"', 0, self.start)
            inside = text[quote + 1 : self.start + 1] if self.start - quote < _AROUND else b""
            if not inside or not inside[0:1].isalpha():
                return False  # it may be a number; a text that begins with a letter is none
        after = text.find(b'"', len(text) - self.end)
        return after < 0 or not text[after + 1 : after + _AROUND].lstrip().startswith(b":")


def one_leaf(a: bytes, b: bytes) -> OneLeaf | None:
    """Where two unequal texts of JSON documents differ, if that is inside one token; None where it cannot be said."""
    start = _common(a, b)
    end = _common_end(a, b, min(len(a), len(b)) - start)
    for text in (a, b):
        leaf = text[start : len(text) - end]
        if len(leaf) > MAX_LEAF or len(leaf.translate(None, _STRUCTURE)) != len(leaf):
            return None
    return OneLeaf(start, end)


def _common(a: bytes, b: bytes) -> int:
    """The length of the common beginning, by chunks; in the first unequal one the highest bit that differs tells the byte."""
    at, most = 0, min(len(a), len(b))
    while at < most and a.startswith(b[at : at + _CHUNK], at):
        at += _CHUNK
    if at >= most:
        return most
    end = min(at + _CHUNK, most)
    gap = int.from_bytes(a[at:end], "big") ^ int.from_bytes(b[at:end], "big")
    return end if not gap else end - (gap.bit_length() + 7) // 8


def _common_end(a: bytes, b: bytes, most: int) -> int:
    """The length of the common end, at most `most`."""
    at = 0
    while at < most and a.endswith(b[len(b) - min(at + _CHUNK, most) : len(b) - at], 0, len(a) - at):
        at += _CHUNK
    if at >= most:
        return most
    end = min(at + _CHUNK, most)
    ours, theirs = (int.from_bytes(text[len(text) - end : len(text) - at], "little") for text in (a, b))
    gap = ours ^ theirs
    return end if not gap else end - (gap.bit_length() + 7) // 8
