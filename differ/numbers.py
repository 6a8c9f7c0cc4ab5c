"""Numbers of JSON documents, compared exactly: integers of any size, `1` and `1.0` the same, true never the same as 1."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation, localcontext

Number = int | float | Decimal
_WIDE = Context(prec=5_000, Emax=999_999_999_999_999_999, Emin=-999_999_999_999_999_999, traps=[])


class Opaque(str):
    """A number token beyond every arithmetic (an exponent of twenty digits): equal to itself alone."""

    __slots__ = ()


class Special(str):
    """`NaN`, `Infinity` or `-Infinity`, which JSON does not have and some servers send: equal to the same token."""

    __slots__ = ()


def is_number(value: object) -> bool:
    """Whether a JSON value is a number that one can calculate with."""
    return type(value) in (int, float, Decimal)


def parse_fraction(token: str) -> Number | Opaque:
    """A number token with a fraction or exponent. A float where that is enough, else a Decimal."""
    if len(token) <= 24 and "e" not in token and "E" not in token:
        return float(token)
    try:
        return Decimal(token)
    except InvalidOperation:
        return Opaque(token)


def as_decimal(value: Number) -> Decimal:
    """The shortest decimal of a float, the exact one of anything else."""
    return value if type(value) is Decimal else Decimal(repr(value) if type(value) is float else value)


def same_number(a: Number, b: Number) -> bool:
    """Whether two numbers are the same value. Two fractions are the same when their doubles are: spelling of one double."""
    if type(a) is int and type(b) is int:
        return a == b
    if type(a) is float and type(b) is float:
        return a == b
    if as_decimal(a) == as_decimal(b):
        return True
    if type(a) is int or type(b) is int:
        return False
    x, y = float(a), float(b)
    return x == y and x not in (0.0, float("inf"), float("-inf"))


def number_key(value: Number) -> str:
    """A text that is the same for the same number."""
    if type(value) is int:
        return str(value) if abs(value) < 10**300 else hex(value)
    if type(value) is float:
        text = repr(value)
        if "e" not in text and "n" not in text:  # the shortest decimal, as a normalised Decimal would be written
            return text if not text.endswith(".0") else "0" if value == 0 else text[:-2]
    exact = as_decimal(value)
    text = str(exact.normalize(_WIDE))
    if not exact:
        return "0"
    if "E" in text and exact.is_finite() and -300 < exact.adjusted() < 300 and exact == exact.to_integral_value(context=_WIDE):
        return str(int(exact))
    return text


def within(a: Number, b: Number, absolute: float | None, relative: float | None) -> bool:
    """Whether two numbers lie within a bound, inclusive; calculated in decimals, so 1.1 lies within 0.1 of 1.0."""
    with localcontext(_WIDE):
        x, y = as_decimal(a), as_decimal(b)
        gap = abs(x - y)
        if absolute is not None and gap <= Decimal(repr(absolute)):
            return True
        return relative is not None and gap <= Decimal(repr(relative)) * max(abs(x), abs(y))
