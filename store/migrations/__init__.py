"""Alembic's folder: `env.py` and the versions. Run by `store.migrate`, or by the `alembic` command while developing."""
