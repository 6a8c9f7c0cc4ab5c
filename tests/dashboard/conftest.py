"""A real store, filled through its own writer, and the configuration of a dashboard that reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from differ.facts import Atom
from gate.facts import RouteStanding
from settings.keyfile import make_key
from store.database import Store, open_store
from store.records import AuditRow, Batch, DifferenceText, Ended, Example, OpeningCounts
from traffic.ledger import HANDED, SEEN_SLOT, SENT_SLOT, SERVED_PRIMARY, opening_slot
from traffic.message import Request, Response
from traffic.outcome import Ending

GOOD, BAD, YOUNG = "GET /good/", "GET /bad/{id}/", "GET /young/"
HOSTILE = "<script>alert(1)</script>![x](http://evil.example/x.png) <img src=x onerror=alert(2)> **b** $x$ \u202egnp =1+1"
CONFIG = """
[store]
url = "sqlite+aiosqlite:///parity.db"
[gate]
profile = "demo"
[cutover]
key_file = "parity.key"
[dashboard]
listen = "127.0.0.1:{port}"
"""


@dataclass
class Site:
    """A folder with a configuration, a key and a store."""

    folder: Path
    port: int = 8501
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "paritygate.toml"

    def configure(self, port: int = 8501, host: str = "127.0.0.1") -> None:
        self.config.write_text(CONFIG.format(port=port).replace('listen = "127.0.0.1', f'listen = "{host}'))
        make_key(self.folder / "parity.key")

    def use(self, work: Callable[[Store], Any]) -> Any:
        """Runs `work(store)` on a store of its own."""

        async def scenario() -> Any:
            store = open_store(f"sqlite+aiosqlite:///{self.folder / 'parity.db'}")
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(scenario())

    def standing(self, route: str) -> RouteStanding:
        return self.use(lambda store: store.standing(route))

    def audit(self) -> list[AuditRow]:
        return self.use(lambda store: store.audit(100))

    def upgrade(self) -> None:
        self.use(lambda store: store.upgrade())

    def fill(self, ended: list[Ended]) -> None:
        """Writes the exchanges and the openings that belong to them."""
        for one in ended:
            self.counts[one.route] = self.counts.get(one.route, 0) + one.count
        slot = opening_slot(SERVED_PRIMARY, HANDED)
        routes = {route: {SEEN_SLOT: count, SENT_SLOT: count, slot: count} for route, count in self.counts.items()}

        async def work(store: Store) -> None:
            await store.write(Batch(ended=tuple(ended), openings=(OpeningCounts("boot", "node", routes),)), 5)
            await store.close_units(time.time())

        self.use(work)


def matches(route: str, count: int, span_s: float = 120.0) -> list[Ended]:
    """Clean comparisons, each a unit of its own, spread over the time up to now."""
    start = time.time() - span_s - 10
    return [
        Ended(
            boot="boot",
            route=route,
            at=start + span_s * i / count,
            ending=Ending.COMPARED,
            reason="match" if i % 4 else "tolerated",
            tolerated=() if i % 4 else ("django-headers",),
            epoch=f"epoch-{route}",
            client=f"c{i % 20}",
            unit=f"unit-{route}-{i}",
            window_s=2.0,
            primary_ms=4.0 + i % 3,
            candidate_ms=3.0 + i % 3,
        )
        for i in range(count)
    ]


def mismatches(route: str, count: int, text: str = HOSTILE) -> list[Ended]:
    """Mismatching comparisons with one example whose payload is hostile everywhere."""
    atom = Atom(route, "200/200", "body", "$.price", "type", "str>float")
    header = Atom(route, "200/200", "header", "x-total", "value")
    shown = (DifferenceText(atom, f'"{text}"', "12.5", "$.price", "case"), DifferenceText(header, "=cmd()", None))
    made = []
    for i, clean in enumerate(matches(route, count)):
        example = Example(
            id=f"boot-{route}-{i}",
            route=route,
            at=clean.at,
            live_side="primary",
            client="c1",
            request=Request("GET", b"/bad/7/?q=" + text.encode(), ((b"Host", b"shop.example"), (b"X-Note", text.encode()))),
            primary=Response(
                200,
                ((b"content-type", b"application/json"),),
                b'{"price": "12.50", "name": "' + text.replace('"', "'").encode() + b'"}',
            ),
            candidate=Response(200, ((b"content-type", b"text/html"),), b"<h1>" + text.encode() + b"</h1>"),
            differences=shown,
            tolerated=("django-headers",),
            primary_ms=4.0,
            candidate_ms=3.0,
        )
        made.append(
            Ended(
                boot="boot",
                route=route,
                at=clean.at,
                ending=Ending.COMPARED,
                reason="mismatch",
                epoch=clean.epoch,
                client=clean.client,
                unit=clean.unit,
                window_s=2.0,
                differences=shown,
                example=example,
                primary_ms=4.0,
                candidate_ms=3.0,
            )
        )
    return made


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A store without traffic; the process's environment names its configuration."""
    import streamlit as st

    site = Site(tmp_path)
    site.configure()
    site.upgrade()
    monkeypatch.setenv("PARITYGATE_CONFIG", str(site.config))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield site
    from dashboard.session import opened

    opened(f"sqlite+aiosqlite:///{tmp_path / 'parity.db'}").close()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def filled(empty: Site) -> Site:
    """One route the gate lets pass, one that mismatches, one with too little evidence."""
    empty.fill(matches(GOOD, 200) + mismatches(BAD, 60) + matches(YOUNG, 5))
    return empty
