"""Column types for text that strangers may have written.

PostgreSQL refuses NUL and lone surrogates, and refuses index keys over about 2.7 kB; one such value would take a whole batch with it.
So text is escaped on its way in and unescaped on its way out, and key columns have a bound.
"""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_HOSTILE = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|u[0-9a-f]{4})")


def escape_text(text: str) -> str:
    """Text that every database takes: backslash doubled, NUL and lone surrogates as `\\uXXXX`. Undone by `unescape_text`."""
    return _HOSTILE.sub(lambda found: "\\\\" if found.group() == "\\" else f"\\u{ord(found.group()):04x}", text)


def unescape_text(text: str) -> str:
    """The text that `escape_text` was given."""
    return (
        text
        if "\\" not in text
        else _ESCAPED.sub(lambda found: "\\" if found.group(1) == "\\" else chr(int(found.group(1)[1:], 16)), text)
    )


def bounded(text: str, limit: int) -> str:
    """`text` where its UTF-8 form has at most `limit` bytes, else its beginning and a hash of all of it; the same every time."""
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return text
    mark = hashlib.blake2b(encoded, digest_size=8).hexdigest()
    return encoded[: limit - 20].decode("utf-8", "ignore") + "…" + mark


class SafeText(TypeDecorator[str]):
    """Text of any length and content."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape_text(value)


class KeyText(SafeText):
    """Text in an index: what is longer than `limit` bytes of UTF-8 is cut and carries a hash."""

    cache_ok = True

    def __init__(self, limit: int = 200) -> None:
        super().__init__()
        self.limit = limit

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (len(value) <= self.limit and value.isascii() and "\\" not in value and "\0" not in value):
            return value  # nearly all keys are such, and this runs for each key of each row
        return escape_text(bounded(value, self.limit))
