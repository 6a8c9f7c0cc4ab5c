"""A command group whose first word may also be an argument: `gate "GET /x/"` is `gate show "GET /x/"`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class DefaultsToShow(TyperGroup):
    """Falls back to the sub-command `show` when the first word is none of the group's commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Inserts `show` where it was left out."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["show", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed
