"""The unix socket: rights, stale files, another shadow, bad frames, alarms, an older connection of the same proxy."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import pytest

import shadow.channel
from shadow.channel import Channel, Connection
from shadow.errors import ShadowError
from store.tasks import spawn
from traffic.codec import Alarm, FrameReader, Hello, Leaving, encode
from traffic.message import Exchange, Request, Response, Side


def exchange(seq: int = 1, boot: str = "boot") -> Exchange:
    return Exchange(boot, seq, "GET /a", "c", Side.PRIMARY, 1.0, 1.0, Request("GET", b"/a"), Response(200))


HELLO = Hello("boot", "node", "/nowhere", {})


class Listening:
    def __init__(self, path: Path) -> None:
        self.greeted: list[Connection] = []
        self.taken: list[Exchange] = []
        self.channel = Channel(path, self._greet, self.taken.append, self._room, lambda connection: None)

    async def _greet(self, connection: Connection) -> None:
        self.greeted.append(connection)

    async def _room(self) -> None:
        return

    async def close(self) -> None:
        await self.channel.close()
        self.channel.release()


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


def test_socket_is_for_this_user_only_and_goes_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "deep" / "c.sock"
        listening = Listening(path)
        await listening.channel.open()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await listening.close()
        assert not path.exists()

    asyncio.run(scenario())


def test_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "c.sock"
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        dead.close()
        listening = Listening(path)
        await listening.channel.open()
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.close()
        await writer.wait_closed()
        await listening.close()

    asyncio.run(scenario())


def test_second_shadow_is_refused_with_one_sentence(tmp_path: Path) -> None:
    async def scenario() -> None:
        first, second = Listening(tmp_path / "c.sock"), Listening(tmp_path / "c.sock")
        await first.channel.open()
        with pytest.raises(ShadowError, match=r"another shadow worker already serves this channel; stop it"):
            await second.channel.open()
        await first.close()
        await second.channel.open()
        await second.close()

    asyncio.run(scenario())


def test_somebody_who_answers_without_our_lock_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "c.sock"
        answered = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()
            answered.set()

        server = await asyncio.start_unix_server(serve, str(path))
        with pytest.raises(ShadowError, match="another shadow worker"):
            await Listening(path).channel.open()
        await asyncio.wait_for(answered.wait(), 5)
        server.close()

    asyncio.run(scenario())


def test_plain_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "c.sock"
        path.write_text("precious")
        with pytest.raises(ShadowError, match="no socket"):
            await Listening(path).channel.open()
        assert path.read_text() == "precious"

    asyncio.run(scenario())


def test_path_that_is_too_long_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ShadowError, match=r"mirror\.channel"):
        asyncio.run(Listening(tmp_path / ("x" * 150)).channel.open())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x02\x93\x01",
        encode(exchange()),
        encode(HELLO) + encode(HELLO),
        encode(HELLO) + encode(exchange(boot="other")),
        encode(HELLO) + encode(Alarm("r", "x")),
    ],
)
def test_bad_frames_close_that_connection_only(tmp_path: Path, data: bytes) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        _, good = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        good.write(encode(Hello("good", "n", "", {})))
        reader, bad = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        bad.write(data)
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionResetError:
            pass
        good.write(encode(exchange(boot="good")))
        await until(lambda: listening.taken)
        good.close()
        bad.close()
        await listening.close()

    asyncio.run(scenario())


def test_exchanges_in_any_pieces_are_taken_in_order_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        stream = encode(HELLO) + b"".join(encode(exchange(seq)) for seq in range(20))
        for at in range(0, len(stream), 37):
            writer.write(stream[at : at + 37])
            await writer.drain()
        await until(lambda: len(listening.taken) == 20)
        assert [item.seq for item in listening.taken] == list(range(20))
        assert listening.greeted[0].received == {"GET /a": 20}
        writer.close()
        await listening.close()

    asyncio.run(scenario())


def test_alarm_reaches_every_proxy(tmp_path: Path) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        ends = [await asyncio.open_unix_connection(str(tmp_path / "c.sock")) for _ in range(2)]
        await until(lambda: len(listening.channel.connections) == 2)
        listening.channel.alarm("GET /a", "why")
        for reader, writer in ends:
            assert list(FrameReader().feed(await asyncio.wait_for(reader.read(1000), 5))) == [Alarm("GET /a", "why")]
            writer.close()
        await listening.close()

    asyncio.run(scenario())


def test_evicted_connection_is_read_to_its_end_or_cut(tmp_path: Path) -> None:
    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        writer.write(encode(HELLO))
        await until(lambda: listening.greeted)
        await listening.channel.evict(listening.greeted[0], 0.05)
        assert listening.channel.connections == set()
        writer.close()
        await listening.close()

    asyncio.run(scenario())


def test_a_shadow_that_ends_asks_for_no_more_and_reads_what_was_sent(tmp_path: Path) -> None:
    """An exchange is counted as sent before it is: what a shadow that ends in good order left unread would be lost."""

    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        writer.write(encode(HELLO))
        await until(lambda: listening.greeted)
        closing = spawn(listening.close(), "test-closing")
        assert list(FrameReader().feed(await asyncio.wait_for(reader.read(1000), 5))) == [Leaving()]
        for seq in range(3):
            writer.write(encode(exchange(seq)))
        writer.close()
        await closing
        assert [item.seq for item in listening.taken] == [0, 1, 2]

    asyncio.run(scenario())


def test_a_proxy_that_goes_on_sending_holds_up_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.channel, "FAREWELL_S", 0.05)

    async def scenario() -> None:
        listening = Listening(tmp_path / "c.sock")
        await listening.channel.open()
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "c.sock"))
        writer.write(encode(HELLO))
        await until(lambda: listening.greeted)
        async with asyncio.timeout(5):
            await listening.close()
        assert listening.channel.connections == set()
        writer.close()

    asyncio.run(scenario())
