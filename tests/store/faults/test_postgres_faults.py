"""PostgreSQL goes away, stands still, refuses or is in the way: results wait, nothing is missing afterwards, and no wait is endless."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import text
from store_feed import Feed, fed
from store_server import Server

import store.engine
from store.database import Store, StoreError, open_store
from store.records import Batch
from store.tasks import spawn

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"


def played(frail: Server, scenario: Callable[[Feed], Awaitable[None]]) -> None:
    url = frail.url()

    async def run() -> None:
        async with fed(url) as feed:
            feed.put(30)
            await feed.settled()
            await scenario(feed)
            await feed.nothing_is_missing()

    asyncio.run(run())


async def reads_fail(feed: Feed, words: str) -> None:
    """Reading ends with the same sentence, and not never."""
    async with asyncio.timeout(30):
        with pytest.raises(StoreError, match=words) as caught:
            await feed.store.route_rows()
        assert not caught.value.about_data


@pytest.mark.soak
def test_connections_are_cut_in_the_middle_of_transactions(frail: Server) -> None:
    """[F-16] Every few milliseconds, for a while."""

    async def scenario(feed: Feed) -> None:
        cutter = await asyncpg.connect(user="postgres", host=str(frail.socket_dir), database="postgres")
        feeding = spawn(feed.steadily(10.0), "feeding")
        while not feeding.done():
            await cutter.execute(CUT)
            await asyncio.sleep(0.003)
        await cutter.close()
        assert all("the server does not answer" in said or "the server cannot be reached" in said for said in feed.said), (
            feed.said
        )

    played(frail, scenario)


@pytest.mark.parametrize(
    ("ends", "times"),
    [
        ("immediate", 1),
        pytest.param("immediate", 10, marks=pytest.mark.soak),
        ("kill", 1),
        pytest.param("kill", 10, marks=pytest.mark.soak),
    ],
)
def test_the_server_dies_and_comes_back(frail: Server, ends: str, times: int) -> None:
    """[F-16] `pg_ctl -m immediate stop`, and kill -9 of the postmaster: all that was judged meanwhile is stored within seconds."""

    async def scenario(feed: Feed) -> None:
        for _ in range(times):
            feeding = spawn(feed.steadily(0.4), "feeding")
            await asyncio.sleep(0.1)
            await asyncio.to_thread(frail.kill if ends == "kill" else lambda: frail.stop("immediate"))
            feed.put(20)
            await reads_fail(feed, "the server (cannot be reached|does not answer)")
            await feeding
            await asyncio.to_thread(frail.start)
            await feed.settled()
        assert all(": the server " in sentence for sentence in feed.said)

    played(frail, scenario)


def test_the_server_stands_still(frail: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-16] SIGSTOP of all its processes: every wait has an end."""
    monkeypatch.setattr(store.engine, "CONNECT_S", 0.5)
    monkeypatch.setattr(store.engine, "COMMAND_S", 0.5)

    async def scenario(feed: Feed) -> None:
        with frail.frozen():
            feed.put(20)
            assert "see whether it is stopped" in await feed.saying("the server does not answer in time")
            await reads_fail(feed, "the server (does not answer|is slow)")

    played(frail, scenario)


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_the_server_stands_still_for_long(frail: Server) -> None:
    """[F-16] The same with the time limits that are shipped."""

    async def scenario(feed: Feed) -> None:
        with frail.frozen():
            feed.put(20)
            begun = time.monotonic()
            async with asyncio.timeout(120):
                with pytest.raises(StoreError):
                    await feed.store.route_rows()
            assert time.monotonic() - begun < 60
            await feed.saying("the server does not answer in time")

    played(frail, scenario)


def test_the_server_takes_no_more_connections(frail: Server) -> None:
    """[F-16] `max_connections` is spent by others."""

    async def scenario(feed: Feed) -> None:
        await feed.store.close()  # the connections it had
        others = []
        try:
            while True:
                others.append(await asyncpg.connect(user="postgres", host=str(frail.socket_dir), database="postgres"))
        except asyncpg.TooManyConnectionsError:
            pass
        feed.put(20)
        await feed.saying("the server takes no more connections; raise max_connections")
        await reads_fail(feed, "max_connections")
        for other in others:
            await other.close()

    played(frail, scenario)


def test_the_server_becomes_a_standby(frail: Server) -> None:
    """[F-16] Transactions are read-only: reading goes on, writing waits."""

    async def scenario(feed: Feed) -> None:
        change = "ALTER SYSTEM SET default_transaction_read_only = "
        await asyncio.to_thread(frail.ask, change + "on", "SELECT pg_reload_conf()")
        try:
            await asyncio.sleep(0.1)
            feed.put(20)
            await feed.saying("the server is read-only (a standby?); point store.url at the primary server")
            assert len(await feed.store.route_rows()) == 1
        finally:
            off = "SET default_transaction_read_only = off"
            await asyncio.to_thread(frail.ask, off, change + "off", "SELECT pg_reload_conf()")

    played(frail, scenario)


def test_the_server_breaks_statements_off(frail: Server) -> None:
    """[F-16] An administrator's statement_timeout strikes while somebody holds the table."""

    async def scenario(feed: Feed) -> None:
        await asyncio.to_thread(frail.ask, "ALTER SYSTEM SET statement_timeout = '100ms'", "SELECT pg_reload_conf()")
        try:
            async with feed.store.writing() as connection:
                await connection.execute(text("LOCK TABLE ledger_end"))
                feed.put(20)
                await feed.saying("the server broke the statement off")
                await reads_fail(feed, "the server broke the statement off")
        finally:
            await asyncio.to_thread(frail.ask, "ALTER SYSTEM RESET statement_timeout", "SELECT pg_reload_conf()")

    played(frail, scenario)


def test_somebody_else_holds_the_rows(frail: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F-16] [F-13] Waiting for a lock has an end, says what to look at, and is tried again."""
    monkeypatch.setattr(store.engine, "_LIMITS", "SELECT set_config('lock_timeout', '100ms', true)")

    async def scenario(feed: Feed) -> None:
        async with feed.store.writing() as connection:
            await connection.execute(text("LOCK TABLE ledger_end"))
            feed.put(20)
            await feed.saying("another transaction has kept its rows locked for too long; see pg_stat_activity")

    played(frail, scenario)


def test_a_writer_that_froze_within_a_transaction_does_not_hold_up_the_others(
    frail: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[F-16] A machine that fell off the net: the server ends its transaction, and what it then says is no trouble of the data."""
    monkeypatch.setattr(store.engine, "_LIMITS", store.engine._LIMITS.replace("20000", "300"))

    async def scenario(feed: Feed) -> None:
        async def frozen() -> None:
            async with feed.store.writing() as connection:
                await connection.execute(text("UPDATE boot SET node = 'n'"))
                feed.put(20)
                await feed.settled()  # while this transaction stands still
                await connection.execute(text("SELECT 1"))

        with pytest.raises(StoreError, match="the server") as caught:
            await frozen()
        assert not caught.value.about_data

    played(frail, scenario)


def test_a_deadlock_is_nobodys_fault(frail: Server) -> None:
    """Two transactions that wait for each other: one is told to try again, and it is not about its data."""
    url = frail.url()

    async def run() -> None:
        one = open_store(url)
        await one.upgrade()

        async def crossing(store_: Store, first: str, second: str, both: asyncio.Barrier) -> StoreError | None:
            try:
                async with store_.writing() as connection:
                    await connection.execute(text(f"LOCK TABLE {first}"))
                    await both.wait()
                    await connection.execute(text(f"LOCK TABLE {second}"))
            except StoreError as error:
                return error
            return None

        both = asyncio.Barrier(2)
        said = await asyncio.gather(crossing(one, "boot", "audit", both), crossing(one, "audit", "boot", both))
        (error,) = [item for item in said if item is not None]
        assert "another writer was in the way; try again" in str(error)
        assert not error.about_data
        await one.write(Batch(), 1)
        await one.close()

    asyncio.run(run())
