"""Patterns of rule files and of `match()` and `search()` in their paths, run by RE2: linear time whatever the pattern.

Linear is the length of the value times the size of the compiled pattern: `.{0,1000}` over a long text is work too. So the
size is bounded, and what a value may cost is either bounded or counted, in units that `spend` takes: one for what takes about
as long as looking at one node of a document.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2

from rules.iregexp import to_re2

MAX_PATTERN = 2_000
MAX_SUBJECT = 10_000
"""Characters of a value that the pattern of a rule is asked about; longer values never match."""
MAX_PROGRAM = 5_000
"""Instructions of a compiled pattern: counted repetitions are unrolled, so `.{1,255}` has 2,300."""
MAX_WORK = 4_000_000
"""Instructions times bytes for one value where nobody counts: some 20 ms. A value that could cost more never matches."""
_WORK_OF_A_NODE = 32
_MEMORY = 2 << 20


class PatternError(ValueError):
    """A pattern that RE2 does not accept or that costs too much; the message is one sentence."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re2._Regexp:
    return _compile(pattern)


@lru_cache(maxsize=64)
def _compiled_iregexp(pattern: str) -> re2._Regexp | None:
    """None where `pattern` is no I-Regexp. The patterns may come from documents: few are kept."""
    respelled = to_re2(pattern)
    return None if respelled is None else _compile(respelled)


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"is no RE2 pattern: {text}") from error
    if compiled.programsize > MAX_PROGRAM:
        raise PatternError(f"compiles to {compiled.programsize} instructions, at most {MAX_PROGRAM} are allowed: count less")
    return compiled


def check_pattern(pattern: str) -> None:
    """Raises PatternError when `pattern` cannot be used."""
    _check(_compiled, pattern)


def check_iregexp(pattern: str) -> None:
    """Raises PatternError when the I-Regexp `pattern` cannot be run. What is no I-Regexp passes: it matches nothing (RFC 9535)."""
    _check(_compiled_iregexp, pattern)


def _check(compiled: Callable[[str], object], pattern: str) -> None:
    _check_length(pattern)
    try:
        compiled(pattern)
    except PatternError as error:
        raise PatternError(f"{pattern!r} {error}") from error


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"the pattern has {len(pattern)} characters, at most {MAX_PATTERN} are allowed")


def matches(pattern: str, value: str, spend: Callable[[int], None] | None = None) -> bool:
    """Whether the whole of `value` matches; values over MAX_SUBJECT and lone surrogates match nothing.

    With `spend` the work is paid for before it is done. Without, a value that could cost more than MAX_WORK matches nothing.
    """
    if len(value) > MAX_SUBJECT:
        return False
    compiled = _compiled(pattern)
    work = _work(compiled, value)
    if work is None:
        return False
    if spend is not None:
        spend(1 + work // _WORK_OF_A_NODE)
    elif work > MAX_WORK:
        return False
    return compiled.fullmatch(value) is not None


def iregexp_matches(pattern: str, value: str, *, whole: bool, written: bool, spend: Callable[[int], None]) -> bool:
    """Whether the I-Regexp `pattern` matches the whole of `value`, or with `whole=False` any part of it.

    What is no I-Regexp and a value with a lone surrogate give False (RFC 9535 2.4.6). The work is paid for before it is done,
    compiling too where the pattern is not `written` in a path but comes from a document.
    Raises PatternError where the pattern is too long or too large to be run: the answer is not known.
    """
    _check_length(pattern)
    compiled = _compiled_iregexp(pattern)
    if not written:
        spend(1 + len(pattern) + (0 if compiled is None else int(compiled.programsize)))
    work = None if compiled is None else _work(compiled, value)
    if compiled is None or work is None:
        return False
    spend(1 + work // _WORK_OF_A_NODE)
    return (compiled.fullmatch(value) if whole else compiled.search(value)) is not None


def _work(compiled: re2._Regexp, value: str) -> int | None:
    """Instructions times bytes, the most that RE2 does; None where `value` is no Unicode text."""
    try:
        return int(compiled.programsize) * len(value.encode())
    except UnicodeEncodeError:
        return None
