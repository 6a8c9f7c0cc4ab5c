"""What keeps a proxy from running."""

from __future__ import annotations


class ProxyError(Exception):
    """The proxy cannot run; one sentence names the place (an address, a file) and the remedy. Exit code 4."""


class AddressTaken(ProxyError):
    """Another process listens on an address of ours."""
