"""Batched insert-or-update on both databases, rows in the order of their keys so that two writers cannot wait for each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, cast

from sqlalchemy import ARRAY, ColumnElement, Executable, Table, bindparam, case, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from store.schema import Base

Row = Mapping[str, Any]
Rule = Literal["add", "max", "min", "set", "fill"]
Item = TypeVar("Item")

IN_ONE_QUERY = 500


def table_of(model: type[Base]) -> Table:
    """The table of a model."""
    return cast("Table", model.__table__)


async def upsert(connection: AsyncConnection, model: type[Base], rows: Sequence[Row], **rules: Rule) -> None:
    """Inserts `rows`; where a row's key is there already, each column named in `rules` is added to, raised, lowered, set, or
    set unless the new value is empty text. What is unknown (None) is neither higher nor lower than anything.

    Without rules an existing row stays as it is. The rows' keys must be distinct, and all rows name the same columns.
    """
    if not rows:
        return
    keys = [column.name for column in table_of(model).primary_key]
    ordered = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    names = tuple(ordered[0])
    if connection.dialect.name == "postgresql":
        # One row of arrays instead of many rows: the server then plans and answers once.
        arrays = {name: [row[name] for row in ordered] for name in names}
        await connection.execute(_of_arrays(model, names, tuple(rules.items())), arrays)
    else:
        await connection.execute(_of_rows(model, names, tuple(rules.items())), ordered)


@cache
def _of_rows(model: type[Base], names: tuple[str, ...], rules: tuple[tuple[str, Rule], ...]) -> Executable:
    insert = sqlite.insert(table_of(model))
    return _resolved(insert, model, rules)


@cache
def _of_arrays(model: type[Base], names: tuple[str, ...], rules: tuple[tuple[str, Rule], ...]) -> Executable:
    table = table_of(model)
    columns = [func.unnest(bindparam(name, type_=ARRAY(table.c[name].type))) for name in names]
    return _resolved(postgresql.insert(table).from_select(names, select(*columns)), model, rules)


def _resolved(insert: Any, model: type[Base], rules: tuple[tuple[str, Rule], ...]) -> Executable:
    """What happens where the key is there."""
    table = table_of(model)
    keys = [column.name for column in table.primary_key]
    changes = {name: _combined(rule, table.c[name], insert.excluded[name]) for name, rule in rules}
    if not changes:
        return cast("Executable", insert.on_conflict_do_nothing(index_elements=keys))
    return cast("Executable", insert.on_conflict_do_update(index_elements=keys, set_=changes))


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


def parts(items: Sequence[Item], size: int = IN_ONE_QUERY) -> Iterator[Sequence[Item]]:
    """The items in pieces that fit into one query's IN."""
    return (items[start : start + size] for start in range(0, len(items), size))
