"""The hand-off's fast lane, both ends of it: real sockets, real shared memory, the proxy's HandOff and the shadow's Channel."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shadow_ring import SMALL, Hand, HandShadow, Listening, Offering, both, exchange, until

import proxy.handoff
from proxy.ring import LARGEST, Ring
from shadow.ring_reader import map_ring
from store.tasks import spawn
from tests.descriptors import descriptors
from traffic.codec import Filled, Leaving, Taken, encode


def small_rings(monkeypatch: pytest.MonkeyPatch, size: int = SMALL) -> None:
    monkeypatch.setattr(proxy.handoff, "new_ring", lambda: Ring(size))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2000), st.booleans()), max_size=60))
def test_frames_come_out_as_they_went_in_wherever_the_ring_wraps(puts: list[tuple[int, bool]]) -> None:
    ring = Ring(4096)
    reader = map_ring([ring.descriptor])
    ring.descriptor = -1
    assert reader is not None
    written: list[bytes] = []
    read: list[bytes] = []

    def take() -> None:
        if ring.head > ring.told:
            ring.told = ring.head
            read.extend(reader.frames(ring.told))
            ring.give_back(reader.position)

    for number, (size, reads) in enumerate(puts):
        payload = bytes([number % 255 + 1]) * size
        frame = (len(payload).to_bytes(4, "big"), payload)
        if end := ring.put(frame, 4 + size):
            assert ring.copy(end, 4 + size) == b"".join(frame)
            written.append(payload)
        else:
            assert ring.head > ring.taken
        if reads:
            take()
    take()
    assert read == written
    reader.close()
    ring.close()


steps = st.lists(
    st.one_of(
        st.integers(0, 6_000),
        st.integers(0, 300),
        st.just(SMALL),
        st.sampled_from(["pause", "resume", "turn", "turn", "turns"]),
    ),
    max_size=80,
)


@pytest.mark.parametrize("unread", [proxy.handoff.MOST_UNREAD, 3_000])
@settings(deadline=None, max_examples=100)
@given(steps=steps)
def test_whatever_the_sizes_and_however_the_shadow_reads_all_arrives_once_and_in_order(steps: list[Any], unread: int) -> None:
    """A full ring, too: what does not fit goes over the socket, and nothing overtakes anything."""

    async def scenario(folder: Path) -> None:
        async with both(folder) as (offering, listening):
            for step in steps:
                if isinstance(step, int):
                    offering.offer(step)
                elif step == "pause":
                    listening.room.clear()
                elif step == "resume":
                    listening.room.set()
                else:
                    await asyncio.sleep(0.003 if step == "turns" else 0)
            listening.room.set()
            assert await offering.handoff.flush(10)
            await until(lambda: len(listening.taken) == len(offering.offered))
            assert listening.seqs == offering.offered
            assert offering.sent == [f"r{seq}" for seq in offering.offered]
            assert offering.handoff.waiting == 0

    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory(prefix="pg-") as folder:
        small_rings(patched)
        patched.setattr(proxy.handoff, "GATHER_S", 0.001)
        patched.setattr(proxy.handoff, "RING_BATCH_BYTES", 5_000)
        patched.setattr(proxy.handoff, "MOST_UNREAD", unread)
        asyncio.run(scenario(Path(folder)))


def test_most_go_through_the_ring_and_large_ones_over_the_socket_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with both(tmp_path) as (offering, listening):
            for body in [10, LARGEST, 10, 10, LARGEST - 1000, LARGEST, 10]:
                offering.offer(body)
            await until(lambda: len(listening.taken) == 7)
            for _ in range(3):
                offering.offer(10)
            await until(lambda: len(listening.taken) == 10)
            ring = listening.connections[0].ring
            assert ring is not None
            assert 4 * len(encode(exchange(0, 10))) <= ring.position < LARGEST, "a large one is in the ring"
            assert listening.seqs == offering.offered

    asyncio.run(scenario())


def test_a_proxy_that_flushed_may_end_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with both(tmp_path) as (offering, listening):
            listening.room.clear()
            for _ in range(2_000):
                offering.offer(800)
            assert offering.handoff.waiting
            assert await offering.handoff.flush(5)
            assert (offering.handoff.waiting, len(offering.sent)) == (0, 2_000)
            await offering.stop()
            listening.room.set()
            await until(lambda: len(listening.taken) == 2_000)
            assert listening.seqs == offering.offered

    asyncio.run(scenario())


def test_what_waits_in_the_ring_counts_against_the_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with both(tmp_path, limit=3) as (offering, _):
            for _ in range(3):
                offering.offer()
            assert offering.handoff.full
            assert offering.handoff.waiting == 3
            assert not offering.handoff.offer("r", [encode(exchange(9))])

    asyncio.run(scenario())


def test_a_shadow_that_dies_leaves_to_the_next_what_it_was_not_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was told of was counted as sent, and is never sent again. The next one gets a ring of its own."""
    monkeypatch.setattr(proxy.handoff, "GATHER_S", 30.0)

    async def scenario() -> None:
        first, offering = HandShadow(tmp_path / "s"), Offering(tmp_path / "s")
        running = spawn(offering.start(), "start")
        await first.take()
        await running
        old = offering.ring
        offering.offer()
        offering.offer()
        offering.handoff._push()
        assert await first.next() == [Filled(old.head)]  # type: ignore[union-attr]
        offering.offer()
        offering.offer(2 * LARGEST)
        offering.offer()
        assert offering.sent == ["r0", "r1"], "the shadow is told before its time"
        assert offering.handoff.waiting == 3
        first.die()
        listening = Listening(tmp_path / "s")
        (tmp_path / "s").unlink()
        await listening.channel.open()
        await until(lambda: len(listening.taken) == 3)
        await until(lambda: offering.ring not in (None, old))
        offering.offer()
        assert await offering.handoff.flush(5)
        await until(lambda: len(listening.taken) == 4)
        assert listening.seqs == [2, 3, 4, 5]
        assert offering.sent == [f"r{seq}" for seq in range(6)]
        await offering.stop()
        await listening.close()

    monkeypatch.setattr(proxy.handoff, "BATCH_BYTES", 2**30)
    asyncio.run(scenario())


def test_a_shadow_that_does_not_read_is_told_of_a_bounded_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.handoff, "MOST_UNREAD", 100_000)

    async def scenario() -> None:
        first, offering = HandShadow(tmp_path / "s"), Offering(tmp_path / "s")
        running = spawn(offering.start(), "start")
        await first.take()
        await running
        for _ in range(50):
            offering.offer(10_000)
            await asyncio.sleep(0.002)
        await until(lambda: len(offering.sent) == 10)
        await asyncio.sleep(0.1)
        assert len(offering.sent) == 10
        first.sock.send(encode(Taken(offering.ring.told)))  # type: ignore[union-attr]
        await until(lambda: len(offering.sent) == 20)
        first.die()
        await offering.stop()
        assert offering.handoff.waiting == 30

    asyncio.run(scenario())


def test_a_shadow_that_leaves_reads_what_it_was_told_of_and_the_rest_goes_to_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with both(tmp_path) as (offering, first):
            for turn in range(200):
                for _ in range(20):
                    offering.offer(900)
                await asyncio.sleep(0)
                if turn == 100:
                    closing = spawn(first.close(), "closing")
            await closing
            second = Listening(tmp_path / "s")
            await second.channel.open()
            await until(lambda: len(first.taken) + len(second.taken) == 4_000)
            assert first.seqs + second.seqs == offering.offered
            assert offering.sent == [f"r{seq}" for seq in offering.offered]
            assert second.taken
            await offering.stop()
            await second.close()

    asyncio.run(scenario())


def test_what_a_killed_proxy_had_announced_is_read_though_it_never_read_our_answers(tmp_path: Path) -> None:
    """The kernel resets the connection of one that dies so, and every write to it fails: neither may cost what it had sent."""

    async def scenario() -> None:
        listening = Listening(tmp_path / "s")
        await listening.channel.open()
        hand = Hand(tmp_path / "s", 4 * 1024 * 1024)
        hand.hello()
        hand.sock.send(hand.put(0))
        await until(lambda: len(listening.taken) == 1)
        listening.room.clear()
        for seq in range(1, 121, 3):  # some in the ring, each followed by one on the socket
            hand.put(seq, 30_000)
            hand.sock.send(hand.put(seq + 1, 30_000) + encode(exchange(seq + 2)))
        hand.close()
        for _ in range(40):
            await asyncio.sleep(0.002)
            listening.channel.alarm("r1", "why")
            listening.room.set()
            await asyncio.sleep(0)
            listening.room.clear()
        listening.room.set()
        await until(lambda: not listening.channel.connections)
        assert listening.seqs == list(range(121))
        await listening.close()

    asyncio.run(scenario())


def test_a_proxy_without_a_ring_is_served_over_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.handoff, "new_ring", lambda: None)

    async def scenario() -> None:
        listening, offering = Listening(tmp_path / "s"), Offering(tmp_path / "s")
        await listening.channel.open()
        await offering.start(ring=False)
        for _ in range(300):
            offering.offer(2_000)
        assert await offering.handoff.flush(5)
        await until(lambda: listening.seqs == offering.offered)
        assert offering.ring is None
        await offering.stop()
        await listening.close()

    asyncio.run(scenario())


def test_a_proxy_that_says_nothing_for_long_is_served_over_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadow.channel.HELLO_S", 0.01)

    async def scenario() -> None:
        listening = Listening(tmp_path / "s")
        await listening.channel.open()
        hand = Hand(tmp_path / "s")
        await asyncio.sleep(0.1)
        hand.hello()
        hand.sock.send(encode(exchange(1)))
        await until(lambda: listening.seqs == [1])
        assert listening.connections[0].ring is None
        hand.close()
        await listening.close()

    asyncio.run(scenario())


def test_connections_that_end_leave_no_descriptor_and_no_memory_behind(tmp_path: Path) -> None:
    def rings() -> int:
        return Path("/proc/self/maps").read_text().count("paritygate-ring")

    async def scenario() -> None:
        before = descriptors(), rings()
        for _ in range(3):
            async with both(tmp_path) as (offering, listening):
                assert rings() == before[1] + 2
                offering.offer()
                await until(lambda taken=listening.taken: taken)  # type: ignore[misc]
        assert (descriptors(), rings()) == before

    asyncio.run(scenario())


def test_the_farewell_reaches_a_proxy_with_a_ring(tmp_path: Path) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "s")
        await listening.channel.open()
        hand = Hand(tmp_path / "s")
        hand.hello()
        assert await hand.said(1) == [Taken(0)]
        closing = spawn(listening.close(), "closing")
        assert await hand.said(1) == [Leaving()]
        hand.sock.send(hand.put(1) + hand.put(2))
        hand.close()
        await closing
        assert listening.seqs == [1, 2]

    asyncio.run(scenario())
