"""Answers made to break what reads them: bodies that unfold, JSON that no parser likes. Each ends with a verdict, in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from shadow_backends import Seen, answer, backend, by, document
from shadow_stage import JSON, KEY, Proxy, configured, ok, until

from rules.load import EMPTY
from shadow.serve import Shadow
from store.database import open_store
from traffic.ledger import Ledger
from traffic.message import Response
from traffic.route import Route, RouteTable

HOSTILE = {
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and open": b"[" * 100_000,
    "large integer": b'{"a": ' + b"9" * 6000 + b"}",
    "large exponent": b'{"a": 1e999999999}',
    "not a number": b'{"a": NaN, "b": Infinity, "c": -Infinity}',
    "duplicate keys": b'{"a": 1, "a": 2, "a": 1}',
    "lone surrogate": rb'{"a": "\ud800", "\udfff": 1}',
    "zero byte": rb'{"a": "x\u0000y"}',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "many keys": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(20_000)) + b"}",
    "nothing": b"",
}


def as_live(body: bytes) -> Response:
    return Response(200, (*JSON, (b"Content-Length", str(len(body)).encode())), body)


def pairs() -> Iterator[tuple[str, str]]:
    """Which body is live and which is the candidate's: each against itself, against a plain one, both ways, and against the next."""
    names = list(HOSTILE)
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        yield name, name
        yield name, "plain"
        yield "plain", name
        yield name, other


def test_every_hostile_document_gets_a_verdict_on_either_side(tmp_path: Path) -> None:
    """[F-9] [T8] Through everything that reads a body, the store and the redaction of examples included; no exception is lost."""
    bodies = {**HOSTILE, "plain": b'{"a": 1}'}
    asked = list(pairs())

    def side(at: int) -> object:
        return by(lambda seen: answer(200, bodies[asked[int(seen.target.rpartition(b"=")[2])][at]]))

    async def scenario() -> Ledger:
        async with backend(side(0)) as first, backend(side(1)) as second:  # type: ignore[arg-type]
            settings = configured(tmp_path, first.url, second.url)
            store = open_store(settings.store_url)
            await store.upgrade()
            shadow = Shadow(settings, KEY, EMPTY, store, RouteTable([Route("GET", "/a")]))
            await shadow.start()
            proxy = Proxy.made(settings)
            await proxy.connect()
            for number, (live, _) in enumerate(asked):
                proxy.send(proxy.exchange(as_live(bodies[live]), b"/a?n=%d" % number, client=f"c{number}"))
            await until(lambda: shadow.received == len(asked) and not shadow.held, 60)
            await shadow.stop()
            await proxy.die()
            total = (await store.ledgers())["GET /a"]
            await store.close()
            return total

    total = asyncio.run(scenario())
    assert total.violations() == []
    assert (total.compared, total.pending) == (len(asked), 0), total
    assert total.verdicts["match"] == len(HOSTILE), "equal bytes are equal whatever they hold"
    assert total.verdicts["mismatch"] > len(HOSTILE)


def bombs(megabytes: int) -> dict[str, bytes]:
    """Content-Encoding to a small body that unfolds to so many MB, or to a body that does."""
    zeros = [b"0" * 1_000_000] * megabytes
    plain = zlib.compressobj(6, zlib.DEFLATED, 31)
    gzipped = b"".join(map(plain.compress, zeros)) + plain.flush()
    coder = brotli.Compressor(quality=1)
    br = b"".join(map(coder.process, zeros)) + coder.finish()
    zstd = zstandard.ZstdCompressor(level=1).compressobj()
    zst = b"".join(map(zstd.compress, zeros)) + zstd.flush()
    made = {"gzip": gzipped, "br": br, "zstd": zst, "gzip, gzip": gzip.compress(gzipped)}
    assert all(len(body) < 300_000 for body in made.values())
    return made


def memory_of(process: int) -> int:
    """The most resident memory that a process ever had, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


@pytest.mark.parametrize(("count", "megabytes"), [(24, 60), pytest.param(200, 200, marks=pytest.mark.soak)])
def test_bombs_are_judged_in_little_memory(tmp_path: Path, count: int, megabytes: int) -> None:
    """[F-8] [T8] Packed into some KB, on both sides: less than 50 MB more in the shadow's process, however much they unfold to."""
    made = list(bombs(megabytes).items())

    def bomb(seen: Seen) -> bytes:
        number = int(seen.target.rpartition(b"=")[2])
        if number < 0:
            return document({"a": 1})
        coding, body = made[number % len(made)]
        return answer(200, body, [("Content-Encoding", coding), ("X-Number", str(number))])

    async def scenario() -> None:
        async with backend(by(bomb)) as first, backend(by(bomb)) as second:
            settings = configured(tmp_path, first.url, second.url)
            script = Path(__file__).with_name("shadow_process.py")
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(script), str(tmp_path), first.url, second.url, stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            store = open_store(settings.store_url)
            try:
                assert b"ready" in await asyncio.wait_for(process.stdout.readline(), 60)
                proxy = Proxy.made(settings)
                await proxy.connect()
                for number in range(100):
                    proxy.send(proxy.exchange(ok({"a": 1}), b"/a?n=%d" % -number, client=f"c{number}"))
                await all_ended(store, proxy, 100)
                before = memory_of(process.pid)
                for number in range(count):
                    coding, body = made[number % len(made)]
                    headers = (*JSON, (b"Content-Encoding", coding.encode()))
                    live = Response(200, headers, body) if number % 2 else ok({"a": 1})
                    proxy.send(proxy.exchange(live, b"/a?n=%d" % number, client=f"c{number}"))
                await all_ended(store, proxy, 100 + count)
                grown = memory_of(process.pid) - before
                ledger = (await store.ledgers())["GET /a"]
                await proxy.die()
            finally:
                process.terminate()
                await asyncio.wait_for(process.wait(), 30)
                await store.close()
            assert grown < 50_000_000
            assert ledger.compared == 100 + count
            assert ledger.verdicts["match"] <= 100, "nothing is known of what was not unfolded"
            assert ledger.verdicts["inconclusive"] >= count // 2

    async def all_ended(store: object, proxy: Proxy, count: int) -> None:
        async with asyncio.timeout(60):
            while sum((await store.ended_counts(proxy.boot)).values()) < count:  # type: ignore[attr-defined]
                await asyncio.sleep(0.1)

    asyncio.run(scenario())


@pytest.mark.soak
def test_every_hostile_document_again_and_again_in_flat_memory(tmp_path: Path) -> None:
    """[F-9] Thirty times over, in one process."""
    for turn in range(30):
        (tmp_path / str(turn)).mkdir()
        test_every_hostile_document_gets_a_verdict_on_either_side(tmp_path / str(turn))
