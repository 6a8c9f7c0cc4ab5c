"""Peers whose ring, or what they say of it, is not what it should be: that connection ends, and nothing else does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from shadow_ring import HELLO, SMALL, Hand, HandShadow, Listening, Offering, both, exchange, until

from proxy.ring import Ring
from shadow.ring_reader import RingReader, map_ring
from store.tasks import spawn
from tests.descriptors import descriptors
from traffic.codec import CodecError, Filled, Taken, encode
from traffic.message import Exchange, Request, Response, Side


def _beyond(hand: Hand) -> bytes:
    hand.put(1)
    return encode(Filled(hand.ring.head + 1))


def _middle(hand: Hand) -> bytes:
    hand.put(1)
    return encode(Filled(hand.ring.head - 1))


def _two_bytes(hand: Hand) -> bytes:
    hand.put(1)
    return encode(Filled(2))


def _far(hand: Hand) -> bytes:
    hand.put(1)
    return encode(Filled(SMALL + 1))


def _again(hand: Hand) -> bytes:
    return hand.put(1) * 2


def _hello(hand: Hand) -> bytes:
    frame = encode(HELLO)
    hand.ring.put([frame], len(frame))
    return encode(Filled(hand.ring.head))


def _garbage(hand: Hand) -> bytes:
    hand.ring.put([b"\x00\x00\x00\x08\x00\x00\x00\x04\xff\xff\xff\xff"], 12)
    return encode(Filled(12))


def _huge(hand: Hand) -> bytes:
    hand.ring.put([b"\xff" * 100], 100)
    return encode(Filled(100))


def _stranger(hand: Hand) -> bytes:
    frame = encode(Exchange("other", 1, "r", "c", Side.PRIMARY, 0.0, 1.0, Request("GET", b"/a"), Response(200)))
    hand.ring.put([frame], len(frame))
    return encode(Filled(hand.ring.head))


def _empty(hand: Hand) -> bytes:
    return encode(Filled(SMALL))


@pytest.mark.parametrize(
    "filled", [_beyond, _middle, _two_bytes, _far, _again, _hello, _garbage, _huge, _stranger, _empty], ids=lambda f: f.__name__
)
def test_a_filled_that_is_not_true_closes_that_connection_only(tmp_path: Path, filled: Callable[[Hand], bytes]) -> None:
    async def scenario() -> None:
        async with both(tmp_path) as (offering, listening):
            hand = Hand(tmp_path / "s")
            listening.channel._greet = lambda connection: asyncio.sleep(0)  # type: ignore[method-assign,assignment]
            hand.hello()
            assert await hand.said(1) == [Taken(0)]
            hand.sock.send(filled(hand))
            assert await hand.is_cut()
            hand.close()
            offering.offer()
            await until(lambda: 0 in listening.seqs)

    asyncio.run(scenario())


def _a_pipe(folder: Path) -> int:
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def _a_file(folder: Path) -> int:
    (folder / "f").write_bytes(bytes(SMALL))
    return os.open(folder / "f", os.O_RDWR)


def _a_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY)


def _memory(size: int, seal: bool) -> int:
    made = os.memfd_create("x", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(made, size)
    if seal:
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return made


@pytest.mark.parametrize(
    "make",
    [
        _a_pipe,
        _a_file,
        _a_folder,
        lambda folder: _memory(SMALL, seal=False),
        lambda folder: _memory(4095, seal=True),
        lambda folder: _memory(64 * 1024 * 1024 + 1, seal=True),
    ],
    ids=["pipe", "file", "folder", "may shrink", "small", "large"],
)
def test_a_descriptor_that_is_no_ring_is_closed_and_the_socket_is_used(tmp_path: Path, make: Callable[[Path], int]) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "s")
        await listening.channel.open()
        before = descriptors()
        made = make(tmp_path)
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(tmp_path / "s"))
        socket.send_fds(peer, [encode(HELLO) + encode(exchange(1))], [made, made, made, made, made, made])
        os.close(made)
        await until(lambda: listening.seqs == [1])
        assert listening.connections[0].ring is None
        assert descriptors() == before + 2  # both ends of the connection
        peer.send(encode(Filled(10)))
        await until(lambda: not listening.channel.connections)
        peer.close()
        assert descriptors() == before
        await listening.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("said", [[Taken(5)], [Taken(0), Taken(1)]])
def test_a_shadow_that_gives_back_what_it_was_not_told_of_is_left(tmp_path: Path, said: list[Taken]) -> None:
    async def scenario() -> None:
        strange, offering = HandShadow(tmp_path / "s"), Offering(tmp_path / "s")
        running = spawn(offering.start(), "start")
        await strange.take()
        await running
        strange.sock.send(b"".join(map(encode, said)))
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(strange.sock, 100) == b""
        await offering.stop()
        strange.die()

    asyncio.run(scenario())


def test_the_shadow_cannot_be_made_to_read_what_shrinks() -> None:
    ring = Ring(SMALL)
    with pytest.raises(PermissionError):
        os.ftruncate(ring.descriptor, 100)
    ring.close()


def test_a_reader_refuses_positions_it_has_read(tmp_path: Path) -> None:
    ring = Ring(SMALL)
    reader = map_ring([os.dup(ring.descriptor)])
    assert isinstance(reader, RingReader)
    for until_ in (0, -1, SMALL + 1):
        with pytest.raises(CodecError, match="cannot be filled"):
            list(reader.frames(until_))
    reader.close()
    ring.close()
