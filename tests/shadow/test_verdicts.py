"""One exchange through the whole worker: real channel, real backends, real differ; the end that the store is given."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from pathlib import Path

import pytest
from shadow_backends import Act, Backend, Seen, always, answer, by, document
from shadow_play import one, play
from shadow_stage import Proxy, ok, until
from shadow_store import ListStore

from settings.model import Settings
from shadow.copy_request import marker_value
from traffic.message import Response, Side
from traffic.route import Route, RouteTable


def test_equal_answers_match_and_are_evidence(tmp_path: Path) -> None:
    ended = one(tmp_path, ok({"a": 1}), always(document({"a": 1}, headers=[("X-Build", "b1")])))
    assert (ended.ending, ended.reason, ended.route, ended.boot) == ("compared", "match", "GET /a", "boot1")
    assert ended.unit
    assert ended.epoch
    assert ended.window_s == 2.0
    assert ended.example is None
    assert ended.primary_ms == 1.0
    assert ended.candidate_ms is not None
    assert ended.candidate_ms > 0


def test_copy_is_marked_and_signed(tmp_path: Path) -> None:
    """[T6] So that a proxy of ours knows it again."""
    seen: list[Seen] = []

    def candidate(request: Seen) -> bytes:
        seen.append(request)
        return document({})

    one(tmp_path, ok({}), by(candidate))
    assert seen[0].header(b"x-paritygate-shadow") == marker_value(b"k" * 32)
    assert seen[0].header(b"host") == b"shop.example"


def test_difference_that_stays_is_a_mismatch_with_a_redacted_example(tmp_path: Path) -> None:
    ended = one(
        tmp_path,
        ok({"a": 1, "token": "hunter2"}),
        always(document({"a": 2, "token": "hunter3"})),
        always(document({"a": 1, "token": "hunter2"})),
        headers=((b"Authorization", b"Token hunter1"),),
    )
    assert (ended.ending, ended.reason) == ("compared", "mismatch")
    assert {difference.atom.path for difference in ended.differences} == {"$.a", "$.token"}
    assert ended.example is not None
    assert ended.example.id == "boot1-1"
    assert "hunter" not in repr(ended)


def test_place_where_the_primary_disagrees_with_itself_is_noise(tmp_path: Path) -> None:
    numbers = itertools.count(100)
    ended = one(
        tmp_path,
        ok({"a": 1, "r": 1}),
        by(lambda seen: document({"a": 1, "r": next(numbers)})),
        by(lambda seen: document({"a": 1, "r": next(numbers)})),
    )
    assert (ended.reason, ended.differences, ended.unit) == ("noise", (), None)


def test_value_that_moved_between_the_two_is_raced(tmp_path: Path) -> None:
    """The stock fell on both sides after the live answer: asked again, they agree."""
    ended = one(tmp_path, ok({"stock": 5}), always(document({"stock": 4})), always(document({"stock": 4})))
    assert ended.reason == "raced"


def test_candidate_that_only_changes_by_itself_is_a_mismatch(tmp_path: Path) -> None:
    values = iter([4, 5, 5])
    ended = one(tmp_path, ok({"stock": 5}), by(lambda seen: document({"stock": next(values)})), always(document({"stock": 5})))
    assert ended.reason == "mismatch"


def test_unreachable_primary_leaves_a_mismatch_unconfirmed(tmp_path: Path) -> None:
    async def gone(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.close()

    ended = one(tmp_path, ok({"a": 1}), always(document({"a": 2})), gone)
    assert ended.reason == "mismatch"
    assert ended.example is not None
    assert ended.example.reason == "unconfirmed"


def test_spent_budget_keeps_proven_noise_and_leaves_the_rest_unconfirmed(tmp_path: Path) -> None:
    numbers = itertools.count(100)

    def primary(seen: Seen) -> bytes:
        return document({"a": 1, "r": next(numbers)})

    def candidate(seen: Seen) -> bytes:
        return document({"a": 2 if b"bug" in seen.target else 1, "r": next(numbers)})

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(100):
            proxy.send(proxy.exchange(ok({"a": 1, "r": -number})))
        proxy.send(proxy.exchange(ok({"a": 1, "r": -1}), target=b"/a?bug"))
        await until(lambda: len(store.ended) == 101)
        assert 20 <= len(first.seen) < 60, "the budget was never spent"

    store = play(tmp_path, by(primary), by(candidate), script)
    assert [ended.reason for ended in store.ended] == ["noise"] * 100 + ["mismatch"]
    last = store.ended[-1]
    assert [difference.atom.path for difference in last.differences] == ["$.a"]
    assert last.example is not None
    assert last.example.reason == "unconfirmed"


def test_race_does_not_excuse_a_later_difference_at_its_place(tmp_path: Path) -> None:
    """The primary moved once; afterwards the budget is spent and the candidate is wrong at the same place."""

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({"stock": 5})))
        for _ in range(100):
            proxy.send(proxy.exchange(ok({"stock": 4}), target=b"/a?bug"))
        await until(lambda: len(store.ended) == 101)

    store = play(
        tmp_path,
        by(lambda seen: document({"stock": 4})),
        by(lambda seen: document({"stock": 3 if b"bug" in seen.target else 4})),
        script,
    )
    assert [ended.reason for ended in store.ended] == ["raced"] + ["mismatch"] * 100


def test_primary_that_throttles_the_second_request_neither_excuses_nor_proves_anything(tmp_path: Path) -> None:
    """Later candidate errors are no known noise either, when the budget for asking again is spent."""

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for _ in range(5):
            proxy.send(proxy.exchange(ok({"price": 10})))
        await until(lambda: len(store.ended) == 5)
        for _ in range(100):
            proxy.send(proxy.exchange(ok({"price": 10}), target=b"/a?broken"))
        await until(lambda: len(store.ended) == 105)

    store = play(
        tmp_path,
        by(lambda seen: document({"price": 10}) if b"broken" in seen.target else document({"detail": "throttled"}, 429)),
        by(lambda seen: document({}, 500) if b"broken" in seen.target else document({"price": 99})),
        script,
    )
    assert [ended.reason for ended in store.ended] == ["mismatch"] * 105


def test_noise_memory_excuses_no_candidate_that_does_not_answer_again(tmp_path: Path) -> None:
    numbers = itertools.count(100)
    asked = itertools.count()

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if b"gone" not in seen.target or next(asked) == 0:
            writer.write(document({"r": next(numbers)}))
        else:
            writer.write(b"garbage\r\n\r\n")
        await writer.drain()

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({"r": 1})))
        await until(lambda: len(store.ended) == 1)
        proxy.send(proxy.exchange(ok({"r": 2}), target=b"/a?gone"))
        await until(lambda: len(store.ended) == 2)

    store = play(tmp_path, by(lambda seen: document({"r": next(numbers)})), candidate, script)
    assert [ended.reason for ended in store.ended] == ["noise", "mismatch"]


def test_writes_are_never_asked_again(tmp_path: Path) -> None:
    """[T7] One copy each, whatever comes of it."""

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({"id": 1}, status=201), method="POST", route="POST /a", body=b"{}"))
        await until(lambda: len(store.ended) == 1)
        assert (len(first.seen), len(second.seen)) == (0, 1)

    routes = RouteTable([Route("POST", "/a", mirror="writes")])
    store = play(tmp_path, always(document({})), always(document({"id": 2}, 201)), script, routes)
    assert store.ended[0].reason == "mismatch"


def test_write_on_a_route_that_does_not_mirror_writes_is_not_sent(tmp_path: Path) -> None:
    """[T7] Not by default."""

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({}), method="POST", route="POST /a"))
        await until(lambda: len(store.ended) == 1)
        assert second.seen == []

    store = play(tmp_path, always(document({})), always(document({})), script)
    assert store.reasons() == {"skipped:unsafe_method": 1}


def test_candidate_path_is_rewritten(tmp_path: Path) -> None:
    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        proxy.send(proxy.exchange(ok({}), target=b"/items/a%20b/?x=1", route="GET /items/{id}/"))
        await until(lambda: len(store.ended) == 1)
        assert second.seen[0].target == b"/v2/items/a%20b?x=1"

    routes = RouteTable([Route("GET", "/items/{id}/", "/v2/items/{id}")])
    play(tmp_path, always(document({})), always(document({})), script, routes)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (always(b"garbage\r\n\r\n"), "protocol"),
        (always(answer(200, b"x" * 5000)), "oversize"),
    ],
)
def test_candidate_without_a_complete_answer_is_candidate_error_and_evidence(tmp_path: Path, act: Act, reason: str) -> None:
    ended = one(tmp_path, ok({}), act, sections={"mirror": {"max_body": 4000}})
    assert (ended.ending, ended.reason) == ("candidate_error", reason)
    assert ended.unit
    assert ended.differences
    assert ended.candidate_ms is None


def test_slow_candidate_is_a_timeout(tmp_path: Path) -> None:
    """[F-3] Counted against the candidate."""

    async def hang(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    ended = one(tmp_path, ok({}), hang, sections={"mirror": {"timeout": "200ms"}})
    assert (ended.ending, ended.reason) == ("candidate_error", "timeout")


def test_errors_before_the_candidate_named_its_build_belong_to_the_route_s_current_epoch(tmp_path: Path) -> None:
    """The shadow was restarted and the build that is being proven has crashed: its errors are evidence against it."""
    down = True

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"garbage\r\n\r\n" if down else document({}, headers=[("X-Build", "b1")]))
        await writer.drain()

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        nonlocal down
        store.epoch = "current"
        for count in (1, 2, 3):
            down = count != 2
            proxy.send(proxy.exchange(ok({})))
            await until(lambda count=count: len(store.ended) == count)  # type: ignore[misc]

    ended = play(tmp_path, always(document({})), candidate, script).ended
    assert [item.ending for item in ended] == ["candidate_error", "compared", "candidate_error"]
    assert ended[0].epoch == "current"
    assert ended[1].epoch == ended[2].epoch != "current"


def test_complete_5xx_is_compared(tmp_path: Path) -> None:
    """[F-6] It is an answer."""
    ended = one(tmp_path, ok({}), always(document({}, 500)), always(document({})))
    assert (ended.ending, ended.reason) == ("compared", "mismatch")


def test_gzip_bomb_is_bounded(tmp_path: Path) -> None:
    """[F-8] [T8] Nothing is said about what was not unfolded."""
    bomb = gzip.compress(b"0" * 60_000_000)
    assert len(bomb) < 1024 * 1024
    ended = one(tmp_path, ok({}), always(answer(200, bomb, [("Content-Encoding", "gzip")])))
    assert ended.ending == "compared"
    assert ended.reason in ("inconclusive", "mismatch")
    assert ended.example is None or isinstance(ended.example.candidate, Response)


def test_after_cutover_roles_stay_and_the_copy_goes_to_the_primary(tmp_path: Path) -> None:
    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        live = ok({"a": 2}, (b"X-Build", b"b1"))
        proxy.send(proxy.exchange(live, live_side=Side.CANDIDATE, live_ms=7.0))
        await until(lambda: len(store.ended) == 1)
        assert len(first.seen) >= 1

    store = play(tmp_path, always(document({"a": 1})), always(document({"a": 2})), script)
    (ended,) = store.ended
    assert ended.reason == "mismatch"
    (difference,) = ended.differences
    assert (difference.primary, difference.candidate) == ("1", "2")
    assert ended.candidate_ms == 7.0
    assert ended.primary_ms is not None


def test_failing_primary_shadow_leg_is_inconclusive(tmp_path: Path) -> None:
    ended = one(tmp_path, ok({}), always(document({})), always(b"garbage\r\n\r\n"), live_side=Side.CANDIDATE)
    assert (ended.ending, ended.reason, ended.unit) == ("compared", "inconclusive", None)


def test_examples_carry_decoded_bodies(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps({"a": 2}).encode())
    ended = one(tmp_path, ok({"a": 1}), always(answer(200, body, [("Content-Encoding", "gzip")])), always(document({"a": 1})))
    assert ended.example is not None
    assert isinstance(ended.example.candidate, Response)
    assert json.loads(ended.example.candidate.body) == {"a": 2}
