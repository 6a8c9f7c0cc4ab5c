"""Alembic's environment. The connection comes from `store.migrate`, inside a transaction that is held by one process at a time."""

from __future__ import annotations

from typing import Any

from alembic import context

from store.schema import Base


def run() -> None:
    """Runs what the command asks for on the connection that was handed in."""
    connection: Any = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        user_module_prefix="store.text.",
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file as a script; imported by anyone else it does nothing.
if getattr(context, "config", None) is not None:
    run()
