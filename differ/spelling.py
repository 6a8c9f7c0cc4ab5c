"""Representation normalisers of JSON values: two spellings of one number, one datetime, one link of our own.

`same` says whether two leaves are the same value in two spellings. `form` gives a value that is equal for all spellings of one
value and for nothing else, and that the JSON library can write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from differ.explains import MISSING
from differ.findings import Findings
from differ.in_force import InForce
from differ.links import Link, link, same_below
from differ.moments import is_utc_moment, moment
from differ.numbers import is_number, number_key, same_number

_SAFE = 1 << 53


class Spelling:
    """The normalisers that are on. `plain`: texts of bodies that are no JSON, which have none but for numbers."""

    def __init__(self, force: InForce, *, plain: bool = False) -> None:
        self._force = force
        self.datetimes = force.class1("repr:datetime") and not plain
        self.links = force.class1("repr:url") and not plain
        self.numbers = force.class1("repr:number")
        self._drop = force.rules.drop_query

    def same(self, a: Any, b: Any, findings: Findings | None = None) -> bool:
        """Whether two leaves are one value. What only dropping a query pair made equal is noted in `findings`, if they are given."""
        kind = type(a)
        if kind is str:
            if type(b) is not str:
                return False
            if a == b:
                return True
            if self.datetimes and a[4:5] == "-" and b[4:5] == "-":
                return _same_moment(a, b)
            if self.links and a[:4].lower() == "http" and b[:4].lower() == "http":
                return self._same_link(a, b, findings)
            return False
        if is_number(a) and is_number(b):
            return (self.numbers or (kind is int) is (type(b) is int)) and same_number(a, b)
        if kind is not type(b) or a is MISSING:
            return False
        return bool(a == b)

    def exactly(self, a: Any, b: Any) -> bool:
        """Whether two leaves are one value for which representation counts: `1` is not `1.0`, but `1e2` is `100.0`."""
        if is_number(a) and is_number(b):
            return (type(a) is int) is (type(b) is int) and same_number(a, b)
        return type(a) is type(b) and a is not MISSING and bool(a == b)

    def alike(self, a: Any, b: Any, spend: Callable[[int], None]) -> bool:
        """Whether two subtrees are one value in two spellings, without any rule. Every container visited is paid for."""
        if type(a) is dict and type(b) is dict:
            spend(len(a))
            return a.keys() == b.keys() and all(self.alike(value, b[key], spend) for key, value in a.items())
        if type(a) is list and type(b) is list:
            spend(len(a))
            return len(a) == len(b) and all(self.alike(one, other, spend) for one, other in zip(a, b, strict=True))
        return self.same(a, b)

    def _same_link(self, a: str, b: str, findings: Findings | None) -> bool:
        own = self._force.own
        if same_below(a, b, own):
            return True
        one, other = link(a, own, ()), link(b, own, ())
        if one is None or other is None:
            return False
        if one == other:
            return True
        if findings is not None and self._drop and link(a, own, self._drop) == link(b, own, self._drop):
            findings.applied.add("drop_query")
            return True
        return False

    def form(self, value: Any) -> Any:
        """The canonical form of a leaf: its spelling folded, and what was folded marked so that no real text is like it."""
        kind = type(value)
        if kind is str:
            if self.datetimes and value[4:5] == "-":
                at = moment(value)
                if at is not None:
                    return f"\0@{at.local}.{at.fraction}{at.separator}{at.offset}"
            if self.links and value[:4].lower() == "http":
                folded = link(value, self._force.own, ())
                if folded is not None:
                    return f"\0<{_link_text(folded)}"
            return "\0" + value if value[:1] == "\0" else value
        if kind is bool or value is None:
            return value
        if kind is int and -_SAFE < value < _SAFE:
            return value
        if is_number(value):
            if self.numbers and -_SAFE < value < _SAFE and value == int(value):
                return int(value)
            return "\0#" + number_key(value) if self.numbers else self.exact_form(value)
        return f"\0{kind.__name__}:{value}"

    def exact_form(self, value: Any) -> Any:
        """The form of a leaf for which representation counts."""
        kind = type(value)
        if kind is str:
            return "\0" + value if value[:1] == "\0" else value
        if kind is bool or value is None:
            return value
        if is_number(value):
            return f"\0{'int' if kind is int else 'float'}{number_key(value)}"
        return f"\0{kind.__name__}:{value}"


def _same_moment(a: str, b: str) -> bool:
    """Whether two unequal texts are one moment. Most pairs are told apart, or told to be UTC twice, by their ends alone."""
    if len(a) == len(b) and a[-6:] == b[-6:]:
        return False  # the same zone and as many digits: other digits are another moment
    if len(a) == len(b) - 5 and a[-1] == "Z" and a[:-1] + "+00:00" == b:
        return is_utc_moment(a)
    if len(b) == len(a) - 5 and b[-1] == "Z" and b[:-1] + "+00:00" == a:
        return is_utc_moment(b)
    one = moment(a)
    return one is not None and one == moment(b)


def _link_text(found: Link) -> str:
    return repr((found.base, found.path, found.query, found.fragment))
