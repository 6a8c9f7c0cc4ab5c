"""Patterns of rule files, run by RE2: linear time whatever the pattern, so no body can stop the differ."""

from __future__ import annotations

from functools import lru_cache

import re2

MAX_PATTERN = 2_000
MAX_SUBJECT = 10_000
"""Characters of a value that a pattern is asked about; longer values never match."""


class PatternError(ValueError):
    """A pattern RE2 does not accept; the message is one sentence."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return re2.compile(pattern, options)


def check_pattern(pattern: str) -> None:
    """Raises PatternError when `pattern` cannot be used."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"the pattern has {len(pattern)} characters, at most {MAX_PATTERN} are allowed")
    try:
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"{pattern!r} is no RE2 pattern: {text}") from error


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` matches. A lone surrogate matches nothing."""
    if len(value) > MAX_SUBJECT:
        return False
    try:
        return _compiled(pattern).fullmatch(value) is not None
    except UnicodeEncodeError:
        return False
