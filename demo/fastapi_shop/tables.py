"""The port's own schema. Money is stored as whole cents, times as UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept as naive UTC because SQLite has no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Money(TypeDecorator[Decimal]):
    """An amount with two places, kept as whole cents so that sums are exact."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.scaleb(2))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-2)


def _table(name: str, *columns: Column[Any]) -> Table:
    # AUTOINCREMENT, as Django's tables have it: an id is never given out twice.
    return Table(name, metadata, Column("id", Integer, primary_key=True), *columns, sqlite_autoincrement=True)


users = _table(
    "users",
    Column("username", String(80), unique=True),
    Column("display_name", String(80)),
    Column("email", String(120)),
    Column("password", String(128)),
    Column("is_staff", Boolean),
    Column("date_joined", UtcDateTime),
)
sessions = _table("sessions", Column("key", String(40), unique=True), Column("user_id", ForeignKey("users.id")))
tokens = _table("tokens", Column("key", String(40), unique=True), Column("user_id", ForeignKey("users.id"), unique=True))
categories = _table(
    "categories", Column("slug", String(40), unique=True), Column("name", String(80)), Column("position", Integer)
)
suppliers = _table("suppliers", Column("name", String(80)), Column("country", String(2)), Column("lead_time_days", Integer))
products = _table(
    "products",
    Column("name", String(120)),
    Column("category_id", ForeignKey("categories.id")),
    Column("supplier_id", ForeignKey("suppliers.id")),
    Column("price", Money),
    Column("stock", Integer),
    Column("description", Text),
    Column("added_at", UtcDateTime),
    Column("counted_at", UtcDateTime),
)
reviews = _table(
    "reviews",
    Column("product_id", ForeignKey("products.id"), index=True),
    Column("author", String(80)),
    Column("stars", Integer),
    Column("text", Text),
    Column("created_at", UtcDateTime),
)
cart_items = _table(
    "cart_items",
    Column("user_id", ForeignKey("users.id"), index=True),
    Column("product_id", ForeignKey("products.id")),
    Column("qty", Integer),
)
orders = _table(
    "orders",
    Column("user_id", ForeignKey("users.id"), index=True),
    Column("status", String(20)),
    Column("total", Money),
    Column("created_at", UtcDateTime),
)
order_lines = _table(
    "order_lines",
    Column("order_id", ForeignKey("orders.id"), index=True),
    Column("product_id", ForeignKey("products.id")),
    Column("qty", Integer),
    Column("unit_price", Money),
)
links = _table("links", Column("slug", String(40), unique=True), Column("product_id", ForeignKey("products.id")))
records = _table("records", Column("label", String(60)), Column("value", Integer))
