"""The admin listener's bearer token: the first line of a file, so that it is in no configuration, command line or log."""

from __future__ import annotations

import stat

from settings.load import SettingsError
from settings.model import Settings

SHORTEST = 16
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_admin_token(settings: Settings, warnings: list[str] | None = None) -> str | None:
    """The token, None where none is configured. Raises SettingsError when its file is missing, unreadable or holds none.

    A file that others may read too is a warning.
    """
    name = settings.proxy.admin_token_file
    if name is None:
        return None
    path = settings.path(name)
    place = f"[proxy] admin_token_file: {path}"
    make = f"make one with: (umask 077; openssl rand -hex 32 > {path})"
    try:
        mode = path.stat().st_mode
        with path.open(encoding="ascii") as file:
            token = file.readline(4096).strip()
    except FileNotFoundError as error:
        raise SettingsError(f"{place}: there is no such file; {make}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{place}: a token is ASCII text; {make}") from error
    except OSError as error:
        raise SettingsError(f"{place}: cannot be read ({error.strerror}); make it readable for this user") from error
    if not token:
        raise SettingsError(f"{place}: its first line is empty; {make}")
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise SettingsError(f"{place}: a token has at least {SHORTEST} printable signs and no spaces; {make}")
    if warnings is not None and mode & _OTHERS:
        warnings.append(f"{place}: others may use this file (mode {stat.S_IMODE(mode):04o}); chmod 600 it")
    return token


def admin_headers(settings: Settings) -> dict[str, str]:
    """What a request to an admin listener must carry. Raises SettingsError."""
    token = read_admin_token(settings)
    return {"Authorization": f"Bearer {token}"} if token is not None else {}
