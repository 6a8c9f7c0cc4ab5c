"""Makes the helpers of this folder importable by a name of their own; their proxies do not leave when they are asked to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import shadow.channel

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes in a script stand for most proxies here: a shadow that stops would wait a second for each of them."""
    monkeypatch.setattr(shadow.channel, "FAREWELL_S", 0.1)
