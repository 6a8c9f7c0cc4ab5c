"""The first tables: ledger, evidence, clusters, examples, cutover and audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes them."""
    op.create_table(
        "approval",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", "actor", name=op.f("pk_approval")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "boot",
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("boot", name=op.f("pk_boot")),
    )
    op.create_table(
        "cluster",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("statuses", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen", sa.Float(precision=53), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster")),
    )
    op.create_index(op.f("ix_cluster_route"), "cluster", ["route"], unique=False)
    op.create_table(
        "decision",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_decision")),
    )
    op.create_table(
        "evidence",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen", sa.Float(precision=53), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("k", sa.BigInteger(), nullable=False),
        sa.Column("first_unit_at", sa.Float(precision=53), nullable=True),
        sa.Column("last_unit_at", sa.Float(precision=53), nullable=True),
        sa.Column("closed_until", sa.Float(precision=53), nullable=False),
        sa.Column("incident_base", sa.BigInteger(), nullable=False),
        sa.Column("restarts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", name=op.f("pk_evidence")),
    )
    op.create_table(
        "evidence_unit",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.Float(precision=53), nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("closes_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", "ends_at", "rank", "unit", name=op.f("pk_evidence_unit")),
    )
    op.create_index(op.f("ix_evidence_unit_closes_at"), "evidence_unit", ["closes_at"], unique=False)
    op.create_table(
        "example",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_example")),
    )
    op.create_table(
        "latency",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", "hour", "side", "bucket", name=op.f("pk_latency")),
    )
    op.create_table(
        "latency_pair",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("tau", sa.Text(), nullable=False),
        sa.Column("threshold_ms", sa.Float(precision=53), nullable=False),
        sa.Column("bound_ms", sa.Float(precision=53), nullable=False),
        sa.Column("primary_slow_only", sa.BigInteger(), nullable=False),
        sa.Column("candidate_slow_only", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", "tau", name=op.f("pk_latency_pair")),
    )
    op.create_table(
        "ledger_end",
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot", "route", "ending", "reason", name=op.f("pk_ledger_end")),
    )
    op.create_table(
        "opening",
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot", "route", "slot", name=op.f("pk_opening")),
    )
    op.create_table(
        "rule_hit",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "route", name=op.f("pk_rule_hit")),
    )
    op.create_table(
        "standing",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_standing")),
    )
    op.create_table(
        "tally",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "minute", "epoch", "verdict", name=op.f("pk_tally")),
    )
    op.create_table(
        "verdict_total",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "epoch", "verdict", name=op.f("pk_verdict_total")),
    )
    op.create_table(
        "writer",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_writer")),
    )
    op.create_table(
        "cluster_client",
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_cluster_client_cluster_id_cluster"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "client", name=op.f("pk_cluster_client")),
    )
    op.create_table(
        "example_link",
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_example_link_cluster_id_cluster"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["example_id"], ["example.id"], name=op.f("fk_example_link_example_id_example"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "example_id", name=op.f("pk_example_link")),
    )
    op.create_index(op.f("ix_example_link_example_id"), "example_link", ["example_id"], unique=False)


def downgrade() -> None:
    """Drops them, with everything in them."""
    op.drop_index(op.f("ix_example_link_example_id"), table_name="example_link")
    op.drop_index(op.f("ix_evidence_unit_closes_at"), table_name="evidence_unit")
    op.drop_index(op.f("ix_cluster_route"), table_name="cluster")
    op.drop_table("example_link")
    op.drop_table("cluster_client")
    op.drop_table("writer")
    op.drop_table("verdict_total")
    op.drop_table("tally")
    op.drop_table("standing")
    op.drop_table("rule_hit")
    op.drop_table("opening")
    op.drop_table("ledger_end")
    op.drop_table("latency_pair")
    op.drop_table("latency")
    op.drop_table("example")
    op.drop_table("evidence_unit")
    op.drop_table("evidence")
    op.drop_table("decision")
    op.drop_table("cluster")
    op.drop_table("boot")
    op.drop_table("audit")
    op.drop_table("approval")
