"""Figures as people read them."""

from __future__ import annotations

import math

import pytest

from gate.wording import count_text, duration_text, percent_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (20, "20 s"),
        (3725, "1 h 2 min"),
        (7 * 86400, "7 d"),
        (-5, "0 s"),
        (math.nan, "unknown"),
        (1.7e308, "unknown"),
        (-math.inf, "unknown"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """The two largest units that matter."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.05, "5 %"), (0.001, "0.1 %"), (0.000034, "0.0034 %"), (1, "100 %"), (1e-30, "0 %"), (math.inf, "unknown")],
)
def test_percentages(share: float, text: str) -> None:
    """As many digits as it takes."""
    assert percent_text(share) == text


def test_counts() -> None:
    """One unit, many units."""
    assert (count_text(1, "unit"), count_text(3642, "unit")) == ("1 unit", "3,642 units")
