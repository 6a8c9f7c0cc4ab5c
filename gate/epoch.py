"""The epoch: evidence counts only for the builds, rules and route it was gathered with."""

from __future__ import annotations

import hashlib
import json

MODES = ("shadow", "canary", "reverse")


def epoch_of(build: str, rules_digest: str, differ_version: str, route: str, mode: str) -> str:
    """16 hex digits that change whenever any argument does; a change of epoch starts the evidence afresh. Raises ValueError."""
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is not known: evidence is gathered in {', '.join(MODES)}")
    text = json.dumps([build, rules_digest, differ_version, route, mode], ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
