"""Data on stdout, messages on stderr.

Text that came from strangers loses its control and direction signs before a terminal sees it.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 200  # a file or a pipe has no width of its own; tables folded to 80 columns cannot be read

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_DIRECTION_SIGNS = {chr(c) for c in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def inert(text: object) -> str:
    """`text` without control characters, escape sequences and direction overrides; new lines and tabs stay."""
    cleaned = []
    for sign in str(text):
        if sign in "\n\t":
            cleaned.append(sign)
        elif not sign.isprintable() or sign in _DIRECTION_SIGNS:
            cleaned.append(sign.encode("unicode_escape").decode("ascii"))
        else:
            cleaned.append(sign)
    return "".join(cleaned)


def say(message: object) -> None:
    """A message for people, on stderr."""
    try:
        err.print(Text(inert(message)))
    except OSError:
        pass  # its reader is gone or its disk is full: what we do matters more than what we say


def show(text: object) -> None:
    """A line of data on stdout."""
    out.print(Text(inert(text)))


def show_json(document: Any) -> None:
    """One JSON document on stdout; keys sorted, so that two runs compare."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str).decode() + "\n")


def cell(text: object, style: str = "") -> Text:
    """A table cell whose text is never read as markup."""
    return Text(inert(text), style=style)


def table(title: str, columns: list[str], right: set[str] | None = None) -> Table:
    """An empty table; the columns named in `right` are right-aligned."""
    made = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    for name in columns:
        made.add_column(Text(name), justify="right" if right and name in right else "left", overflow="fold")
    return made
