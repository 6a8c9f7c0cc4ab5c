"""File and test names that payloads cannot steer: `[a-z0-9_]`, at most 80 characters, made unique by a hash."""

from __future__ import annotations

import hashlib
import re

LONGEST = 80


def digest(*parts: bytes) -> str:
    """8 hex digits of the parts, stable over releases."""
    made = hashlib.blake2b(digest_size=4)
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def safe_name(text: str, unique: str) -> str:
    """A readable name for `text`, ending in the hash `unique`."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    room = LONGEST - len(unique) - 1
    return f"{words[:room].strip('_') or 'x'}_{unique}"
