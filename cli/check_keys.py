"""What `paritygate doctor` says of the keys in files: the one that signs decisions, and the one of redaction's tokens."""

from __future__ import annotations

import stat
from pathlib import Path

from cli.check import Check
from cli.codes import Exit
from settings.keyfile import read_key
from settings.load import SettingsError
from settings.model import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def exposed(key: Path, setting: str) -> list[str]:
    """The sentence on a key file that others than its owner may use; empty for one that is right. Raises OSError."""
    mode = stat.S_IMODE(key.stat().st_mode)
    if not mode & _OTHERS:
        return []
    return [f"{key}: others may use this key (mode {mode:04o}, {setting}); chmod 600 it"]


def signing_key_check(settings: Settings) -> Check:
    """The key that signs decisions."""
    return _checked("signing key", settings.key_path, "cutover.key_file")


def redaction_key_check(settings: Settings) -> Check:
    """The key of redaction's tokens: a file of its own, or derived from the signing key."""
    if settings.redact.key_file is None:
        return Check("redaction key", True, "derived from the signing key; redact.key_file gives it a file of its own")
    path = settings.path(settings.redact.key_file)
    if not path.exists():
        return Check("redaction key", None, f"{path}: there is none yet (redact.key_file); `paritygate up` makes it")
    return _checked("redaction key", path, "redact.key_file")


def _checked(name: str, path: Path, setting: str) -> Check:
    try:
        read_key(path, name)
        warnings = exposed(path, setting)
    except SettingsError as error:
        return Check(name, None if not path.exists() else False, str(error), Exit.USAGE)
    except OSError as error:
        return Check(name, False, f"{path}: {error.strerror} ({setting})", Exit.USAGE)
    return Check(name, None if warnings else True, warnings[0] if warnings else str(path))
