"""What rules did: by version, with days, places and examples; nodes whose names are data, and aliases of merged clusters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables and takes the hits over, without a version: a version's own counts begin with it."""
    op.create_table(
        "rule_use",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Float(precision=53), nullable=True),
        sa.Column("last_at", sa.Float(precision=53), nullable=True),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("sampled", sa.BigInteger(), nullable=False),
        sa.Column("alone", sa.BigInteger(), nullable=False),
        sa.Column("needed", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "version", "route", name=op.f("pk_rule_use")),
    )
    op.execute(
        "INSERT INTO rule_use (rule, version, route, count, differences, matched, sampled, alone, needed, covered) "
        "SELECT rule, '', route, count, count, 0, 0, 0, 0, 0 FROM rule_hit"
    )
    op.drop_table("rule_hit")
    op.create_table(
        "rule_day",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "version", "route", "day", name=op.f("pk_rule_day")),
    )
    op.create_table(
        "judged_day",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("media", sa.Text(), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "status", "media", "day", name=op.f("pk_judged_day")),
    )
    op.create_table(
        "rule_place",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_place")),
    )
    op.create_index(op.f("ix_rule_place_rule"), "rule_place", ["rule"], unique=False)
    op.create_table(
        "rule_loaded",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("rule", "version", name=op.f("pk_rule_loaded")),
    )
    op.create_table(
        "rule_example",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"], ["example.id"], name=op.f("fk_rule_example_example_id_example"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rule", "version", "route", "example_id", name=op.f("pk_rule_example")),
    )
    op.create_index(op.f("ix_rule_example_example_id"), "rule_example", ["example_id"], unique=False)
    op.create_table(
        "data_node",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", "node", name=op.f("pk_data_node")),
    )
    op.create_table(
        "cluster_alias",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_alias")),
    )
    op.create_index(op.f("ix_cluster_alias_cluster_id"), "cluster_alias", ["cluster_id"], unique=False)


def downgrade() -> None:
    """Drops them; the hits of all versions are added up, examples that only a rule kept go."""
    op.create_table(
        "rule_hit",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "route", name=op.f("pk_rule_hit")),
    )
    op.execute(
        "INSERT INTO rule_hit (rule, route, count) "
        "SELECT rule, route, SUM(count) FROM rule_use WHERE count > 0 GROUP BY rule, route"
    )
    op.execute(
        "DELETE FROM example WHERE id IN (SELECT example_id FROM rule_example) "
        "AND NOT EXISTS (SELECT 1 FROM example_link WHERE example_link.example_id = example.id)"
    )
    op.drop_index(op.f("ix_cluster_alias_cluster_id"), table_name="cluster_alias")
    op.drop_index(op.f("ix_rule_example_example_id"), table_name="rule_example")
    op.drop_index(op.f("ix_rule_place_rule"), table_name="rule_place")
    for table in (
        "cluster_alias",
        "data_node",
        "rule_example",
        "rule_loaded",
        "rule_place",
        "judged_day",
        "rule_day",
        "rule_use",
    ):
        op.drop_table(table)
