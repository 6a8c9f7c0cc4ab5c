"""The shadow's end of the hand-off: a unix socket that proxies connect to, and alarms back to all of them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from shadow.errors import ShadowError
from shadow.faults import place_of
from shadow.proxy_end import ProxyEnd
from shadow.ring_reader import RingReader
from store.tasks import spawn
from traffic.codec import Alarm, CodecError, Filled, FrameReader, Hello, Leaving, Message, Taken, decode, encode
from traffic.message import Exchange

log = structlog.get_logger("paritygate.shadow")

READ_BYTES = 64 * 1024
PROBE_S = 1.0
HELLO_S = 5.0
"""How long a descriptor of a ring is awaited; a proxy says hello as soon as it is connected."""
BACKLOG = 64
MOST_CONNECTIONS = 256
NO_DESCRIPTORS_S = 1.0
FAREWELL_S = 1.0
"""How long a proxy may take to stop sending. What it sent and nobody read is lost, and counted so."""


@dataclass(eq=False)
class Connection:
    """One proxy's connection. `received` counts the exchanges per route that came over it."""

    end: ProxyEnd
    ring: RingReader | None = None
    hello: Hello | None = None
    received: dict[str, int] = field(default_factory=dict)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None


class Channel:
    """Listens on `path`.

    `greet` is awaited on a proxy's first frame and must be quick, `accept` is called for each exchange, `room` is awaited before
    more is read (back-pressure: the proxy's own bounded buffer then fills and counts), `gone` is called once at the end.
    """

    def __init__(
        self,
        path: Path,
        greet: Callable[[Connection], Awaitable[None]],
        accept: Callable[[Exchange], None],
        room: Callable[[], Awaitable[None]],
        gone: Callable[[Connection], None],
    ) -> None:
        self._path, self._greet, self._accept, self._room, self._gone = path, greet, accept, room, gone
        self._listener: socket.socket | None = None
        self._lock: int | None = None
        self._bound = False
        self.connections: set[Connection] = set()
        self._readers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Starts listening, mode 0600. Raises ShadowError when another shadow lives here or the path cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            await self._clear()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            before = os.umask(0o177)  # the file must never exist with wider rights, not even for a moment
            try:
                listener.bind(str(self._path))
            except OSError:
                listener.close()
                raise
            finally:
                os.umask(before)
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._listener, self._bound = listener, True
            self._listen()
        except OSError as error:
            self._release()
            raise ShadowError(
                f"{self._path}: the channel cannot be opened: {error.strerror or error}; set mirror.channel to a path of at most "
                "100 characters in a folder this user may write to"
            ) from error
        except ShadowError:
            self._release()
            raise

    def _take_lock(self) -> None:
        """A lock the kernel lets go of at death; it is held until the last result is written, so that no two shadows overlap."""
        self._lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._taken() from error

    def _taken(self) -> ShadowError:
        return ShadowError(
            f"{self._path}: another shadow worker already serves this channel; stop it, or give this one another mirror.channel"
        )

    async def _clear(self) -> None:
        """Removes a socket file that nobody answers on; anything else in its place is left alone."""
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise ShadowError(
                f"{self._path}: there is a file that is no socket; remove it or set mirror.channel to another path"
            )
        try:
            async with asyncio.timeout(PROBE_S):
                _, writer = await asyncio.open_unix_connection(str(self._path))
        except (ConnectionRefusedError, FileNotFoundError):
            self._path.unlink(missing_ok=True)
            return
        except TimeoutError as error:
            raise self._taken() from error
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass  # whoever it is, it answered
        raise self._taken()

    def _listen(self) -> None:
        """Not asyncio's server: that one drops the descriptors that come with a proxy's first bytes."""
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._take_connections, self._listener)

    def _take_connections(self, listener: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors are left: asked again at once, it would be the same
                log.error("a proxy's connection cannot be taken", error=str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(NO_DESCRIPTORS_S, self._listen)
                return
            if len(self.connections) >= MOST_CONNECTIONS:
                log.error("a proxy's connection is refused: there are too many", most=MOST_CONNECTIONS)
                sock.close()
                continue
            sock.setblocking(False)
            connection = Connection(ProxyEnd(sock))
            self.connections.add(connection)
            task = connection.reader = spawn(self._serve(connection), "a proxy's connection")
            self._readers.add(task)

    async def _serve(self, connection: Connection) -> None:
        try:
            await self._read(connection)
        except CodecError as error:
            log.error("a proxy's connection is closed: it sent no frames of ours", error=str(error))
        except OSError as error:
            log.warning("a proxy's connection broke", error=str(error))
        except asyncio.CancelledError:
            pass  # closing; what was not read is not ours yet
        except Exception as error:
            log.error("a proxy's connection is closed after a fault of ours", fault=place_of(error))
        finally:
            if connection.reader is not None:
                self._readers.discard(connection.reader)
            self.connections.discard(connection)
            connection.closed.set()
            self._gone(connection)
            connection.end.close()
            if connection.ring is not None:
                connection.ring.close()

    async def _read(self, connection: Connection) -> None:
        frames, end = FrameReader(), connection.end
        data, connection.ring = await end.receive_first(READ_BYTES, HELLO_S)
        if connection.ring is not None:
            end.say(encode(Taken(0)))
        while data:
            for message in frames.feed(data):
                if isinstance(message, Filled):
                    await self._read_ring(connection, message.until)
                elif isinstance(message, Hello):
                    if connection.hello is not None:
                        raise CodecError("a second hello on one connection")
                    connection.hello = message
                    await self._greet(connection)
                else:
                    self._take(connection, message)
            await self._room()
            data = await end.receive(READ_BYTES)

    async def _read_ring(self, connection: Connection, until: int) -> None:
        """What the ring holds came before what follows on the socket, and is held back by the same lack of room."""
        if connection.ring is None:
            raise CodecError("a ring is filled that was not given to us")
        size = 0
        for payload in connection.ring.frames(until):
            self._take(connection, decode(payload))
            size += len(payload)
            if size >= READ_BYTES:
                size = 0
                await self._room()
                await asyncio.sleep(0)  # there are others besides this proxy
        if not connection.end.say(encode(Taken(until))):
            raise CodecError("a proxy fills its ring and does not read what it is told")

    def _take(self, connection: Connection, message: Message) -> None:
        if not isinstance(message, Exchange):
            raise CodecError(f"a proxy does not send this: {type(message).__name__}")
        if connection.hello is None or message.boot != connection.hello.boot:
            raise CodecError("an exchange came before its proxy's hello")
        connection.received[message.route] = connection.received.get(message.route, 0) + 1
        self._accept(message)

    def alarm(self, route: str, reason: str) -> None:
        """Tells every connected proxy; one that does not read is left behind."""
        frame = encode(Alarm(route, reason))
        for connection in self.connections:
            connection.end.say(frame)

    async def evict(self, connection: Connection, patience_s: float) -> None:
        """Waits until a connection has been read to its end, at most `patience_s` seconds; then it is cut."""
        try:
            async with asyncio.timeout(patience_s):
                await connection.closed.wait()
        except TimeoutError:
            if connection.reader is not None:
                connection.reader.cancel()
            await connection.closed.wait()

    async def close(self) -> None:
        """Stops listening, asks the proxies to send no more, reads what they have sent, within a second. The lock stays until `release`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for connection in self.connections:
            connection.end.say(encode(Leaving()))
        if self._readers:
            await asyncio.wait(list(self._readers), timeout=FAREWELL_S)
        for task in list(self._readers):
            task.cancel()
        if self._readers:
            await asyncio.wait(list(self._readers), timeout=5.0)

    def release(self) -> None:
        """Gives the channel to the next shadow: everything of this one is written."""
        if self._bound:
            self._path.unlink(missing_ok=True)
            self._bound = False
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
