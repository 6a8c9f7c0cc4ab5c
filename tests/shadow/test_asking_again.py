"""Asking again through the whole worker: what the second round is for, and that it is no load on anybody."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

from shadow_backends import Backend, Seen, always, backend, by, document
from shadow_play import one, play
from shadow_stage import KEY, Proxy, configured, ok, until
from shadow_store import ListStore

from rules.load import EMPTY
from settings.model import Settings
from shadow.budget import PER_ROUTE
from shadow.serve import Shadow
from traffic.route import Route, RouteTable


def values(*given: object) -> object:
    """A backend that answers with one value after the other, then always with the last."""
    following = itertools.chain(given, itertools.repeat(given[-1]))
    return by(lambda seen: document({"a": next(following)}))


def test_coin_that_both_sides_toss_is_noise_though_it_fell_on_the_same_side_twice(tmp_path: Path) -> None:
    """The first round shows nothing: the primary says 1 again. The second one does."""
    ended = one(tmp_path, ok({"a": 1}), values(2, 2, 1), values(1, 2))  # type: ignore[arg-type]
    assert ended.reason == "noise"


def test_mirrored_write_that_is_still_on_its_way_during_the_first_round_is_a_race(tmp_path: Path) -> None:
    """The candidate's copy of the write takes longer than asking once."""
    written = asyncio.Event()

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.method == "POST":
            await asyncio.sleep(0.3)
            written.set()
            writer.write(document({"done": True}))
        else:
            writer.write(document({"stock": 4 if written.is_set() else 5}))

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({"done": True}), method="POST", route="POST /a", client="writer"))
        proxy.send(proxy.exchange(ok({"stock": 4}), client="reader"))
        await until(lambda: len(store.ended) == 2)
        assert len(first.seen) == 2, "not asked twice"

    routes = RouteTable([Route("POST", "/a", mirror="writes"), Route("GET", "/a")])
    store = play(tmp_path, always(document({"stock": 4})), candidate, script, routes)
    assert {ended.route: ended.reason for ended in store.ended} == {"POST /a": "match", "GET /a": "raced"}


def test_mismatch_is_confirmed_by_two_rounds_and_for_a_while_by_one(tmp_path: Path) -> None:
    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(1, 4):
            proxy.send(proxy.exchange(ok({"a": 1})))
            await until(lambda number=number: len(store.ended) == number)  # type: ignore[misc]
        assert (len(first.seen), len(second.seen)) == (2 + 1 + 1, 3 + 2 + 2)
        proxy.send(proxy.exchange(ok({"a": 1}), b"/a?other"))
        await until(lambda: len(store.ended) == 4)
        assert len(first.seen) == 4 + 2, "another place was not asked about twice"

    store = play(
        tmp_path,
        always(document({"a": 1})),
        by(lambda seen: document({"a": 2} if b"other" not in seen.target else {"a": 2, "b": 1})),
        script,
    )
    assert [ended.reason for ended in store.ended] == ["mismatch"] * 4
    assert store.ended[0].example is not None
    assert store.ended[0].example.reason == "confirmed"


def test_throttled_round_is_followed_by_one_that_settles(tmp_path: Path) -> None:
    answers = iter([document({"detail": "slow down"}, 429), document({"a": 3})])
    ended = one(tmp_path, ok({"a": 1}), values(2, 2, 4), by(lambda seen: next(answers)))  # type: ignore[arg-type]
    assert ended.reason == "noise"


def test_route_that_is_always_wrong_doubles_nobody_s_load(tmp_path: Path) -> None:
    """Under load, each answer a mismatch: the primary gets no more than the budget beside its live traffic."""
    count = 400
    begun = time.monotonic()

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(count):
            proxy.send(proxy.exchange(ok({"a": 1}), b"/a?n=%d" % number, client=f"c{number % 40}"))
        await until(lambda: len(store.ended) == count, 30)
        most = PER_ROUTE.burst + PER_ROUTE.rate * (time.monotonic() - begun)
        assert PER_ROUTE.burst <= len(first.seen) <= min(most, PER_ROUTE.burst + PER_ROUTE.share * count)
        assert len(second.seen) == count + len(first.seen)

    store = play(tmp_path, always(document({"a": 1})), always(document({"a": 2})), script)
    assert [ended.reason for ended in store.ended] == ["mismatch"] * count


def test_copies_and_questions_share_the_rate(tmp_path: Path) -> None:
    """`mirror.rate` is what a backend gets at most, whatever for; what is above it is skipped and counted."""

    async def scenario() -> None:
        store = ListStore()
        async with backend(always(document({"a": 1}))) as first, backend(always(document({"a": 2}))) as second:
            settings = configured(tmp_path, first.url, second.url, mirror={"rate": 20})
            shadow = Shadow(settings, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))  # type: ignore[arg-type]
            await shadow.start()
            proxy = Proxy.made(settings)
            await proxy.connect()
            begun = time.monotonic()
            for number in range(200):
                proxy.send(proxy.exchange(ok({"a": 1}), client=f"c{number}"))
                await asyncio.sleep(0.005)
            await until(lambda: len(store.ended) == 200)
            most = 20 + 20 * (time.monotonic() - begun) + 1
            await shadow.stop()
            await proxy.die()
            assert len(first.seen) <= len(second.seen) <= most
            reasons = store.reasons()
            assert set(reasons) == {"compared:mismatch", "skipped:rate_limited"}
            assert len(second.seen) == reasons["compared:mismatch"] + len(first.seen)

    asyncio.run(scenario())


def test_rate_that_is_spent_is_no_reason_to_call_known_noise_a_mismatch(tmp_path: Path) -> None:
    """The candidate was not asked again for our own ceiling's sake: that says nothing about it."""
    numbers = itertools.count(100)

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(6):
            proxy.send(proxy.exchange(ok({"a": -number})))
            await until(lambda number=number: len(store.ended) == number + 1)  # type: ignore[misc]

    moving = by(lambda seen: document({"a": next(numbers)}))
    store = play(tmp_path, moving, moving, script, mirror={"rate": 6})
    counts = store.reasons()
    assert counts["compared:noise"] >= 4
    assert set(counts) <= {"compared:noise", "skipped:rate_limited"}


def test_shadow_that_ends_asks_no_more(tmp_path: Path) -> None:
    """What it holds ends in order and within the time that copies take, not in twice or three times that."""
    asked = 0

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.2)
        writer.write(document({"a": 2}))

    async def scenario() -> dict[str, int]:
        store = ListStore()
        async with backend(always(document({"a": 1}))) as first, backend(candidate) as second:
            settings = configured(tmp_path, first.url, second.url)
            shadow = Shadow(settings, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))  # type: ignore[arg-type]
            await shadow.start()
            proxy = Proxy.made(settings)
            await proxy.connect()
            for number in range(10):
                proxy.send(proxy.exchange(ok({"a": 1}), client=f"c{number}"))
            await until(lambda: asked == 10)
            await shadow.stop()
            await proxy.die()
            assert (asked, len(first.seen)) == (10, 0)
        return store.reasons()

    assert asyncio.run(scenario()) == {"compared:mismatch": 10}
