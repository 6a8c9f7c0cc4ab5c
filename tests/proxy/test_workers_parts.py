"""The parts that a crew is made of, each by itself."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gate import decision as signed
from gate.facts import Decision, State
from proxy.acceptor import Acceptor
from proxy.backoff import LONGEST_S, STEADY_S, Backoff
from proxy.books import Books
from proxy.breaker import MOST_FAILED
from proxy.decision_book import DecisionBook
from proxy.front import bind
from proxy.headcount import STALE_MS, Headcount, make_headcount
from proxy.interpreter import interpreter_advice
from proxy.orders import (
    MOST_FROM_WORKER,
    Begin,
    Confirmed,
    Drain,
    Enforce,
    FrameReader,
    OrderError,
    Raised,
    Ready,
    Report,
    SetPaused,
    SetRoutes,
    decode,
    encode,
)
from proxy.route_rows import rows_of, table_of
from proxy.shared_breaker import NotedBreaker
from proxy.standing import Standing
from proxy.worker_environment import worker_environment
from settings.load import load_settings
from settings.model import Settings, as_document
from store.openings import OpeningsFile
from traffic.route import Route, RouteTable

KEY = b"k" * 32
MESSAGES: list[Any] = [
    Begin('{"a": 1}', "/base", "", KEY, "boot", "node"),
    SetRoutes(1, (("GET", "/a/{b}", "", "writes", "config"), ("GET", "/ä", "/c", "", "openapi"))),
    Enforce(2, ("{}", "x" * 5000), (("GET /a", 7),)),
    SetPaused(3, True),
    Drain(4, False),
    Ready("/state/openings-1.bin"),
    Confirmed(2**40),
    Raised("GET /\udc80", 3, "why"),
    Report.of(Standing(1, "boot", clients=5, handoff_connected=True), (("GET /a", 1, True, "c"), ("GET /b", 2, False, "d"))),
]


def test_every_message_comes_out_as_it_went_in_however_it_is_cut() -> None:
    stream = b"".join(encode(message) for message in MESSAGES)
    for size in (1, 3, 7, 100, len(stream)):
        frames = FrameReader(1_000_000)
        found = [message for at in range(0, len(stream), size) for message in frames.feed(stream[at : at + size])]
        assert found == MESSAGES


def test_whatever_is_in_a_frame_it_is_a_message_or_an_error_of_one_kind() -> None:
    dice = random.Random(7)
    frames = [encode(message)[4:] for message in MESSAGES]
    for _ in range(4000):
        frame = bytearray(dice.choice(frames))
        for _ in range(dice.randrange(1, 4)):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        try:
            decode(bytes(frame[: dice.randrange(len(frame) + 1)] if dice.random() < 0.3 else frame))
        except OrderError:
            continue
    for nonsense in (b"", b"\xc1", b"\x90", b"\x91\x63", b"\xdd\xff\xff\xff\xff", b"\x93\x04\x01\x02"):
        with pytest.raises(OrderError):
            decode(nonsense)


def test_a_frame_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(OrderError, match="the limit is 1048576"):
        list(FrameReader(MOST_FROM_WORKER).feed((2**31).to_bytes(4, "big")))


def test_the_configuration_reaches_a_worker_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "paritygate.toml"
    config.write_text(
        '[mirror]\ntimeout = "250ms"\nmax_body = "64KiB"\nrate = 7.5\n[proxy]\nworkers = 3\nmax_memory = "1GiB"\n'
        '[gate.latency]\np50 = [1.1, "5ms"]\n[gate.canary]\nsteps = [0.1]\n[redact]\njson = ["$.a"]\n'
        '[[route]]\nmatch = "POST /a"\nmirror = "writes"\ncandidate_path = "/b"\n'
    )
    settings = load_settings(config)
    again = Settings(**json.loads(json.dumps(as_document(settings)))).located(settings.base, settings.source)
    assert again == settings
    assert (again.state_dir, again.channel_path) == (settings.state_dir, settings.channel_path)


def test_the_route_table_reaches_a_worker_as_it_is() -> None:
    routes = [
        Route("GET", "/items/{id}", source="urlconf"),
        Route("GET", "/items/{pk}", "/things/{pk}", "writes"),
        Route("GET", "/files/{rest:path}", source="openapi"),
        Route("POST", "/items/new"),
    ]
    table = RouteTable(routes)
    again = table_of(rows_of(table), 10)
    assert table.match("GET", b"/items/3").candidate_path() == b"/things/3"
    assert list(again.routes.items()) == list(table.routes.items())
    for method, path in (
        ("GET", b"/items/3"),
        ("HEAD", b"/items/3"),
        ("GET", b"/files/a/b"),
        ("POST", b"/items/new"),
        ("GET", b"/x"),
    ):
        assert again.match(method, path) == table.match(method, path)
        assert again.match(method, path).candidate_path() == table.match(method, path).candidate_path()


def test_pauses_double_up_to_half_a_minute_and_start_afresh_after_a_good_life() -> None:
    """[F-26]"""
    backoff = Backoff()
    assert [round(backoff.after(1.0), 1) for _ in range(10)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, LONGEST_S]
    assert backoff.after(STEADY_S + 1) == 0.0
    assert backoff.after(1.0) == 0.2


def headcounts(clock: Callable[[], float]) -> tuple[Headcount, Headcount]:
    descriptor = make_headcount(2)
    try:
        return Headcount(descriptor, 2, 0, clock), Headcount(descriptor, 2, 1, clock)
    finally:
        os.close(descriptor)


def test_a_worker_is_ahead_of_siblings_that_accept_and_are_alive_only() -> None:
    now = 100.0
    first, second = headcounts(lambda: now)
    for _ in range(3):
        first.arrived()
    assert not first.is_ahead()  # nobody else is there
    second.show(accepting=True)
    assert first.is_ahead()
    assert not second.is_ahead()
    first.left()
    second.arrived()
    assert not first.is_ahead()  # one more is as good as even
    second.left()
    second.show(accepting=False)
    assert not first.is_ahead()
    second.show(accepting=True)
    now += STALE_MS / 1000 + 0.1
    assert not first.is_ahead()
    first.clear()
    second.show(accepting=True)
    assert not first.is_ahead()


def test_a_worker_that_is_ahead_lets_its_sibling_have_the_next_client_and_takes_it_when_the_sibling_does_not() -> None:
    """[B15] Nobody waits for long, whatever a sibling is stuck in."""

    async def scenario() -> None:
        first, second = headcounts(time.monotonic)
        for _ in range(5):
            first.arrived()
        second.show(accepting=True)
        accepted: list[socket.socket] = []
        with bind("127.0.0.1:0", "proxy.listen") as front:
            acceptor = Acceptor(front, accepted.append, first)
            acceptor.start()
            loop = asyncio.get_running_loop()
            clients = [socket.create_connection(front.getsockname()) for _ in range(20)]
            begun = loop.time()
            await asyncio.sleep(0.001)
            assert accepted == []
            while len(accepted) < 20:
                await asyncio.sleep(0.001)
                assert loop.time() - begun < 5
            acceptor.stop()
            assert not acceptor.listening
            for one in (*clients, *accepted):
                one.close()

    asyncio.run(scenario())


def test_stopping_takes_whoever_the_kernel_has_accepted() -> None:
    """[F-19]"""

    async def scenario() -> None:
        accepted: list[socket.socket] = []
        with bind("127.0.0.1:0", "proxy.listen") as front:
            place = front.getsockname()
            acceptor = Acceptor(front, accepted.append, None)
            acceptor.start()
            clients = [socket.create_connection(place) for _ in range(50)]
            acceptor.stop()
            assert len(accepted) == 50
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(place)
            for one in (*clients, *accepted):
                one.close()

    asyncio.run(scenario())


def test_one_who_ends_the_listening_for_all_ends_it_for_a_sibling_that_is_stuck() -> None:
    """[F-18] Of a parent that was killed, no worker keeps the port, whatever it is stuck in."""

    async def scenario() -> None:
        with bind("127.0.0.1:0", "proxy.listen") as front:
            place = front.getsockname()
            sibling = Acceptor(front.dup(), lambda client: client.close(), None)
            sibling.start()
            acceptor = Acceptor(front, lambda client: client.close(), None)
            acceptor.start()
            acceptor.stop(for_all=True)
            with bind(f"127.0.0.1:{place[1]}", "proxy.listen"):
                pass
            async with asyncio.timeout(5):
                while sibling.listening:
                    await asyncio.sleep(0.001)

    asyncio.run(scenario())


def test_sums_outlive_the_workers_and_their_files(folder: Path) -> None:
    books = Books("parent", "node")
    files = []
    for number in range(3):
        path = folder / f"openings-{number}.bin"
        file = OpeningsFile.create(path, f"b{number}", "node", 10)
        for _ in range(number + 2):
            file.seen("GET /a")
        file.ended("GET /a", "served_primary", "handed")
        books.opened(f"b{number}", file.path)
        files.append(file)

    def seen() -> int:
        return sum(counts.routes.get("GET /a", {}).get(0, 0) for counts in books.counts())

    assert seen() == 9
    files[2].close()
    books.ended("b2")  # dead, with 3 of its 4 requests open
    files[2].path.unlink()
    files[1].close()
    files[1].path.unlink()  # the shadow was quicker than we are
    assert seen() == 9
    books.ended("b1")
    books.ended("never heard of it")
    assert seen() == 9
    from proxy.figures import summed
    from traffic.ledger import build_ledger

    ledger = build_ledger(summed(books.counts(), 10)["GET /a"], [])
    assert (ledger.seen, ledger.served_primary, ledger.open, ledger.refused) == (9, 3, 1, {"proxy_died": 5})
    books.close()
    files[0].close()


def test_a_breaker_of_a_worker_keeps_what_it_was_told_for_the_parent() -> None:
    breaker = NotedBreaker()
    tripped = [breaker.note("r", 1, True) for _ in range(MOST_FAILED + 1)]
    assert tripped == [False] * MOST_FAILED + [True]
    assert breaker.take() == (("r", 1, True, ""),) * (MOST_FAILED + 1)
    assert breaker.take() == ()


def decision(seq: int, weight_bp: int, route: str = "GET /a") -> Decision:
    state = State.CUTOVER if weight_bp else State.ROLLED_BACK
    return signed.sign(Decision(route, seq, state, "", weight_bp, "salt", 1.0, None, "ada", ""), KEY)


def test_a_decisions_file_is_read_as_a_whole_or_not_at_all(folder: Path) -> None:
    """[F-28] Half of it could give the candidate a route that its alarm has taken from it."""
    path = folder / "decisions.json"
    book = DecisionBook(path, KEY, time.time)
    book.offer_all([decision(1, 10_000), decision(2, 10_000, "GET /b")])
    book.alarm("GET /a", "test")
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:cut])
        again = DecisionBook(path, KEY, time.time)
        again.load()
        assert (again.decisions, again.alarms) == ([], {})
    document = json.loads(whole)
    path.write_text(json.dumps({**document, "decisions": [*document["decisions"], "no decision"]}))
    again = DecisionBook(path, KEY, time.time)
    again.load()
    assert (again.decisions, again.alarms) == ([], {})
    path.write_bytes(whole)
    (folder / ".decisions.json.123.new").write_text("left by a process that was killed")
    again.load()
    assert (again.decisions, again.alarms) == (book.decisions, {"GET /a": 1})
    assert [file.name for file in folder.iterdir()] == ["decisions.json"]


def test_an_alarm_of_another_worker_counts_against_the_decision_it_was_raised_against_only() -> None:
    told: list[tuple[str, int, str]] = []
    book = DecisionBook(None, KEY, time.time)
    book.on_alarm = lambda *alarm: told.append(alarm)
    book.offer(decision(5, 10_000))
    assert not book.overrule("GET /a", 4, "overtaken")
    assert not book.overrule("GET /b", 9, "unknown")
    assert book.overrule("GET /a", 5, "failing")
    assert not book.overrule("GET /a", 5, "again")
    assert (book.alarms, told) == ({"GET /a": 5}, [("GET /a", 5, "failing")])
    book.offer(decision(6, 10_000))
    assert book.alarms == {}
    assert not book.overrule("GET /a", 5, "late")


def test_new_decisions_are_passed_on_and_known_ones_are_not() -> None:
    told: list[list[Decision]] = []
    book = DecisionBook(None, KEY, time.time)
    book.on_taken = told.append
    first, forged = decision(1, 10_000), replace(decision(2, 10_000), mac="0" * 64)
    assert book.offer_all([first, forged]) == 1
    assert book.offer_all([first]) == 0
    assert told == [[first]]


def test_bytecode_is_kept_in_our_own_folder_where_the_packages_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert "PYTHONPYCACHEPREFIX" not in worker_environment(tmp_path)
    (tmp_path / "packages" / "mitmproxy").mkdir(parents=True)
    (tmp_path / "packages" / "mitmproxy" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: (
            importlib.util.spec_from_file_location(name, tmp_path / "packages" / name / "__init__.py")
            if name == "mitmproxy"
            else real(name)
        ),
    )
    assert worker_environment(tmp_path)["PYTHONPYCACHEPREFIX"] == str(tmp_path / "bytecode")


def test_old_interpreters_are_named_with_their_reasons() -> None:
    assert interpreter_advice((3, 12, 1)) is None
    advice = interpreter_advice((3, 11, 7))
    assert advice is not None
    for fact in ("Python 3.11", "3.13", "11.0.2", "not maintained", "CVE-2025-43859", "HTTP/2"):
        assert fact in advice
