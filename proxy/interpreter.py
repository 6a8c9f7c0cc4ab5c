"""Which interpreter belongs in production, and why."""

from __future__ import annotations

from collections.abc import Sequence


def interpreter_advice(version: Sequence[object]) -> str | None:
    """One sentence where `version` (as sys.version_info) should not serve production, else None."""
    if tuple(version[:2]) >= (3, 12):
        return None
    return (
        f"Python {version[0]}.{version[1]} is not the interpreter for production, 3.13 is: the newest mitmproxy for it is 11.0.2, "
        "which is not maintained any more; its h11 accepts a wrong chunk terminator (CVE-2025-43859; Paritygate refuses such framing "
        "itself), and its h2 lets requests be smuggled, so that HTTP/2 is refused"
    )
