"""Parses untrusted JSON exactly: nothing that two clients could tell apart is lost, and no body can stop or crash it.

orjson reads what it reads exactly; whatever it would bend (integers over 64 bit, duplicate keys, NaN, surrogates, huge
exponents) goes to the standard parser with exact hooks. Depth and nodes are bounded before anything is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from differ.budget import LimitHit
from differ.numbers import Special, parse_fraction
from differ.one_leaf import OneLeaf, one_leaf
from rules.model import Limits

BOM = b"\xef\xbb\xbf"
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
MAX_PARSED_DEPTH = 254
"""What orjson can write back; no parser is asked for more."""
_LONG = re.compile(rb"(?:\A|[\[:,\s.\-])[0-9]{19}")
_TINY = re.compile(rb"[0-9][eE]-[0-9]{3}")
_KEEP_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{},")))


class InvalidJson(ValueError):
    """The body is no JSON. The text says why and holds no payload."""


class _DuplicateKeys(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed body. With `duplicates`, objects are Pairs: lists of members as they stand."""

    value: Any
    bom: bool = False
    duplicates: bool = False
    text: bytes | None = None
    """A text of the document, where the fast parser read it: no special numbers inside, and equal texts are equal documents."""

    @property
    def fast(self) -> bool:
        """Whether it was read by the fast parser."""
        return self.text is not None


class Pairs(list[Any]):
    """An object with a name that stands twice: its (name, value) pairs in order."""


Read = Document | InvalidJson


def parse_both(primary: bytes, candidate: bytes, limits: Limits) -> tuple[Read, Read, OneLeaf | None]:
    """Both bodies, read by the same parser so that equal numbers look equal, and where they differ if that is in one leaf.

    Raises LimitHit with the side in its text.
    """
    sides = (("primary", primary), ("candidate", candidate))
    for side, body in sides:
        _bound(side, body, limits)
    first = _fast(primary)
    if first is not None:
        leaf = one_leaf(primary, candidate)
        second = _alike(candidate, leaf) or _fast(candidate)
        if second is not None:
            return first, second, leaf
    return _parse("primary", primary), _parse("candidate", candidate), None


def _alike(body: bytes, leaf: OneLeaf | None) -> Document | None:
    """A body that differs in one plain leaf from one that the fast parser read without loss: it loses nothing here either."""
    if leaf is None or not leaf.is_plain(body):
        return None
    try:
        return Document(orjson.loads(body), text=body)
    except orjson.JSONDecodeError:
        return None


def parse_one(body: bytes, limits: Limits) -> Document:
    """One body. Raises InvalidJson or LimitHit."""
    _bound("the", body, limits)
    document = _parse("the", body)
    if isinstance(document, InvalidJson):
        raise document
    return document


def _bound(side: str, body: bytes, limits: Limits) -> None:
    """Refuses a body of more nodes than may be visited. Counting commas is an upper bound that is almost always enough."""
    if len(body) < limits.nodes // 2 or body.count(b",") < limits.nodes // 2:
        return
    if len(_structure(body)) > limits.nodes:
        raise LimitHit(f"{side} body: more than {limits.nodes} nodes (limits.nodes)")


def _structure(body: bytes) -> bytes:
    """The brackets and commas outside of texts."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2]).translate(None, _KEEP_BRACKETS)


def _bound_depth(side: str, body: bytes) -> None:
    """Refuses what the exact parser could not nest. orjson has a bound of its own, and the walk holds to `limits.depth`."""
    if body.count(b"[") + body.count(b"{") <= MAX_PARSED_DEPTH:
        return
    depth = 0
    for byte in _structure(body).translate(None, b","):
        if byte in b"[{":
            depth += 1
            if depth > MAX_PARSED_DEPTH:
                raise LimitHit(f"{side} body: nested deeper than {MAX_PARSED_DEPTH} levels")
        else:
            depth -= 1


def _fast_is_exact(body: bytes, text: bytes) -> bool:
    """No run of 19 digits (an integer orjson may round), no number too small for a double, no escaped quote-like name."""
    if b"\\u003" in body or body.startswith(BOM):
        return False
    if b"0" * 19 in body.translate(_DIGITS) and _LONG.search(body):  # most long runs of digits are parts of ids in texts
        return False
    return not (b"0.0" in text and (b"e-" in body or b"E-" in body) and _TINY.search(body))


def _fast(body: bytes) -> Document | None:
    """The document; None where the fast parser is not sure that it lost nothing.

    A body that the parser writes back byte for byte has lost nothing. In any other spelling, as many members as the body
    spells are the proof that no name stands twice.
    """
    try:
        value = orjson.loads(body)
        text = orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError, RecursionError):
        return None
    if text == body or (_fast_is_exact(body, text) and text.count(b":") == body.count(b":")):
        return Document(value, text=text)
    return None


def _parse(side: str, body: bytes) -> Document | InvalidJson:
    _bound_depth(side, body)
    bom = body.startswith(BOM)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return InvalidJson(f"{side} body is not UTF-8")
    if bom:
        text = text[1:]
    try:
        try:
            return Document(_exact(text, _object), bom)
        except _DuplicateKeys:  # noticed before the rest is read, which may be no JSON at all
            return Document(_exact(text, _pairs), bom, duplicates=True)
    except RecursionError as error:
        raise LimitHit(f"{side} body: nested too deep for this interpreter") from error
    except ValueError as error:
        at = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        return InvalidJson(f"{side} body is no valid JSON{at}")


def _exact(text: str, hook: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    return json.loads(text, object_pairs_hook=hook, parse_float=parse_fraction, parse_constant=Special)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateKeys
    return made


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Pairs(pairs)
