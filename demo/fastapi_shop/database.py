"""The port's database: one SQLite file in WAL mode, and one connection for each request."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect

from demo.fastapi_shop import tables
from demo.seed_data import seed_data

DATABASE_VARIABLE = "PARITYGATE_DEMO_CANDIDATE_DB"


def _open() -> Engine:
    path = os.environ.get(DATABASE_VARIABLE, "fastapi_shop.sqlite3")
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 20}, pool_size=10, max_overflow=30)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


engine = _open()


async def connection() -> AsyncIterator[Connection]:
    """One connection for one request. A writer commits before it answers, so that the client reads what it wrote.

    `async` because taking a connection from the pool does not wait: it spares each request two trips through the thread pool.
    """
    with engine.connect() as opened:
        yield opened


Db = Annotated[Connection, Depends(connection)]


def seed_if_empty() -> None:
    """Creates every table and row when the database has no tables yet, else does nothing."""
    if inspect(engine).get_table_names():
        return
    data = seed_data()
    accounts = [
        {
            "id": row.id,
            "username": row.username,
            "display_name": row.display_name,
            "email": f"{row.username}@shop.example",
            "password": row.encoded,
            "is_staff": row.is_staff,
            "date_joined": row.date_joined,
        }
        for row in data.users
    ]
    with engine.begin() as opened:
        tables.metadata.create_all(opened)
        opened.execute(insert(tables.users), accounts)
        for table, rows in (
            (tables.categories, data.categories),
            (tables.suppliers, data.suppliers),
            (tables.products, data.products),
            (tables.reviews, data.reviews),
            (tables.orders, data.orders),
            (tables.order_lines, data.lines),
            (tables.links, data.links),
            (tables.records, data.records),
        ):
            opened.execute(insert(table), [asdict(row) for row in rows])
