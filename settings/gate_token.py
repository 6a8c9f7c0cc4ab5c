"""The token of those who may ask the gate and do nothing else: deployment controllers keep it where more people can read it."""

from __future__ import annotations

import hashlib
import hmac

_PURPOSE = b"paritygate: may ask the gate"


def gate_token(admin_token: str) -> str:
    """64 hex digits that follow from the admin token and do not lead back to it; another admin token makes another one."""
    return hmac.new(admin_token.encode("ascii"), _PURPOSE, hashlib.sha256).hexdigest()
