"""The name of a build: a commit, a version, an image's digest."""

from __future__ import annotations

import re

MAX_BUILD = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:/@=~-]*")


class BuildError(ValueError):
    """This names no build; the text says what a name is."""


def build_name(text: str) -> str:
    """`text` without blanks around it. Raises BuildError unless it is a name that anything can print: one word of ASCII."""
    name = text.strip()
    if not name:
        raise BuildError("the build is empty: give a commit, a version or an image's digest")
    if len(name) > MAX_BUILD:
        raise BuildError(f"the build has {len(name)} signs, at most {MAX_BUILD} are allowed")
    if not _NAME.fullmatch(name):
        raise BuildError(
            f"the build {name[:60]!r} is no name: letters, digits and ._+:/@=~- are allowed, the first a letter or digit"
        )
    return name
