"""One end that no database takes, among 500: the others are stored whole, and it is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from store_feed import DIFFERENCES, fed

import shadow.recorder
from differ.facts import Atom
from differ.rule_use import Suppressed
from store.records import DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import Ending

HOSTILE = "a\0b\ud800\\u0000‮' ); DROP TABLE audit; -- 𐍈"
HUGE = "é" * 5_000_000
BODY = (Response(200, ((b"\0\xff" * 50_000, b"\0" * 100_000),), b"[" * 10_000_000), Response(10**40, (), b"\0" * 10_000_000))


def plain() -> Ended:
    return Ended("boot", "GET /a", 1e6, Ending.COMPARED, "mismatch", epoch="e", client="c", unit="u", differences=DIFFERENCES)


def with_example(**changes: Any) -> Ended:
    example = Example("poison", "GET /a", 1e6, "primary", "c", Request("GET", b"/"), *BODY, DIFFERENCES)
    return replace(plain(), example=replace(example, **changes))


def named(name: str) -> Ended:
    atom = Atom("GET /a", name, "body", name, name, name)
    texts = (DifferenceText(atom, name, name, name, name),)
    example = Example(name, name, 1e6, name, name, Request(name, b"/"), *BODY, texts, (name,), name, name, name)
    return replace(
        plain(), route=name, boot=name, epoch=name, client=name, unit=name, tolerated=(name,), suppressed=(Suppressed(name, name),),
        judged=(200, name), differences=texts, example=example,
    )  # fmt: skip


HARMLESS: dict[str, Callable[[], Ended]] = {
    "hostile text everywhere": lambda: named(HOSTILE),
    "10 MB of text everywhere": lambda: named(HUGE),
    "huge and deep bodies": with_example,
    "times that are no numbers": lambda: replace(plain(), at=float("nan"), primary_ms=float("nan"), candidate_ms=float("-inf")),
    "a window that is no number": lambda: replace(plain(), window_s=float("nan")),
    "10,000 differences": lambda: replace(
        plain(),
        differences=tuple(DifferenceText(Atom("GET /a", "", "body", f"$.{n}", "value"), "1", "2") for n in range(10_000)),
    ),
}
POISON: dict[str, Callable[[], Ended]] = {
    "a status beyond 64 bits": lambda: replace(plain(), judged=(2**64, "text/html")),
    "a moment beyond 64 bits": lambda: replace(plain(), at=1e300),
    "a count of differences beyond 64 bits": lambda: replace(
        plain(), tolerated=("r",), suppressed=(Suppressed("r", "", 2**70),)
    ),
    "no text at all": lambda: replace(plain(), epoch=17),  # type: ignore[arg-type]
}


QUICK = ("hostile text everywhere", "times that are no numbers", "a status beyond 64 bits")


def _marked(names: Iterable[str]) -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak) for name in names]


def among(url: str, poison: Ended, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, int], dict[str, int], list[str], int]:
    """What became of it among 499 others: the verdicts and losses of all routes, what was said, and examples kept of the others."""
    monkeypatch.setattr(shadow.recorder, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(shadow.recorder, "LONGEST_PAUSE_S", 0.01)

    async def run() -> tuple[dict[str, int], dict[str, int], list[str], int]:
        async with fed(url) as feed:
            async with feed.recorder.commit:  # so that it is one batch
                feed.put(250)
                feed.held.received(poison.boot, poison.route)
                feed.recorder.put(poison)
                feed.put(249)
            await feed.settled()
            assert feed.held.total == 0
            ledgers = (await feed.store.ledgers()).values()
            verdicts = [item for ledger in ledgers for item in ledger.verdicts.items()]
            lost = [item for ledger in ledgers for item in ledger.lost.items()]
            row = next(row for row in await feed.store.route_rows() if row.route == "GET /a")
            assert row.evidence.open_units + row.evidence.n >= 499
            kept = [name for cluster in await feed.store.clusters() for name in cluster.example_ids if name.startswith("xu")]
            assert await feed.store.check() == []
            totals = [{name: sum(n for other, n in items if other == name) for name, _ in items} for items in (verdicts, lost)]
            return totals[0], totals[1], feed.said, len(set(kept))

    return asyncio.run(run())


@pytest.mark.parametrize("name", _marked(HARMLESS))
def test_what_is_only_odd_is_stored_with_the_others(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[T24] NUL, lone surrogates, NaN, endless names, huge bodies: 500 of 500."""
    assert among(url, HARMLESS[name](), monkeypatch) == ({"match": 450, "mismatch": 50}, {}, [], 5)


@pytest.mark.parametrize("name", _marked(POISON))
def test_what_no_database_takes_costs_only_itself(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[T24] 499 are stored whole, examples included; the one is counted as lost: store_failed, and said."""
    verdicts, lost, said, kept = among(url, POISON[name](), monkeypatch)
    assert (verdicts, lost, kept) == ({"match": 450, "mismatch": 49}, {"store_failed": 1}, 5)
    assert said


def test_an_example_that_no_database_takes_costs_no_count(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[T24] All 500 are counted; the sample of this batch may be poorer, which is said."""
    verdicts, lost, said, _ = among(url, with_example(at=10**400), monkeypatch)
    assert (verdicts, lost) == ({"match": 450, "mismatch": 50}, {})
    assert any("examples" in sentence for sentence in said)
