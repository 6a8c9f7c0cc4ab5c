"""Runs the parts of one machine as child processes: starts them, restarts what dies, ends all of them.

A part that dies is started again at once, and when it dies again after pauses that double from 0.2 s up to 30 s and fall back once it
has lived for a minute.
A part that ends with a usage or configuration error (2) at once is not started again: the same would happen. Only the proxy is
essential: a mirror or a dashboard that cannot run must not take live traffic down.
When the supervisor is killed its parts end by themselves, as if asked to (cli.orphan).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.codes import Exit
from cli.orphan import supervised
from proxy.backoff import STEADY_S, Backoff
from store.tasks import spawn

PATIENCE_S = 25.0
"""For each part; a proxy's drain takes proxy.drain.WORKER_S at most, and some seconds more to say good-bye."""


@dataclass(frozen=True, slots=True)
class Part:
    """One child process. `essential`: when it cannot be started at all, everything ends."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    essential: bool = True


@dataclass
class _Child:
    part: Part
    process: Process | None = None
    starts: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Keeps the parts running until `stop`. `report` gets one sentence per event."""

    def __init__(self, parts: Sequence[Part], report: Callable[[str], None]) -> None:
        self._children = {part.name: _Child(part) for part in parts}
        self._report = report
        self._stopping = asyncio.Event()
        self.failure: int | None = None

    def pid(self, name: str) -> int | None:
        """The process id of a part, None while it is down."""
        process = self._children[name].process
        return process.pid if process is not None and process.returncode is None else None

    def starts(self, name: str) -> int:
        """How often the part has been started."""
        return self._children[name].starts

    def start(self) -> None:
        """Starts all parts; returns at once."""
        for child in self._children.values():
            spawn(self._keep(child), f"supervise-{child.part.name}")

    async def wait(self) -> int:
        """Waits until a stop was asked for or an essential part cannot run; the exit code."""
        await self._stopping.wait()
        return self.failure or Exit.OK

    def ask_to_stop(self) -> None:
        """Ends `wait`; for signal handlers."""
        self._stopping.set()

    async def stop(self, patience: float = PATIENCE_S) -> None:
        """Ends every child: SIGTERM in the order of the parts, one after the other, then SIGKILL for what is left after `patience`."""
        self._stopping.set()
        for child in self._children.values():
            process = child.process
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(patience):
                    await child.ended.wait()
            except TimeoutError:
                self._report(f"{child.part.name}: did not end within {patience:.0f} s, killed")
                if child.process is not None and child.process.returncode is None:
                    child.process.kill()
                await child.ended.wait()

    async def _keep(self, child: _Child) -> None:
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                begun = loop.time()
                code = await self._run(child)
                if self._stopping.is_set():
                    return
                lived = loop.time() - begun
                early = child.starts == 1 and lived < STEADY_S
                if child.part.essential and early and code in (Exit.USAGE, Exit.UNREACHABLE):
                    self._report(f"{child.part.name}: cannot run (exit {code})")
                    self.failure = code
                    self._stopping.set()
                    return
                if code == Exit.USAGE and early:
                    self._report(f"{child.part.name}: cannot run (exit {code}); the rest goes on without it")
                    return
                pause = backoff.after(lived)
                self._report(
                    f"{child.part.name}: ended (exit {code}), started again {f'in {pause:.1f} s' if pause else 'at once'}"
                )
                try:
                    async with asyncio.timeout(pause):
                        await self._stopping.wait()
                except TimeoutError:
                    pass
        finally:
            child.ended.set()

    async def _run(self, child: _Child) -> int:
        log = child.part.log.open("ab") if child.part.log is not None else None
        try:
            child.process = await asyncio.create_subprocess_exec(
                *child.part.command,
                env=supervised(child.part.env if child.part.env is not None else os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log if log is not None else sys.stderr.fileno(),
                stderr=log if log is not None else sys.stderr.fileno(),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then ends its parts in order
            )
        finally:
            if log is not None:
                log.close()
        child.starts += 1
        return await child.process.wait()
