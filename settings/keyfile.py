"""Keys: 32 random bytes in hex in a file of mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from settings.load import SettingsError


def read_key(path: Path, what: str = "signing key") -> bytes:
    """The key in `path`. Raises SettingsError when it is missing, unreadable or too short."""
    try:
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no {what}; `paritygate init` makes one") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: not a {what} (64 hex digits): {error}; remove it and run `paritygate init`") from error
    if len(key) < 32:
        raise SettingsError(f"{path}: the {what} has {len(key)} bytes, at least 32 are needed; run `paritygate init` anew")
    return key


def make_key(path: Path, what: str = "signing key") -> bool:
    """Writes a new key unless there is one; True when it was written. Raises SettingsError when it cannot be."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return False
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        try:
            os.link(made, path)  # whole or not at all: another process may be reading it already
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            os.replace(made, path)
        finally:
            made.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{path}: the {what} cannot be written: {error}") from error
    return True
