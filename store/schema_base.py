"""What all tables have in common: their metadata and the kinds of their columns.

Names of constraints follow one convention, so that migrations find them on both databases.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.text import KeyText

ROUTE_BYTES = 800
NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


CLUSTERED = {"sqlite_with_rowid": False}
"""Rows that lie in the order of their key, in one tree instead of two: half the bytes and half the writing. PostgreSQL has no such."""


class Base(DeclarativeBase):
    """All tables of the store."""

    metadata = MetaData(naming_convention=NAMING)


def route_column() -> Mapped[str]:
    """A route's label, in the key."""
    return mapped_column(KeyText(ROUTE_BYTES), primary_key=True)


def key_column() -> Mapped[str]:
    """Text in the key."""
    return mapped_column(KeyText(), primary_key=True)


def number_column() -> Mapped[int]:
    """A whole number in the key."""
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)


def count_column() -> Mapped[int]:
    """A counter."""
    return mapped_column(BigInteger, default=0)
