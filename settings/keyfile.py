"""The signing key: 32 random bytes in hex in a file of mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from settings.load import SettingsError


def read_key(path: Path) -> bytes:
    """The key in `path`. Raises SettingsError when it is missing, unreadable or too short."""
    try:
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no signing key; `paritygate init` makes one") from error
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path}: not a signing key (64 hex digits): {error}; remove it and run `paritygate init`"
        ) from error
    if len(key) < 32:
        raise SettingsError(f"{path}: the signing key has {len(key)} bytes, at least 32 are needed; run `paritygate init` anew")
    return key


def make_key(path: Path) -> bool:
    """Writes a new key unless there is one; True when it was written. Raises SettingsError when it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise SettingsError(f"{path}: the signing key cannot be written: {error}") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    return True
