"""What strangers sent is inert on a terminal and in tables."""

from __future__ import annotations

import pytest

from cli.console import inert


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;pwned\x07", "\\x1b[2J\\x1b]0;pwned\\x07"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("line\nnext\ttab", "line\nnext\ttab"),
        ("naïve ü 漢", "naïve ü 漢"),
        ("\r\x00", "\\r\\x00"),
    ],
)
def test_control_and_direction_signs_are_spelled_out(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown
