"""Constant cost: windows of evidence count their units, tallies have spans, latencies are the epoch's, bodies lie beside examples.

On SQLite the tables that every batch writes become clustered (WITHOUT ROWID): half the bytes, half the writing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
import sqlalchemy as sa
import zstandard
from alembic import op

from store.text import bounded, escape_text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT, INTEGER, BIG, REAL = sa.Text(), sa.Integer(), sa.BigInteger(), sa.Float(precision=53)
Columns = Mapping[str, sa.types.TypeEngine[Any]]

_MOST = 256 * 1024 * 1024
CLUSTERED: dict[str, tuple[Columns, int]] = {
    "opening": ({"boot": TEXT, "route": TEXT, "slot": BIG, "count": BIG}, 3),
    "ledger_end": ({"boot": TEXT, "route": TEXT, "ending": TEXT, "reason": TEXT, "count": BIG}, 4),
    "verdict_total": ({"route": TEXT, "epoch": TEXT, "verdict": TEXT, "count": BIG}, 3),
    "rule_day": ({"rule": TEXT, "version": TEXT, "route": TEXT, "day": BIG, "count": BIG}, 4),
    "judged_day": ({"route": TEXT, "status": BIG, "media": TEXT, "day": BIG, "count": BIG}, 4),
}
"""What keeps its columns: they, and how many of them are the key."""
TALLY: Columns = {"route": TEXT, "span": BIG, "start": BIG, "epoch": TEXT, "verdict": TEXT, "count": BIG}
OLD_TALLY: Columns = {"route": TEXT, "minute": BIG, "epoch": TEXT, "verdict": TEXT, "count": BIG}
LATENCY: Columns = {"route": TEXT, "epoch": TEXT, "side": TEXT, "bucket": BIG, "count": BIG}
OLD_LATENCY: Columns = {"route": TEXT, "epoch": TEXT, "hour": BIG, "side": TEXT, "bucket": BIG, "count": BIG}
UNIT: Columns = {"route": TEXT, "epoch": TEXT, "ends_at": REAL, "rank": BIG, "unit": TEXT, "bad": INTEGER, "at": REAL}
OLD_UNIT: Columns = {**UNIT, "closes_at": REAL}


def upgrade() -> None:
    """Rebuilds the tables, with everything in them."""
    for name, (columns, keys) in CLUSTERED.items():
        if op.get_bind().dialect.name == "sqlite":
            _replace(name, columns, keys, clustered=True)
    _replace("tally", TALLY, 5, True, "route, 60, minute * 60, epoch, verdict, count FROM old_tally")
    _replace("latency", LATENCY, 4, True, "route, epoch, side, bucket, count FROM old_latency WHERE hour = -1")
    op.create_table(
        "evidence_window",
        *_columns({"route": TEXT, "epoch": TEXT, "ends_at": REAL, "closes_at": REAL, "units": BIG, "counted": BIG}),
        sa.Column("below", BIG, nullable=True),
        sa.PrimaryKeyConstraint("route", "epoch", "ends_at", name=op.f("pk_evidence_window")),
    )
    op.execute(
        "INSERT INTO evidence_window (route, epoch, ends_at, closes_at, units, counted) "
        "SELECT route, epoch, ends_at, MAX(closes_at), SUM(CASE WHEN bad < 2 THEN 1 ELSE 0 END), "
        "SUM(CASE WHEN bad < 2 THEN 1 ELSE 0 END) FROM evidence_unit GROUP BY route, epoch, ends_at"
    )
    op.create_index(op.f("ix_evidence_window_closes_at"), "evidence_window", ["closes_at"])
    op.drop_index(op.f("ix_evidence_unit_closes_at"), table_name="evidence_unit")
    _replace("evidence_unit", UNIT, 5, True, "route, epoch, ends_at, rank, unit, bad, at FROM old_evidence_unit")
    for table in ("opening", "ledger_end"):
        op.create_index(op.f(f"ix_{table}_route"), table, ["route"])
    op.create_index(op.f("ix_cluster_last_seen"), "cluster", ["last_seen"])
    op.add_column("boot", sa.Column("closed_at", REAL, nullable=True))
    # The ones that are closed already may go like those that are closed now.
    op.get_bind().execute(sa.text("UPDATE boot SET closed_at = :now WHERE closed = 1"), {"now": time.time()})
    op.create_table(
        "body",
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_body")),
    )
    op.create_table(
        "example_body",
        sa.Column("example_id", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"], ["example.id"], name=op.f("fk_example_body_example_id_example"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["digest"], ["body.digest"], name=op.f("fk_example_body_digest_body")),
        sa.PrimaryKeyConstraint("example_id", "digest", name=op.f("pk_example_body")),
    )
    op.create_index(op.f("ix_example_body_digest"), "example_body", ["digest"])
    op.add_column("example", sa.Column("client", TEXT, nullable=False, server_default=""))
    op.add_column("example", sa.Column("size", BIG, nullable=False, server_default="0"))
    _describe_examples()
    op.create_index(op.f("ix_example_at"), "example", ["at"])
    op.create_index(op.f("ix_example_client"), "example", ["client"])


def downgrade() -> None:
    """Takes it back. Hours and days of tallies are put into their first minute; examples get their bodies back."""
    _embed_bodies()
    for name in ("ix_example_client", "ix_example_at"):
        op.drop_index(op.f(name), table_name="example")
    for column in ("client", "size"):
        op.drop_column("example", column)
    op.drop_index(op.f("ix_example_body_digest"), table_name="example_body")
    op.drop_table("example_body")
    op.drop_table("body")
    op.drop_column("boot", "closed_at")
    op.drop_index(op.f("ix_cluster_last_seen"), table_name="cluster")
    for table in ("ledger_end", "opening"):
        op.drop_index(op.f(f"ix_{table}_route"), table_name=table)
    _replace(
        "evidence_unit",
        OLD_UNIT,
        5,
        False,
        "u.route, u.epoch, u.ends_at, u.rank, u.unit, u.bad, u.at, w.closes_at FROM old_evidence_unit u JOIN evidence_window w "
        "ON u.route = w.route AND u.epoch = w.epoch AND u.ends_at = w.ends_at",
    )
    op.create_index(op.f("ix_evidence_unit_closes_at"), "evidence_unit", ["closes_at"])
    op.drop_index(op.f("ix_evidence_window_closes_at"), table_name="evidence_window")
    op.drop_table("evidence_window")
    _replace("latency", OLD_LATENCY, 5, False, "route, epoch, -1, side, bucket, count FROM old_latency")
    _replace(
        "tally",
        OLD_TALLY,
        4,
        False,
        "route, start / 60, epoch, verdict, SUM(count) FROM old_tally GROUP BY route, start / 60, epoch, verdict",
    )
    for name, (columns, keys) in reversed(CLUSTERED.items()):
        if op.get_bind().dialect.name == "sqlite":
            _replace(name, columns, keys, clustered=False)


def _describe_examples() -> None:
    """Fills in whose the examples are and how large."""
    bind = op.get_bind()
    for example_id, blob in bind.execute(sa.text("SELECT id, blob FROM example")).all():
        try:
            client = str(_plain(blob)[1][4])
        except (zstandard.ZstdError, ValueError, LookupError, TypeError, msgpack.exceptions.UnpackException):
            client = ""  # damaged: `store check` names it
        values = {"id": example_id, "client": escape_text(bounded(client, 200)), "size": len(blob)}
        bind.execute(sa.text("UPDATE example SET client = :client, size = :size WHERE id = :id"), values)


def _embed_bodies() -> None:
    """Back to the form of 0002, in which an example holds its bodies."""
    bind = op.get_bind()
    for example_id, blob in bind.execute(sa.text("SELECT id, blob FROM example")).all():
        try:
            fields = _plain(blob)
            if fields[0] != 2:
                continue
            texts = "SELECT b.digest, b.blob FROM body b JOIN example_body e ON b.digest = e.digest WHERE e.example_id = :id"
            found = bind.execute(sa.text(texts), {"id": example_id}).all()
            bodies = {
                digest: zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST) for digest, packed in found
            }
            fields[0] = 1
            fields[2][3] = _whole(fields[2][3], bodies)
            for answer in fields[3:5]:
                if len(answer) == 4:
                    answer[2] = _whole(answer[2], bodies)
        except (zstandard.ZstdError, ValueError, LookupError, TypeError, msgpack.exceptions.UnpackException):
            continue
        plain = msgpack.packb(fields, use_bin_type=True, unicode_errors="surrogatepass")
        values = {
            "id": example_id,
            "blob": zstandard.ZstdCompressor().compress(plain),
            "digest": hashlib.blake2b(plain, digest_size=16).hexdigest(),
        }
        bind.execute(sa.text("UPDATE example SET blob = :blob, digest = :digest WHERE id = :id"), values)


def _plain(blob: bytes) -> Any:
    plain = zstandard.ZstdDecompressor().decompress(blob, max_output_size=_MOST)
    return msgpack.unpackb(plain, raw=False, unicode_errors="surrogatepass")


def _whole(body: bytes | str, bodies: Mapping[str, bytes]) -> bytes:
    return bodies[body] if isinstance(body, str) else body


def _columns(columns: Columns) -> Sequence[sa.Column[Any]]:
    return [sa.Column(name, kind, autoincrement=False, nullable=False) for name, kind in columns.items()]


def _replace(name: str, columns: Columns, keys: int, clustered: bool, rows: str | None = None) -> None:
    """Makes a table anew and copies `rows` of the old one (else all) into it. The names are this file's own, nobody else's."""
    op.rename_table(name, f"old_{name}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"ALTER INDEX pk_{name} RENAME TO pk_old_{name}")
    op.create_table(
        name,
        *_columns(columns),
        sa.PrimaryKeyConstraint(*list(columns)[:keys], name=op.f(f"pk_{name}")),
        sqlite_with_rowid=not clustered,
    )
    everything = f"{', '.join(columns)} FROM old_{name}"
    op.execute(f"INSERT INTO {name} ({', '.join(columns)}) SELECT {rows or everything}")
    op.drop_table(f"old_{name}")
