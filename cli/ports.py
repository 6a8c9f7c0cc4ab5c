"""Whether an address of the configuration can be listened on."""

from __future__ import annotations

import socket

from cli.codes import CommandError, Exit


def require_free(name: str, address: str) -> None:
    """Raises CommandError (2), naming the remedy, when another process listens on `address`, which the key `name` holds."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            sentence = f"{address}: cannot be used ({error.strerror}): stop who uses it, or set {name} to a free port"
            raise CommandError(sentence, Exit.USAGE) from error
