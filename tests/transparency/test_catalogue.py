"""Several hundred odd but legal exchanges, each played against the backend itself and through the proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mitmproxy.version import VERSION

from proxy.plain_head import request_head
from tests.transparency import answers_catalogue, lives_catalogue, requests_catalogue
from tests.transparency.differences import NEVER, differences
from tests.transparency.exchange import Exchange
from tests.transparency.listed import REASONS, TABLE, expected, render
from tests.transparency.raw_client import Seen


def for_plain_path(exchange: Exchange) -> bool:
    """Whether the plain path takes its first request, so that the same has to be seen without it."""
    first = exchange.asks[0]
    return isinstance(first, bytes) and request_head(first) is not None


CASES = (*requests_catalogue.exchanges(), *answers_catalogue.exchanges(), *lives_catalogue.exchanges())
EXCHANGES = {exchange.name: exchange for exchange in CASES}
EXPECTED = expected()
ROOT = Path(__file__).parents[2]
PLAYED = [("plain path", name) for name in EXCHANGES]
PLAYED += [("layers", name) for name, exchange in EXCHANGES.items() if for_plain_path(exchange)]
DIRECT: dict[str, Seen] = {}
"""What came of each case without a proxy; it is the same for both of the proxy's ways."""


@pytest.mark.parametrize(("theatre", "name"), PLAYED, indirect=["theatre"])
def test_only_what_is_listed_differs_through_the_proxy(theatre: Any, name: str) -> None:
    """[R-TRA-1] [B1] [B3] [B4] [B5] [B6] [B7] [B8] [B9] [B10] [B11] [B12] An odd but legal exchange is the same through the proxy,
    for the client and for the backend: a difference that is not listed fails, and so does a listed one that does not occur."""
    exchange = EXCHANGES[name]
    direct = DIRECT.get(name) or DIRECT.setdefault(name, theatre.direct(exchange))
    assert not direct.hung, "the case itself hangs"
    found = differences(direct, theatre.proxied(exchange))
    assert found == EXPECTED.get(name, frozenset())


def test_the_docs_show_this_table() -> None:
    """docs/transparency.md holds the rows that listed.render writes, and the catalogue's size."""
    shown = (ROOT / "docs" / "transparency.md").read_text(encoding="utf-8")
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert [row for row in render().splitlines() if row.startswith("| ") and row not in rows] == []
    reasons = tuple(f"| {reason} |" for reason in REASONS.values())
    assert [row for row in rows if row.startswith(reasons) and row not in render()] == []
    assert f"{len(EXCHANGES)} exchanges of odd but legal HTTP/1" in shown


def test_the_table_is_closed() -> None:
    """Each listed case exists and is listed once, each reason is used, and nothing excuses a hang or a connection out of step."""
    listed = [name for row in TABLE if VERSION.startswith(row.mitmproxy) for name in row.names]
    assert sorted(listed) == sorted(EXPECTED)
    assert set(listed) <= set(EXCHANGES)
    assert {row.reason for row in TABLE} == set(REASONS)
    assert not any(row.differences & NEVER for row in TABLE)
    assert len(EXCHANGES) == len(CASES) > 500
