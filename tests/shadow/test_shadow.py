"""Many exchanges through the whole worker: order, bounds, what is found over many of them, alarms."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from shadow_backends import Backend, Seen, always, backend, by, document
from shadow_play import play
from shadow_stage import KEY, Proxy, configured, ok, running, until
from shadow_store import ListStore

from rules.model import RuleSet
from settings.model import Settings
from shadow.errors import ShadowError
from shadow.serve import Shadow
from store.database import open_store
from traffic.message import Side
from traffic.route import Route, RouteTable


def test_login_s_followers_wait_for_it_and_carry_the_candidate_s_token(tmp_path: Path) -> None:
    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.target == b"/login":
            await asyncio.sleep(0.2)  # password hashing
            writer.write(document({"token": "candidate-token"}))
        else:
            good = seen.header(b"authorization") == b"Token candidate-token"
            writer.write(document({"me": "ann"} if good else {"error": "who?"}, 200 if good else 403))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        login = ok({"token": "primary-token"})
        proxy.send(proxy.exchange(login, b"/login", "POST /login", "a-address", method="POST"))
        me = ((b"Authorization", b"Token primary-token"),)
        for client in ("u-1", "u-1", "u-1"):
            proxy.send(proxy.exchange(ok({"me": "ann"}), b"/a", client=client, headers=me))
        await until(lambda: len(store.ended) == 4)

    routes = RouteTable([Route("POST", "/login", mirror="writes"), Route("GET", "/a")])
    store = play(tmp_path, always(document({})), candidate, script, routes)
    assert [ended.reason for ended in store.ended[1:]] == ["match"] * 3


def test_one_client_is_in_order_while_another_proceeds(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.target == b"/a?n=0":
            await release.wait()
        writer.write(document({}))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(4):
            proxy.send(proxy.exchange(ok({}), b"/a?n=%d" % number, client="slow"))
        for number in range(4):
            proxy.send(proxy.exchange(ok({}), b"/a?m=%d" % number, client="quick"))
        await until(lambda: len(store.ended) == 4)
        assert {ended.client for ended in store.ended} == {"quick"}
        release.set()
        await until(lambda: len(store.ended) == 8)
        slow = [seen.target for seen in second.seen if b"n=" in seen.target]
        assert slow == [b"/a?n=%d" % number for number in range(4)]

    play(tmp_path, always(document({})), candidate, script)


def test_full_lane_skips_and_counts(tmp_path: Path) -> None:
    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3 if seen.target == b"/a?first" else 0)
        writer.write(document({}))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({}), b"/a?first"))
        for _ in range(300):
            proxy.send(proxy.exchange(ok({})))
        await until(lambda: sum(store.reasons().values()) == 301)

    reasons = play(tmp_path, always(document({})), candidate, script).reasons()
    assert reasons["skipped:lane_full"] > 0
    assert reasons["compared:match"] + reasons["skipped:lane_full"] == 301


def test_write_pending_makes_a_lone_candidate_change_a_race(tmp_path: Path) -> None:
    """The read's copy overtakes the mirrored write that its live answer had already seen."""
    written = asyncio.Event()

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.method == "POST":
            await asyncio.sleep(0.3)
            written.set()
            writer.write(document({"done": True}))
            return
        if len(reads) == 1:
            await written.wait()
        reads.append(seen)
        writer.write(document({"stock": 5 if len(reads) == 1 else 4}))

    reads: list[Seen] = []

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({"done": True}), method="POST", route="POST /a", client="writer"))
        proxy.send(proxy.exchange(ok({"stock": 4}), client="reader"))
        await until(lambda: len(store.ended) == 2)

    routes = RouteTable([Route("POST", "/a", mirror="writes"), Route("GET", "/a")])
    store = play(tmp_path, always(document({"stock": 4})), candidate, script, routes)
    assert {ended.route: ended.reason for ended in store.ended} == {"POST /a": "match", "GET /a": "raced"}


def test_hidden_relation_is_found_once_with_its_count(tmp_path: Path) -> None:
    numbers = itertools.count(50_000, 7)

    def item(seen: Seen) -> int:
        return int(seen.target.rpartition(b"/")[2])

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(120):
            live = ok({"id": number, "randomNumber": next(numbers)})
            proxy.send(proxy.exchange(live, b"/items/%d" % number, "GET /items/{id}", client=f"c{number % 8}"))
        await until(lambda: len(store.ended) == 120)
        await until(lambda: any(batch.findings for batch in store.batches))

    store = play(
        tmp_path,
        by(lambda seen: document({"id": item(seen), "randomNumber": next(numbers)})),
        by(lambda seen: document({"id": item(seen), "randomNumber": item(seen)})),
        script,
    )
    findings = [finding for batch in store.batches for finding in batch.findings if finding.atom.aspect == "relation"]
    assert {(finding.atom.path, finding.atom.kind) for finding in findings} == {("$.randomNumber", "equals $.id")}
    assert 50 <= sum(finding.count for finding in findings) <= 120
    assert "in all" in findings[0].detail


def test_slower_candidate_is_a_latency_finding(tmp_path: Path) -> None:
    async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.03)
        writer.write(document({}))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(120):
            proxy.send(proxy.exchange(ok({}), client=f"c{number % 20}", live_ms=1.0 + number % 3))
        await until(lambda: len(store.ended) == 120)
        await until(lambda: any(batch.findings for batch in store.batches))

    sections = {"gate": {"latency": {"calibrate": 20}}}
    store = play(tmp_path, always(document({})), slow, script, **sections)
    found = [finding for batch in store.batches for finding in batch.findings if finding.atom.aspect == "latency"]
    assert "p50" in {finding.atom.path for finding in found}
    assert found[0].atom.kind == "slower"
    assert "ms" in found[0].detail
    counts = [line for batch in store.batches for line in batch.latency if line.tau == "p50"]
    assert sum(line.candidate_slow_only for line in counts) > 20


def test_alarm_goes_back_to_the_proxy_and_is_recorded_when_a_served_route_turns_bad(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with backend(always(document({"a": "other"}))) as first, backend(always(document({"a": 1}))) as second:
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            async with running(settings, store):
                proxy = Proxy.made(settings)
                await proxy.connect()
                for number in range(60):
                    live = ok({"a": number % 2}, (b"X-Build", b"b1"))
                    proxy.send(proxy.exchange(live, b"/a?%d" % number, client=f"c{number}", live_side=Side.CANDIDATE))
                alarm = await proxy.alarm()
                assert alarm.route == "GET /a"
                assert "mismatches" in alarm.reason
                async with asyncio.timeout(10):
                    while not (recorded := await store.audit(10)):
                        await asyncio.sleep(0.02)
                assert [(row.action, row.route, row.actor) for row in recorded] == [("alarm", "GET /a", "shadow")]
                await proxy.die()
            await store.close()

    asyncio.run(scenario())


def test_second_shadow_on_the_channel_is_refused(tmp_path: Path) -> None:
    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        with pytest.raises(ShadowError, match="another shadow worker"):
            async with running(settings, store):
                pass

    play(tmp_path, always(document({})), always(document({})), script)


def test_openings_of_a_connected_proxy_are_written(tmp_path: Path) -> None:
    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({})))
        await until(lambda: any(opening.routes for batch in store.batches for opening in batch.openings))

    store = play(tmp_path, always(document({})), always(document({})), script)
    openings = [opening for batch in store.batches for opening in batch.openings if not opening.closed]
    assert openings[-1].boot == "boot1"
    assert openings[-1].routes["GET /a"][0] == 1


def test_back_pressure_holds_the_proxy_back_and_loses_nothing(tmp_path: Path) -> None:
    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.002)
        writer.write(document({}))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        big = ok({"text": "x" * 100_000})
        for number in range(150):
            proxy.send(proxy.exchange(big, client=f"c{number}"))
        await until(lambda: sum(store.reasons().values()) == 150)

    reasons = play(tmp_path, always(document({})), candidate, script, mirror={"max_in_flight": 1}).reasons()
    assert sum(reasons.values()) == 150
    assert all(reason.startswith("compared:") for reason in reasons)


class BrokenRules(RuleSet):
    """What no loader makes: the differ cannot work with it."""

    remembered = None  # type: ignore[assignment]


def test_differ_that_raises_is_counted_and_harms_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        store = ListStore()
        async with backend(always(document({"a": 1}))) as first, backend(always(document({"a": 2}))) as second:
            settings = configured(tmp_path, first.url, second.url)
            shadow = Shadow(settings, KEY, BrokenRules(), store, RouteTable([]))
            await shadow.start()
            proxy = Proxy.made(settings)
            await proxy.connect()
            for _ in range(3):
                proxy.send(proxy.exchange(ok({"a": 1})))
            await until(lambda: len(store.ended) == 3)
            await proxy.die()
            await shadow.stop()
        return store.reasons()

    assert asyncio.run(scenario()) == {"lost:differ_failed": 3}
