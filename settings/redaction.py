"""The redactor that the configuration describes, and its key: never the signing key itself, and nowhere near the data."""

from __future__ import annotations

import hashlib

from settings.keyfile import make_key, read_key
from settings.model import Settings
from traffic.redact import Redactor

_PURPOSE = b"paritygate-redct"
"""What BLAKE2b tells this use of a key from any other by: at most 16 bytes."""


def redaction_key(settings: Settings, signing_key: bytes) -> bytes:
    """32 bytes that are derived from the key of `redact.key_file`, else from the signing key, and from `redact.key_version`.

    They say nothing about the key they are derived from, so that key and tokens can each be changed without the other noticing.
    A `redact.key_file` that is missing is made, readable by its owner only. Raises SettingsError where it cannot be read or made.
    """
    source = signing_key
    if settings.redact.key_file is not None:
        path = settings.path(settings.redact.key_file)
        make_key(path, "redaction key")
        source = read_key(path, "redaction key")
    version = settings.redact.key_version.to_bytes(8, "big")
    return hashlib.blake2b(version, digest_size=32, key=source[:64], person=_PURPOSE).digest()


def redactor_of(settings: Settings, signing_key: bytes) -> Redactor:
    """The one redactor of a process. Raises SettingsError where the key cannot be had."""
    redact = settings.redact
    return Redactor(
        redact.headers,
        redact.json_paths,
        redaction_key(settings, signing_key),
        query=redact.query,
        cookies=redact.cookies,
        values=redact.values,
    )
