"""Folded ends make exactly the rows that the single ones would have made, and need room for what is different in them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tracemalloc
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from differ.facts import Atom
from differ.rule_use import Suppressed
from shadow.spool import Spool
from store.database import open_store
from store.records import Batch, DifferenceText, Ended
from traffic.outcome import CandidateError, Ending, Lost, Skipped, Verdict

ATOMS = tuple(DifferenceText(Atom("GET /a", "200/200", "body", f"$.f{number}", "value"), None, None) for number in range(3))
OUTCOMES = [
    *((Ending.COMPARED, str(verdict)) for verdict in Verdict),
    (Ending.CANDIDATE_ERROR, str(CandidateError.TIMEOUT)),
    (Ending.LOST, str(Lost.DIFFER_FAILED)),
    (Ending.SKIPPED, str(Skipped.LANE_FULL)),
]
MILLISECONDS = st.sampled_from([None, 0.0, 1.0, 1.001, 7.5, 900.0, 1e12, float("nan"), float("inf")])
ENDS = st.builds(
    lambda outcome, boot, route, epoch, at, unit, window_s, primary, candidate, rules, judged, differences, client, count: Ended(
        boot, route, at, *outcome, epoch=epoch, client=client, unit=unit, window_s=window_s, primary_ms=primary,
        candidate_ms=candidate, tolerated=tuple(part.rule for part in rules), suppressed=rules, judged=judged,
        differences=differences, count=count,
    ),
    st.sampled_from(OUTCOMES),
    st.sampled_from(["b1", "b2"]),
    st.sampled_from(["GET /a", "GET /b"]),
    st.sampled_from(["e1", "e2", ""]),
    st.one_of(st.floats(60.0, 190.0), st.sampled_from([59.9, 60.0, 86_399.0, 86_400.0, float("nan"), -1.0])),
    st.sampled_from([None, "u1", "u2", "u3", "u4"]),
    st.sampled_from([3600.0, 45.0]),
    MILLISECONDS,
    MILLISECONDS,
    st.sampled_from([(), (Suppressed("r", "v1", 2),), (Suppressed("r", "v2", 1), Suppressed("s"))]),
    st.sampled_from([None, (200, "application/json"), (404, "")]),
    st.sampled_from([(), ATOMS[:1], ATOMS]),
    st.sampled_from(["c1", "c2"]),
    st.sampled_from([1, 1, 1, 4]),
)  # fmt: skip


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing is, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "store.db"

    async def make() -> None:
        store = open_store(f"sqlite+aiosqlite:///{path}")
        await store.upgrade()
        await store.close()

    asyncio.run(make())
    return path


async def rows_of(path: Path, ended: Sequence[Ended]) -> dict[str, list[tuple[object, ...]]]:
    """Every row that they make, before and after the windows are closed."""
    store = open_store(f"sqlite+aiosqlite:///{path}")
    try:
        await store.write(Batch(tuple(ended)), 2)
        before = dumped(path)
        await store.close_units(1e12)
        assert await store.check() == []
    finally:
        await store.close()
    return before | {f"{name}, closed": rows for name, rows in dumped(path).items()}


def dumped(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All tables; of windows not by how much at most they may have grown, which depends on batches anyway."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: "*" for name in names if not name.startswith("sqlite_")}
        columns["evidence_window"] = "route, epoch, ends_at, closes_at"
        return {name: sorted(connection.execute(f"SELECT {what} FROM {name}"), key=repr) for name, what in columns.items()}


def folded(ended: Sequence[Ended], most_bytes: int = 10_000_000) -> list[Ended]:
    spool = Spool(most_bytes)
    assert [spool.add(item) for item in ended] == [True] * len(ended)
    assert spool.ends == sum(item.count for item in ended)
    oldest = spool.oldest()
    assert oldest == min(item.at if item.at == item.at else 0.0 for item in ended)
    taken = spool.take(1_000_000)
    assert (spool.ends, spool.bytes, spool.oldest(), spool.take(1)) == (0, 0, None, [])
    return taken


def compared(empty: Path, ended: list[Ended]) -> None:
    with TemporaryDirectory() as folder:
        paths = [Path(shutil.copy(empty, f"{folder}/{name}.db")) for name in ("folded", "single")]
        one, other = (asyncio.run(rows_of(path, some)) for path, some in zip(paths, (folded(ended), ended), strict=True))
        assert one == other


UNIT = Ended("b1", "GET /a", 70.0, Ending.COMPARED, "match", epoch="e1", unit="u1", primary_ms=1.0, candidate_ms=2.0)
BARE = replace(UNIT, unit=None)


@example([replace(UNIT, at=80.0), replace(BARE, at=75.0)])
@example([replace(UNIT, at=70.0), replace(BARE, at=75.0), replace(UNIT, at=80.0, unit="u2")])
@example([replace(UNIT, at=80.0), replace(UNIT, at=70.0), replace(UNIT, at=75.0, unit="u2")])
@example([replace(BARE, at=80.0), replace(UNIT, at=75.0), replace(BARE, at=70.0, primary_ms=None)])
@settings(max_examples=6, deadline=None)
@given(st.lists(ENDS, min_size=1, max_size=60))
def test_folded_ends_make_the_rows_of_single_ones(empty: Path, ended: list[Ended]) -> None:
    """[F-13] [F-16] All tables are compared row by row, in a real store."""
    compared(empty, ended)


@pytest.mark.soak
@settings(max_examples=800, deadline=None)
@given(st.lists(ENDS, min_size=1, max_size=120))
def test_folded_ends_make_the_rows_of_single_ones_for_long(empty: Path, ended: list[Ended]) -> None:
    """[F-13] [F-16] The same, many times."""
    compared(empty, ended)


@settings(max_examples=60, deadline=None)
@given(st.lists(ENDS, max_size=80), st.integers(1, 5), st.integers(0, 9_000))
def test_nothing_is_lost_or_made_up_however_it_is_taken_out(ended: list[Ended], most: int, most_bytes: int) -> None:
    """What was refused is told; the rest comes out once, in parts, with the counts of each side's latencies."""
    spool, refused, taken = Spool(most_bytes), 0, 0
    for number, item in enumerate(ended):
        if not spool.add(item):
            refused += item.count
        assert spool.bytes <= most_bytes
        if number % 7 == 6:
            part = spool.take(most)
            taken += sum(one.count for one in part)
            assert len(part) == most or (len(part) < most and not spool.ends)
    while part := spool.take(most):
        taken += sum(one.count for one in part)
    assert taken + refused == sum(item.count for item in ended)
    assert (spool.ends, spool.bytes) == (0, 0)


def test_repeated_ends_need_no_more_room_however_many_they_are() -> None:
    spool = Spool(100_000)
    for number in range(50_000):
        assert spool.add(replace(UNIT, at=60.0 + number % 50, unit=f"u{number % 20}", primary_ms=float(number % 7)))
    assert spool.ends == 50_000
    assert len(spool.take(1)) < 100


def test_a_large_group_is_taken_out_in_parts() -> None:
    spool = Spool(1_000_000)
    for number in range(35):
        spool.add(replace(UNIT, unit=f"u{number}"))
    assert [len(spool.take(10)) for _ in range(2)] == [10, 10]
    spool.add(replace(UNIT, unit="later"))
    assert [len(spool.take(10)) for _ in range(3)] == [10, 6, 0]


def test_bytes_are_not_fewer_than_what_is_really_needed() -> None:
    """The worst case: no unit twice, latencies all over, many small groups."""
    ends = [
        replace(
            UNIT, route=f"GET /{number % 200}", unit=f"{number:0120x}", at=60.0 + number / 100, primary_ms=number % 97 + 0.5
        )
        for number in range(6_000)
    ]
    spool = Spool(1 << 30)
    tracemalloc.start()
    try:
        for item in ends:
            # A text of its own, as it comes from an exchange; the one in `ends` would cost nothing.
            spool.add(replace(item, unit=item.unit and "".join(item.unit)))
        needed = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert spool.bytes / 3 < needed <= spool.bytes
