"""What can stop the shadow from starting. One sentence that names the place and the remedy."""

from __future__ import annotations


class ShadowError(Exception):
    """The mirror worker cannot do its work here; the text says where and what to do."""
