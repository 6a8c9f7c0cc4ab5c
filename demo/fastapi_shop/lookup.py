"""Finding the one row that a URL names."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection, Row, Select

LARGEST_ID = 2**63 - 1


def one_or_404(db: Connection, query: Select[Any], what: str) -> Row[Any]:
    """The query's only row; answers 404 when there is none."""
    row = db.execute(query).one_or_none()
    if row is None:
        raise HTTPException(404, f"{what} not found")
    return row


def known_id(value: int, what: str) -> int:
    """The id itself when a database can hold it; answers 404 when it cannot, as for any other id that is not there."""
    if value > LARGEST_ID:
        raise HTTPException(404, f"{what} not found")
    return value
