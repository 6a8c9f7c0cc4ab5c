"""Whether two parsed values are the same, types included, at the speed of C.

Python's `==` takes true for 1 and 1 for 1.0; what it calls equal is written out by the JSON library and compared as text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import orjson

SHORTCUT_DEPTH = 32
"""Levels to which a whole subtree is compared at once. Below it only the walk compares, so that the work stays linear."""


class Equality:
    """Comparison without rules. `fast` says that both documents came from the fast parser (no special numbers inside).

    `trusting`: the documents differ in one leaf alone, and that is no boolean (differ.one_leaf): what `==` calls equal is equal.
    `1` and `1.0` count as the same then.
    """

    __slots__ = ("fast", "trusting")

    def __init__(self, fast: bool, trusting: bool = False) -> None:
        self.fast = fast
        self.trusting = trusting

    def same(self, a: Any, b: Any, depth: int = 0) -> bool:
        """Whether two values are the same, types included; False may mean that a walk must look closer."""
        if type(a) is not type(b):
            return False
        if type(a) is not dict and type(a) is not list:
            return bool(a == b)
        if depth > SHORTCUT_DEPTH:
            return False
        try:
            if a != b:
                return False
            if self.trusting:
                return True
            if self.fast:
                return orjson.dumps(a) == orjson.dumps(b) or sorted_text(a) == sorted_text(b)
        except (TypeError, RecursionError, ValueError):
            return False
        return typed_equal(a, b)

    def confirmed(self, ones: list[Any], others: list[Any]) -> bool:
        """Whether values that `==` calls equal are written alike; False may mean no more than another order of members."""
        try:
            return orjson.dumps(ones) == orjson.dumps(others)
        except (TypeError, RecursionError, ValueError):
            return False

    def same_documents(self, a: Any, b: Any) -> bool:
        """Whether two documents that were written differently are the same but for the order of members."""
        try:
            if a != b:
                return False
            if self.trusting:
                return True
            if self.fast:
                return sorted_text(a) == sorted_text(b)
        except (TypeError, RecursionError, ValueError):
            return False
        return typed_equal(a, b)

    def unequal(self, a: list[Any], b: list[Any], depth: int) -> list[int]:
        """The positions of two equally long lists at which `same` is false, asked for all equal-looking elements at once."""
        if self.fast and depth <= SHORTCUT_DEPTH:
            try:
                if self.trusting:
                    return [
                        at for at in (next((at for at, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), -1),) if at >= 0
                    ]
                found = [at for at, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
                ones, others = a, b
                if found:
                    left = set(found)
                    ones, others = ([x for at, x in enumerate(side) if at not in left] for side in (a, b))
                if orjson.dumps(ones) == orjson.dumps(others):
                    return found
            except (TypeError, RecursionError, ValueError):
                pass
        return [at for at in range(len(a)) if not self.same(a[at], b[at], depth)]

    def key(self, value: Any) -> tuple[type, Any] | None:
        """Equal keys are the same values, types included; None where that cannot be said."""
        if not self.fast:
            return None
        try:
            return _element(value)
        except (TypeError, RecursionError, ValueError):
            return None

    def same_elements(self, a: list[Any], b: list[Any]) -> bool:
        """Whether two lists hold the same elements in any order; False may mean that a closer look is needed."""
        if not self.fast:
            return False
        try:
            return Counter(map(_element, a)) == Counter(map(_element, b))
        except (TypeError, RecursionError, ValueError):
            return False


def _element(value: Any) -> tuple[type, Any]:
    kind = type(value)
    return kind, digest(sorted_text(value)) if kind is dict or kind is list else value


def digest(text: bytes) -> bytes:
    """16 bytes that stand for a text. The library's texts are cut from larger buffers: kept by the thousand they cost a kilobyte each."""
    return hashlib.blake2b(text, digest_size=16).digest()


def sorted_text(value: Any) -> bytes:
    """The JSON text with the members of each object in order. Raises TypeError where the library cannot write the value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def typed_equal(a: Any, b: Any) -> bool:
    """Whether two parsed values are the same, types included; objects with a name that stands twice (lists of pairs) too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(typed_equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(typed_equal, a, b))
    return bool(a == b)
