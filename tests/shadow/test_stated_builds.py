"""The version URL and the declared build: asked within bounds, kept through outages and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from shadow_backends import Seen, always, answer, backend, document
from shadow_stage import Proxy, configured, ok, running

from shadow.builds import Builds
from shadow.stated_builds import StatedBuilds
from shadow.version_url import MOST_BYTES, VersionError, VersionUrl, named_in
from store.database import Store, open_store
from store.declared_builds import declare_build
from store.tasks import spawn
from traffic.build import BuildError
from traffic.message import Response

NOW = 1_800_000_000.0
TEXT = [("Content-Type", "text/plain")]


def reply(body: bytes, kind: str = "text/plain", status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def answering(text: Callable[[], bytes]) -> AsyncIterator[str]:
    """A candidate that answers each request with `text()` and then, where that is cut short, with nothing more."""
    held: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text())
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/version"
    finally:
        for writer in held:
            writer.close()
        server.close()


async def asked(text: bytes, deadline_s: float = 10.0) -> str:
    async with answering(lambda: text) as url:
        version = VersionUrl(url, deadline_s)
        try:
            return await version.ask()
        finally:
            await version.close()


@pytest.mark.parametrize(
    ("body", "kind", "build"),
    [
        (b"abc123\n", "text/plain", "abc123"),
        (b'"abc123"', "application/json", "abc123"),
        (b'{"version": "1.2.3", "sha": "abc123"}', "application/json", "abc123"),
        (b'{"status": "ok", "build": 417}', "application/json; charset=utf-8", "417"),
        (b'{"version": "v1"}', "application/health+json", "v1"),
        (b'{"commit": "", "revision": "r9"}', "text/plain", "r9"),
        (b"sha256:0123abcd", "application/octet-stream", "sha256:0123abcd"),
    ],
)
def test_text_and_json_name_a_build(body: bytes, kind: str, build: str) -> None:
    assert asyncio.run(asked(reply(body, kind))) == build


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (reply(b"<html>not found</html>", "text/html"), "is a page, and no version: is the path right?"),
        (reply(b"<!doctype html>"), "is a page"),
        (reply(b"a\nb"), "several lines"),
        (reply(b"two words"), "is no name"),
        (reply(b""), "the build is empty"),
        (reply(b"x" * 201), "has 201 signs, at most 200"),
        (reply(b"\xff\xfe"), "not UTF-8"),
        (reply(b"{", "application/json"), "not JSON"),
        (reply(b"[" * 20_000, "application/json"), "not JSON"),
        (reply(b"[1]", "application/json"), "neither a text nor an object"),
        (reply(b"true", "application/json"), "neither a text nor an object"),
        (reply(b'{"status": "ok", "build": ["x"]}', "application/json"), "names no build: one of build, sha, commit"),
        (reply(b"abc", status="404 Not Found"), "status 404, 200 is expected"),
        (reply(b"abc", status="302 Found"), "status 302"),
        (reply(b"x" * (MOST_BYTES + 1)), f"more than {MOST_BYTES} bytes"),
        (b"garbage\r\n\r\n", "/version: "),
    ],
)
def test_what_names_no_build_is_said_with_the_url(text: bytes, sentence: str) -> None:
    with pytest.raises(VersionError, match=sentence) as caught:
        asyncio.run(asked(text))
    assert str(caught.value).startswith("http://127.0.0.1:")


def test_an_answer_that_does_not_end_is_given_up_at_the_deadline() -> None:
    with pytest.raises(VersionError, match=r"no complete answer within 0.3 s"):
        asyncio.run(asked(reply(b"abc", length=1000), 0.3))


def test_an_answer_that_drips_stretches_the_deadline_by_nothing() -> None:
    """A byte every 50 ms would satisfy a limit on each read for ever."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"", length=1000))
        try:
            for _ in range(100):
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def scenario() -> str:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        version = VersionUrl(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/version", 0.3)
        try:
            return await version.ask()
        finally:
            await version.close()
            server.close()

    with pytest.raises(VersionError, match=r"no complete answer within 0.3 s"):
        asyncio.run(scenario())


def test_a_body_s_text_is_in_no_message() -> None:
    """It may hold what nobody should read in a log; a name that is nearly one is shown, so that it can be mended."""
    with pytest.raises(BuildError) as caught:
        named_in(b'{"password": "hunter2hunter2"}', "application/json")
    assert "hunter2" not in str(caught.value)


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite+aiosqlite:///{folder / 'parity.db'}")
    await store.upgrade()
    try:
        yield store
    finally:
        await store.close()


def test_a_declared_build_reaches_a_running_shadow_and_one_that_starts_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with store_in(tmp_path) as store:
            await declare_build(store, "d1", "ada", "", NOW)
            builds = Builds("X-Build")
            stated = StatedBuilds(builds, store, None, every_s=0.02)
            await stated.look()
            assert builds.of(Response(200)) == "d1"
            running = spawn(stated.run(), "stated builds")
            await declare_build(store, "d2", "ada", "a new one", NOW + 1)
            async with asyncio.timeout(10):
                while builds.of(Response(200)) != "d2":
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
            later = Builds("X-Build")
            await StatedBuilds(later, store, None).look()
            assert later.of(Response(200)) == "d2"

    asyncio.run(scenario())


def test_outages_of_the_version_url_and_the_store_keep_the_build(tmp_path: Path) -> None:
    """An outage is no new build; what is said once it is over counts again."""
    says = [reply(b"v1")]

    async def scenario() -> None:
        async with store_in(tmp_path) as store, answering(lambda: says[0]) as url:
            builds = Builds("X-Build")
            stated = StatedBuilds(builds, store, url)
            await stated.look()
            assert builds.of(Response(200)) == "v1"
            says[0] = reply(b"down", status="503 Service Unavailable")
            (tmp_path / "parity.db").write_bytes(b"no database" * 1000)
            await stated.look()
            assert builds.of(Response(200)) == "v1"
            says[0] = reply(b"v2")
            await stated.look()
            assert builds.of(Response(200)) == "v2"

    asyncio.run(scenario())


def test_a_declaration_and_a_version_url_start_the_evidence_of_a_running_shadow_anew(tmp_path: Path) -> None:
    """The whole shadow, before and after a restart: a candidate that names no build gets a new epoch with each build that is stated."""
    says = ["v1"]

    async def candidate(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, says[0].encode(), TEXT) if seen.target == b"/version" else document({"a": 1}))
        await writer.drain()

    async def scenario() -> None:
        async with backend(always(document({"a": 1}))) as first, backend(candidate) as second, store_in(tmp_path) as store:
            proxy = Proxy.made(configured(tmp_path, first.url, second.url))
            known: list[str] = []

            async def next_epoch() -> str:
                """Sends exchanges until one is counted in an epoch that was not seen before."""
                async with asyncio.timeout(20):
                    while True:
                        proxy.send(proxy.exchange(ok({"a": 1})))
                        await asyncio.sleep(0.05)
                        epoch = (await store.evidence("GET /a")).epoch
                        if epoch and epoch not in known:
                            known.append(epoch)
                            return epoch

            async def counted() -> int:
                ledger = (await store.ledgers()).get("GET /a")
                return ledger.compared if ledger is not None else 0

            settings = configured(tmp_path, first.url, second.url)
            async with running(settings, store):
                await proxy.connect()
                await next_epoch()
                await declare_build(store, "d1", "ada", "", NOW)
                declared = await next_epoch()
                await proxy.close()
            async with running(settings, store):
                await proxy.connect()
                before = await counted()
                async with asyncio.timeout(20):
                    while await counted() == before:
                        proxy.send(proxy.exchange(ok({"a": 1})))
                        await asyncio.sleep(0.05)
                assert (await store.evidence("GET /a")).epoch == declared, "it holds from the first comparison on"
                await proxy.close()
            candidate_at = settings.candidate.model_copy(update={"version_url": "/version"})
            async with running(settings.model_copy(update={"candidate": candidate_at}), store):
                await proxy.connect()
                await next_epoch()
                says[0] = "v2"
                await next_epoch()
                await proxy.close()
            proxy.openings.close()

    asyncio.run(scenario())
