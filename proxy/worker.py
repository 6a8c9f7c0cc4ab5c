"""One worker process: `python -O -P -m proxy.worker`, started by proxy.crew and by nobody else.

It inherits the front socket, serves clients on it, and is told everything else by its parent over a socket pair: it reads no
configuration, asks no store and writes no decisions. Without its parent it stops accepting at once, finishes and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import structlog

from gate import decision as signed
from proxy.decision_book import DecisionBook
from proxy.drain import WORKER_S
from proxy.errors import ProxyError
from proxy.headcount import Headcount
from proxy.live_path import Identity, LivePath
from proxy.logs import configure_logs
from proxy.orders import (
    MOST_FROM_PARENT,
    Accept,
    Begin,
    Confirmed,
    Drain,
    Enforce,
    Failed,
    FrameReader,
    Order,
    OrderError,
    Raised,
    Ready,
    Report,
    SetPaused,
    SetRoutes,
    Word,
    encode,
)
from proxy.route_rows import table_of
from proxy.service import Service
from proxy.shared_breaker import NotedBreaker
from settings.model import Settings
from store.no_core_dumps import forbid_core_dumps
from store.openings import OpeningsError
from store.tasks import spawn
from traffic.route import RouteTable

REPORT_S = 0.5
MOST_UNSENT = 4 * 1024 * 1024
"""A parent that reads nothing gets no more reports."""

_log = structlog.get_logger("paritygate.proxy")


class Worker:
    """Carries out the orders of one parent. `writer` is the way back to it."""

    def __init__(
        self, writer: asyncio.StreamWriter, front: socket.socket, holders: int, headcount: Headcount, place: int
    ) -> None:
        self._writer, self._front, self._holders = writer, front, holders
        self._headcount, self._place = headcount, place
        self._service: Service | None = None
        self._path: LivePath
        self._breaker = NotedBreaker()
        self._obeying = False
        self._ending: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Reads and carries out orders until there is no parent any more; then drains. Raises what keeps the worker from beginning."""
        frames = FrameReader(MOST_FROM_PARENT)
        try:
            while data := await reader.read(262144):
                for message in frames.feed(data):
                    self._carry_out(message)
        except ConnectionError:
            pass  # it was killed with words of ours unread
        except OrderError as error:
            _log.error("the parent cannot be understood; this worker ends", place=self._place, reason=str(error))
        if self._ending is None:
            _log.warning("the parent is gone; this worker ends", place=self._place)
        self.end(for_all=True)

    def end(self, for_all: bool = False) -> None:
        """Begins to drain; once is enough."""
        if self._ending is None:
            self._ending = spawn(self._end(for_all), "end")

    async def report(self) -> None:
        """Tells the parent, again and again, what is under way."""
        while True:
            await asyncio.sleep(REPORT_S)
            self._report()

    def _carry_out(self, order: Order | Word) -> None:
        if isinstance(order, Begin):
            self._begin(order)
            return
        if self._service is None or isinstance(order, Ready | Failed | Confirmed | Raised | Report):
            raise OrderError(f"a {type(order).__name__} out of turn")
        self._obeying = True
        try:
            if isinstance(order, SetRoutes):
                self._path.routes = table_of(order.rows, self._path.settings.routes.max)
            elif isinstance(order, Enforce):
                self._enforce(order)
            elif isinstance(order, SetPaused):
                self._path.paused = order.paused
            elif isinstance(order, Accept):
                self._accept(self._service)
            elif isinstance(order, Drain):
                if order.at_once:
                    self._service.cut_short()
                self.end()
        except ValueError as error:  # routes that are none; the parent has read them before
            raise OrderError(str(error)) from error
        finally:
            self._obeying = False
        self._say(Confirmed(order.number))

    def _begin(self, order: Begin) -> None:
        settings = Settings(**json.loads(order.settings)).located(
            Path(order.base), Path(order.source) if order.source else None
        )
        book = DecisionBook(None, order.key, time.time)
        book.on_alarm = self._raised
        self._path = LivePath(settings, order.key, RouteTable(()), Identity(order.boot, order.node), book)
        self._path.breaker = self._breaker
        self._service = Service(self._path, self._place)
        self._say(Ready(str(self._path.openings.path)))

    def _enforce(self, order: Enforce) -> None:
        book = self._path.book
        try:
            book.offer_all([signed.decode(text) for text in order.decisions])  # each signature is checked again
        except ValueError as error:
            raise OrderError(f"a decision that is none: {error}") from error
        for route, seq in order.alarms:
            book.overrule(route, seq, "raised by another worker")

    def _accept(self, service: Service) -> None:
        if self._ending is None:
            self._headcount.clear()
            service.start(self._front, self._headcount)
            gc.collect()
            gc.freeze()  # what was imported stays: the collector need not look through it ever again

    def _raised(self, route: str, seq: int, reason: str) -> None:
        if not self._obeying:
            self._say(Raised(route, seq, reason[:200]))

    def _report(self) -> None:
        if self._service is not None and self._writer.transport.get_write_buffer_size() < MOST_UNSENT:
            self._say(Report.of(self._service.standing(), self._breaker.take()))

    def _say(self, word: Word) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(word))

    async def _end(self, for_all: bool) -> None:
        try:
            if self._service is not None:
                draining = spawn(self._service.drain(for_all), "drain")
                await asyncio.sleep(0)  # the port is given up by now
                self._front.close()
                if self._holders >= 0:
                    os.close(self._holders)
                self._report()
                await draining
                self._report()
                await self._service.close()
        finally:
            self.ended.set()


async def _work(options: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    orders = socket.socket(fileno=options.orders)
    orders.setblocking(False)
    _watch_parent(os.dup(orders.fileno()))
    reader, writer = await asyncio.open_unix_connection(sock=orders)
    headcount = Headcount(options.headcount, options.places, options.place, time.monotonic)
    worker = Worker(writer, socket.socket(fileno=options.front), options.holders, headcount, options.place)
    loop.add_signal_handler(signal.SIGTERM, worker.end)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is for the parent, which then ends its workers in order
    obeying = spawn(worker.obey(reader), "orders")
    reporting = spawn(worker.report(), "reports")
    ended = spawn(worker.ended.wait(), "ended")
    try:
        await asyncio.wait([obeying, ended], return_when=asyncio.FIRST_COMPLETED)
        if obeying.done() and (error := obeying.exception()) is not None:
            if not isinstance(error, ProxyError | OpeningsError):
                _log.error("a worker cannot begin: this is a bug", exc_info=error)
            writer.write(encode(Failed(str(error) or type(error).__name__)))
            return 4
        await worker.ended.wait()
        return 0
    finally:
        reporting.cancel()
        try:
            async with asyncio.timeout(1.0):
                await writer.drain()
        except (OSError, TimeoutError):
            pass


def _watch_parent(lifeline: int) -> None:
    """Whatever the event loop is stuck in: some time after the parent has gone, this process is gone too."""

    def watch() -> None:
        waiter = select.poll()
        waiter.register(lifeline, select.POLLRDHUP)
        waiter.poll()
        time.sleep(WORKER_S + 1.0)
        os._exit(70)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def main(arguments: list[str]) -> None:
    """Runs one worker; the process ends here."""
    parser = argparse.ArgumentParser(prog="proxy.worker", description="started by `paritygate proxy` only")
    for name in ("front", "orders", "holders", "headcount", "place", "places"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--serves", default="", help="the address, for whoever looks at the list of processes")
    options = parser.parse_args(arguments)
    forbid_core_dumps()
    configure_logs()
    logging.getLogger("mitmproxy").setLevel(logging.WARNING)
    loop = asyncio.new_event_loop()
    code = loop.run_until_complete(_work(options))
    logging.shutdown()  # the last lines, for a bounded time
    # Nothing is left to be done, and a thread that still looks up a name or syncs a file must not hold up the end.
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
