"""Nothing secret is in the database, in any file of the shadow, in logs, exports or what the commands print."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import zstandard
from planted_secrets import SEEN, Planted, forms, planted
from shadow_backends import Seen, always, answer, backend, by
from shadow_stage import Proxy, configured, running
from sqlalchemy import make_url
from typer.testing import CliRunner

from cli.main import app
from export.case_lines import export_cases
from export.curl import curl_line
from export.pytest_files import export_pytest
from rules.load import EMPTY
from store.database import open_store
from store.records import Example
from traffic.route import Route, RouteTable

ROUTES = RouteTable([Route("GET", "/a"), Route("POST", "/a", mirror="writes"), Route("GET", "/a/{rest}")])
SECTIONS: dict[str, dict[str, Any]] = {
    "redact": {
        "query": ("voucher",),
        "json": ("$..password", "$..token", "$..secret", "$.user.pin", "$.cards[?@.kind == 'x'].cvc"),
    },
    "store": {"keep_examples": 100},
}
ROUNDS = 3
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass
class Searched:
    """Everything that was written, by where; a compressed piece stands there a second time, readable."""

    pieces: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, data: object) -> None:
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        if not isinstance(data, bytes):
            data = repr(data).encode()
        self.pieces.append((where, data))
        if data.startswith(_ZSTD):
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as reader:
                self.pieces.append((f"{where}, decompressed", reader.read()))

    def files(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add(str(path.relative_to(folder)), path.read_bytes())

    def places_of(self, form: bytes) -> list[str]:
        return [where for where, data in self.pieces if form in data]

    def leaks(self, exchanges: list[Planted]) -> list[str]:
        everything = b"\0".join(data for _, data in self.pieces)
        return [
            f"{exchange.place}: {form[:60]!r} in {self.places_of(form)[:4]}"
            for exchange in exchanges
            for secret in exchange.secrets
            for form in forms(secret)
            if form in everything
        ]


async def _play(folder: Path, url: str, exchanges: list[Planted], searched: Searched) -> list[Example]:
    """Sends them all through a real shadow into a real store; searches its files while they are open."""

    def theirs(seen: Seen) -> bytes:
        return exchanges[int(seen.header(b"x-number") or b"0")].candidate

    store = open_store(url)
    await store.upgrade()
    try:
        async with backend(always(answer(503))) as first, backend(by(theirs)) as second:
            settings = configured(folder, first.url, second.url, **SECTIONS)
            async with running(settings, store, ROUTES):
                proxy = Proxy.made(settings)
                await proxy.connect()
                for number, one in enumerate(exchanges):
                    label = "GET /a/{rest}" if one.target.startswith(b"/a/") else f"{one.method} /a"
                    proxy.send(proxy.exchange(one.live, one.target, label, f"c{number}", one.headers, one.method, one.body))
                await until_counted(store, proxy.boot, len(exchanges))
                searched.files(folder)
                await proxy.die()
        kept: dict[str, Example] = {}
        for cluster in await store.clusters():
            searched.add("cluster", cluster)
            for example in await store.examples(cluster.id):
                kept[example.id] = example
        return list(kept.values())
    finally:
        await store.close()


async def until_counted(store: Any, boot: str, count: int) -> None:
    async with asyncio.timeout(60):
        while sum((await store.ended_counts(boot)).values()) < count:
            await asyncio.sleep(0.1)


def _exported(examples: list[Example], searched: Searched) -> None:
    for name, content in export_pytest(examples, EMPTY, date(2026, 1, 1)).items():
        searched.add(f"exported {name}", content)
    searched.add("case file", export_cases(examples, EMPTY))
    for example in examples:
        searched.add("curl", curl_line(example))
        searched.add("example", example)


def _rows_of_sqlite(path: Path) -> Iterator[tuple[str, object]]:
    connection = sqlite3.connect(path)
    try:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from ((table, value) for value in row)
    finally:
        connection.close()


async def _rows_of_postgres(url: str) -> list[tuple[str, object]]:
    parsed = make_url(url)
    connection = await asyncpg.connect(user="postgres", host=str(parsed.query["host"]), database=parsed.database)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [
            (table["tablename"], value)
            for table in tables
            for row in await connection.fetch(f'SELECT * FROM "{table["tablename"]}"')
            for value in row.values()
        ]
    finally:
        await connection.close()


def _check(searched: Searched, exchanges: list[Planted], examples: list[Example], logged: str) -> None:
    searched.add("stdout and stderr", logged)
    secrets = [secret for exchange in exchanges for secret in exchange.secrets]
    assert len(set(secrets)) == len(secrets)
    assert len(secrets) >= 200
    assert len({exchange.place for exchange in exchanges}) >= 33
    assert searched.places_of(SEEN.encode()), "the search sees nothing"
    numbers = {dict(example.request.headers).get(b"X-Number") for example in examples}
    missing = {exchanges[n].place for n in range(len(exchanges)) if str(n).encode() not in numbers}
    assert not missing, "exchanges of which no example is kept show nothing"
    assert searched.leaks(exchanges) == []


def test_sqlite_holds_no_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """[T17] 200 secrets in all places; every byte of database, -wal, -shm and state, all logs, exports and printed JSON."""
    exchanges, searched = planted(17, ROUNDS), Searched()
    path = tmp_path / "store.db"
    examples = asyncio.run(_play(tmp_path, f"sqlite+aiosqlite:///{path}", exchanges, searched))
    searched.files(tmp_path)
    for where, value in _rows_of_sqlite(path):
        searched.add(where, value)
    _exported(examples, searched)
    config = tmp_path / "paritygate.toml"
    config.write_text(f'[store]\nurl = "sqlite+aiosqlite:///{path}"\n', encoding="utf-8")
    for arguments in (["mismatches", "--json"], *(["show", example.id, "--json"] for example in examples[::9])):
        printed = CliRunner().invoke(app, [*arguments, "--config", str(config)])
        assert json.loads(printed.stdout)
        searched.add(" ".join(arguments), printed.stdout)
    out, err = capfd.readouterr()
    _check(searched, exchanges, examples, out + err)


def test_postgres_holds_no_secret(tmp_path: Path, postgres_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """[T17] The same, in every row of every table of a PostgreSQL."""
    exchanges, searched = planted(18, ROUNDS), Searched()
    examples = asyncio.run(_play(tmp_path, postgres_url, exchanges, searched))
    searched.files(tmp_path)
    for where, value in asyncio.run(_rows_of_postgres(postgres_url)):
        searched.add(where, value)
    _exported(examples, searched)
    out, err = capfd.readouterr()
    _check(searched, exchanges, examples, out + err)
