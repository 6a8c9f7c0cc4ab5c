"""A candidate that fails in every way a network knows: each copy ends in time, is counted as what it was, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from shadow_backends import Act, Backend, Seen, always, answer, backend, document, hang, listening
from shadow_battery import LIVE, Battery, battery, connections_to, only
from shadow_stage import until

from shadow.breaker import LIMIT, LONGEST_S
from tests.descriptors import descriptors
from tests.ports import free_port

REFUSED, RESET, TIMEOUT = "candidate_error:refused", "candidate_error:reset", "candidate_error:timeout"
PROTOCOL, OVERSIZE, OPEN = "candidate_error:protocol", "candidate_error:oversize", "skipped:breaker_open"
MATCH, MISMATCH = "compared:match", "compared:mismatch"
Script = Callable[[Battery, Backend], Awaitable[None]]


def play(folder: Path, act: Act, script: Script, **mirror: object) -> None:
    async def scenario() -> None:
        async with backend(act) as candidate:
            async with battery(folder, candidate.url, **mirror) as made:
                await script(made, candidate)
            await until(lambda: not candidate.open)  # nothing leaks

    asyncio.run(scenario())


def test_candidate_that_was_never_started_is_refused_and_soon_left_alone(tmp_path: Path) -> None:
    """[F-1] The breaker opens within two seconds; what it holds back is counted."""

    async def scenario() -> None:
        async with battery(tmp_path, f"http://127.0.0.1:{free_port()}") as made:
            begun = time.monotonic()
            made.send(200)
            counts = await made.ended()
            assert time.monotonic() - begun < 6  # 2 s on a machine of its own
            assert only(counts, REFUSED, OPEN), counts
            assert LIMIT <= counts[REFUSED] <= LIMIT + 8 + 2
            assert counts[OPEN] > 100

    asyncio.run(scenario())


def test_candidate_that_comes_back_is_asked_again_within_five_seconds(tmp_path: Path) -> None:
    """[F-1] Without anybody's help, after an outage of any length."""

    async def scenario() -> None:
        port = free_port()
        async with battery(tmp_path, f"http://127.0.0.1:{port}") as made:
            made.send(100)
            await made.ended()
            server = await asyncio.start_server(answering, "127.0.0.1", port)
            begun = time.monotonic()
            while MATCH not in made.store.reasons():
                assert time.monotonic() - begun <= 3 * (LONGEST_S + 1), "not resumed"  # 5 s on a machine of its own
                made.send(1)
                await asyncio.sleep(0.05)
            counts = await made.ended()
            assert only(counts, REFUSED, OPEN, MATCH), counts
            server.close()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head, _, body = document(LIVE).partition(b"\r\n\r\n")
        writer.write(head + b"\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    asyncio.run(scenario())


def test_candidate_that_is_slow_is_compared_all_the_same(tmp_path: Path) -> None:
    """[F-2] Within the deadline."""

    async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(document(LIVE))

    async def script(made: Battery, candidate: Backend) -> None:
        made.send(60)
        assert await made.ended() == {MATCH: 60}
        assert 1 <= made.most_connected <= 8

    play(tmp_path, slow, script)


async def slow_headers(seen: Seen, writer: asyncio.StreamWriter) -> None:
    for at in document(LIVE):
        writer.write(bytes((at,)))
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
    head, _, body = document(LIVE).partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    for at in body * 100:
        writer.write(bytes((at,)))
        await writer.drain()
        await asyncio.sleep(0.1)


async def silent_in_the_body(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await hang(seen, writer)


@pytest.mark.parametrize("act", [hang, slow_headers, drip, silent_in_the_body])
def test_candidate_that_does_not_finish_in_time_times_out(tmp_path: Path, act: Act) -> None:
    """[F-2] [F-3] [F-4] [T8] The deadline is of the whole exchange; no more connections than copies in flight."""

    async def script(made: Battery, candidate: Backend) -> None:
        begun = time.monotonic()
        made.send(60)
        counts = await made.ended()
        assert only(counts, TIMEOUT, OPEN), counts
        assert counts[TIMEOUT] >= LIMIT
        assert time.monotonic() - begun < 15
        assert 1 <= made.most_connected <= 8

    play(tmp_path, act, script, timeout="200ms")


def test_candidate_that_accepts_and_never_reads_times_out(tmp_path: Path) -> None:
    """[F-3] A black hole, with requests larger than what the kernel takes."""

    async def black_hole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await hang(Seen("", b"", [], b"", 0.0), writer)

    async def scenario() -> None:
        async with listening(black_hole) as url, battery(tmp_path, url, timeout="200ms") as made:
            made.send(60, headers=((b"X-Large", b"x" * 60_000),))
            counts = await made.ended()
            assert only(counts, TIMEOUT, OPEN), counts
            assert 1 <= made.most_connected <= 8

    asyncio.run(scenario())


def test_candidate_whose_backlog_is_full_times_out(tmp_path: Path) -> None:
    """[F-3] Stopped, with connections that nobody accepts."""

    async def scenario() -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            async with battery(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout="200ms") as made:
                made.send(60)
                counts = await made.ended()
                assert only(counts, TIMEOUT, OPEN), counts
                assert made.most_connected <= 8

    asyncio.run(scenario())


async def abort(seen: Seen, writer: asyncio.StreamWriter) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def abort_in_the_body(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    await asyncio.sleep(0.01)
    await abort(seen, writer)


async def end_in_the_body(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + document(LIVE).rpartition(b"\r\n")[2])
    await writer.drain()
    writer.close()


async def end_in_a_chunk(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n')
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("act", [abort, abort_in_the_body, end_in_the_body, end_in_a_chunk])
def test_candidate_that_breaks_off_is_reset_and_never_a_mismatch(tmp_path: Path, act: Act) -> None:
    """[F-5] Before the answer, in its body, at the end of what would have been a match."""

    async def script(made: Battery, candidate: Backend) -> None:
        made.send(60)
        counts = await made.ended()
        assert only(counts, RESET, OPEN), counts
        assert counts[RESET] >= LIMIT

    play(tmp_path, act, script)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x01garbage\r\n\r\n", PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", PROTOCOL),
        (document({}, 500), MISMATCH),
        (document({"a": 2}), MISMATCH),
        (answer(200, b"<html>", [("Content-Type", "text/html")]), MISMATCH),
    ],
)
def test_what_is_no_answer_is_told_apart_from_a_wrong_one(tmp_path: Path, data: bytes, reason: str) -> None:
    """[F-6] A complete 500 is an answer and is compared; broken framing is none."""

    async def script(made: Battery, candidate: Backend) -> None:
        made.send(15)
        assert await made.ended() == {reason: 15}

    play(tmp_path, always(data), script)


@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked", b"Content-Length: 1073741824", b"X: until the end"])
def test_body_of_a_gigabyte_is_given_up_after_the_limit(tmp_path: Path, framing: bytes) -> None:
    """[F-7] [T8] What was not asked for is not even read: the connection is closed early, and the breaker stays closed."""
    passed = 0
    chunked = b"chunked" in framing

    async def huge(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal passed
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        piece = b"x" * 65536
        for _ in range(16384):
            writer.write(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
            passed += len(piece)
            await writer.drain()

    async def script(made: Battery, candidate: Backend) -> None:
        made.send(30)
        assert await made.ended() == {OVERSIZE: 30}
        assert passed < 30 * 8 * 1024 * 1024

    play(tmp_path, huge, script, max_body=100_000)


def test_candidate_that_fails_half_of_the_time_is_asked_all_of_the_time_and_every_copy_counted(tmp_path: Path) -> None:
    """[F-10] Failures that are not in a row open nothing."""
    toss = itertools.count()

    async def flaky(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if next(toss) % 2:
            await abort(seen, writer)
        else:
            writer.write(document(LIVE))

    async def script(made: Battery, candidate: Backend) -> None:
        made.send(200)
        assert await made.ended() == {MATCH: 100, RESET: 100}

    play(tmp_path, flaky, script)


def test_candidate_that_is_down_every_other_moment_is_not_stormed_when_it_is_up(tmp_path: Path) -> None:
    """[F-10] One probe at a time, one a second at most, until one has succeeded."""
    up = False
    while_down: list[float] = []

    async def flapping(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if up:
            writer.write(document(LIVE))
        else:
            while_down.append(seen.at)
            await abort(seen, writer)

    async def script(made: Battery, candidate: Backend) -> None:
        nonlocal up
        for step in range(40):
            up = step % 20 >= 10
            made.send(20)
            await asyncio.sleep(0.05)
        counts = await made.ended()
        assert only(counts, MATCH, RESET, OPEN), counts
        later = while_down[LIMIT + 8 :]
        assert all(second - first >= 0.9 for first, second in itertools.pairwise(later) if second - first > 0.05)
        assert len(while_down) < 3 * (LIMIT + 8)

    play(tmp_path, flapping, script)


def test_descriptors_that_are_all_taken_are_our_shortage_and_not_the_candidate_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[F-23] No copy was sent, and nothing is held against the candidate."""

    async def script(made: Battery, candidate: Backend) -> None:
        real = socket.socket

        class Spent(real):  # type: ignore[misc, valid-type]
            def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
                if fileno is None:
                    raise OSError(24, "Too many open files")
                super().__init__(family, type, proto, fileno)

        monkeypatch.setattr("shadow.backend_transport.socket.socket", Spent)
        made.send(30)
        assert await made.ended() == {"skipped:rate_limited": 30}
        monkeypatch.setattr("shadow.backend_transport.socket.socket", real)
        made.send(5)
        assert (await made.ended())[MATCH] == 5

    play(tmp_path, always(document(LIVE)), script)


@pytest.mark.soak
def test_candidate_that_fails_in_another_way_every_second_costs_nothing_in_the_end(tmp_path: Path) -> None:
    """[F-10] [T8] Two minutes: every copy is counted, descriptors and memory are where they were."""
    modes: list[Act] = [
        always(document(LIVE)), always(document({"a": 2})), always(document({}, 500)), always(b"garbage\r\n\r\n"),
        hang, slow_headers, drip, silent_in_the_body, abort, abort_in_the_body, end_in_the_body, end_in_a_chunk,
    ]  # fmt: skip
    mode = modes[0]

    async def changing(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await mode(seen, writer)

    async def script(made: Battery, candidate: Backend) -> None:
        nonlocal mode
        chance = random.Random(7)
        made.send(500)
        await made.ended()
        open_before, memory = descriptors(), resident()
        for _ in range(120):
            mode = chance.choice(modes)
            for _ in range(20):
                made.send(10)
                await asyncio.sleep(0.05)
                assert connections_to(made.port) <= 8
        mode = modes[0]
        await made.ended(60)
        await until(lambda: connections_to(made.port) == 0)
        assert descriptors() <= open_before + 4
        assert resident() < memory + 40_000_000

    play(tmp_path, changing, script, timeout="300ms")


def resident() -> int:
    """This process's memory in bytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
