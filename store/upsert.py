"""Batched insert-or-update on both databases, rows in the order of their keys so that two writers cannot wait for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Table, case, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.schema import Base

Row = Mapping[str, Any]
Rule = Literal["add", "max", "min", "set", "fill"]


def table_of(model: type[Base]) -> Table:
    """The table of a model."""
    return cast("Table", model.__table__)


async def upsert(connection: AsyncConnection, model: type[Base], rows: Sequence[Row], **rules: Rule) -> None:
    """Inserts `rows`; where a row's key is there already, each column named in `rules` is added to, raised, lowered, set, or
    set unless the new value is empty text. What is unknown (None) is neither higher nor lower than anything.

    Without rules an existing row stays as it is. The rows' keys must be distinct.
    """
    if not rows:
        return
    table = table_of(model)
    keys = [column.name for column in table.primary_key]
    ordered = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    if not rules:
        await connection.execute(insert.on_conflict_do_nothing(index_elements=keys), ordered)
        return
    changes = {name: _combined(rule, table.c[name], insert.excluded[name]) for name, rule in rules.items()}
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), ordered)


def _combined(rule: Rule, old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    if rule == "add":
        return old + new
    if rule == "max":
        return case((or_(old.is_(None), new > old), new), else_=old)
    if rule == "min":
        return case((or_(old.is_(None), new < old), new), else_=old)
    if rule == "fill":
        return case((new != "", new), else_=old)
    return new
