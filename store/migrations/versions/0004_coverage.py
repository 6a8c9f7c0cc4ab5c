"""Coverage: the catalogue of kinds of requests; units of each kind, of each hour of the week, of frequent clients and requests, and of

canaries; and the share of alpha of each route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT, INTEGER, BIG, REAL = sa.Text(), sa.Integer(), sa.BigInteger(), sa.Float(precision=53)
Columns = Mapping[str, sa.types.TypeEngine[Any]]
TABLES: dict[str, tuple[Columns, int, bool]] = {
    "alpha_share": ({"route": TEXT, "share": REAL}, 1, False),
    "shape_total": ({"route": TEXT, "requests": BIG, "shapes": BIG, "other": BIG}, 1, False),
    "shape": (
        {"route": TEXT, "shape": TEXT, "found": BIG, "first_at": REAL, "seen": BIG, "status_class": INTEGER, "text": TEXT},
        2,
        True,
    ),
    "evidence_shape": ({"route": TEXT, "epoch": TEXT, "shape": TEXT, "n": BIG, "k": BIG}, 3, True),
    "evidence_served": ({"route": TEXT, "epoch": TEXT, "start": REAL, "n": BIG, "k": BIG}, 3, True),
    "evidence_week": ({"route": TEXT, "epoch": TEXT, "cell": BIG, "n": BIG}, 3, True),
    "evidence_frequent": (
        {"route": TEXT, "epoch": TEXT, "kind": TEXT, "counts": TEXT, "missed": BIG, "most": BIG},
        3,
        True,
    ),
    "traffic_hour": ({"route": TEXT, "start": BIG, "count": BIG}, 2, True),
}
"""The columns, how many of them are the key, and whether the rows lie in its order on SQLite."""


def upgrade() -> None:
    """Makes the tables, empty: what was compared before counts for parity, its kinds are not known."""
    for name, (columns, keys, clustered) in TABLES.items():
        op.create_table(
            name,
            *(sa.Column(column, kind, autoincrement=False, nullable=False) for column, kind in columns.items()),
            sa.PrimaryKeyConstraint(*list(columns)[:keys], name=op.f(f"pk_{name}")),
            sqlite_with_rowid=not clustered,
        )
    op.add_column("evidence_unit", sa.Column("served", INTEGER, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drops them."""
    op.drop_column("evidence_unit", "served")
    for name in reversed(TABLES):
        op.drop_table(name)
