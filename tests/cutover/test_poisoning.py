"""One client that wants to decide over a route: neither with equal requests nor with strange ones can it cut over or roll back alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from compared_pairs import compared

from gate.evaluate import evaluate
from gate.facts import RouteStanding
from gate.overrides import policy_for
from gate.shapes import Shape
from gate.units import unit_key
from shadow.rollback_watch import RollbackWatch, Trip
from store.database import open_store
from store.records import Batch, Ended
from traffic.message import Response
from traffic.outcome import Ending, Verdict

POLICY = policy_for("default", 0.999, 0.05, {})
NOW = 1_800_000_000.0
SHAPE = Shape("0" * 16, 2, "2xx")


def watched(*pairs: tuple[str, str]) -> list[Trip]:
    """The trips of mismatches (client, path), among which 50 others get matching answers."""
    watch = RollbackWatch(POLICY, lambda: 1.0)
    trips = [watch.observe(compared(Verdict.MATCH, client=f"other{n}"), f"before{n}") for n in range(50)]
    for number, (client, path) in enumerate(pairs):
        trips.append(watch.observe(compared(Verdict.MISMATCH, client=client, path=path), f"bad{number}"))
    return [trip for trip in trips if trip is not None]


def test_one_client_that_finds_ever_new_differences_rolls_nothing_back() -> None:
    """[T21] Its repeats are not counted, and of what it can vary there is no end: others have to be harmed as well."""
    assert watched(*(("eve", f"$.{number}") for number in range(500))) == []


def test_a_few_clients_that_are_harmed_are_enough() -> None:
    """[T21] The third client's mismatch is the alarm."""
    (trip,) = watched(("ann", "$.a"), ("ben", "$.a"), ("carl", "$.a"))

    assert not trip.hard
    assert "3 mismatches in 3 comparisons since the first" in trip.reason


def test_a_route_that_only_one_client_asks_for_still_goes_back() -> None:
    """[T21] Where there is nobody else, its word is all there is."""
    watch = RollbackWatch(POLICY, lambda: 1.0)

    assert any(watch.observe(compared(Verdict.MISMATCH, client="only", path=f"$.{n}"), f"u{n}") for n in range(20))


def test_a_hard_trip_needs_no_second_client() -> None:
    """[T21] What no attacker can make of a sound candidate: an answer where the primary refuses."""
    watch = RollbackWatch(POLICY, lambda: 1.0)
    watch.observe(compared(Verdict.MATCH, client="other"), "u")
    trip = watch.observe(compared(Verdict.MISMATCH, primary=Response(403), client="eve"), "v")

    assert trip is not None
    assert trip.hard


def test_one_client_that_floods_a_route_with_equal_requests_cannot_cut_it_over(tmp_path: Path) -> None:
    """[T21] 12,000 clean requests, more than parity takes, are a handful of units: a client has its share and no more."""
    policy = policy_for("default", 0.999, 0.05, {"coverage": {"required": False}, "latency": {"required": False}})

    def clean(client: str, request: int) -> Ended:
        unit = unit_key(SHAPE.digest, client, str(request))
        return Ended(
            boot="b", route="GET /a", at=NOW, ending=Ending.COMPARED, reason="match", unit=unit, epoch="e1", client=client
        )

    async def scenario() -> tuple[int, str]:
        store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}", policy.unit_limits)
        try:
            await store.upgrade()
            crowd = [clean(f"user{number}", number) for number in range(300)]
            for start in range(0, 12_000, 4_000):
                flood = [clean("eve", number) for number in range(start, start + 4_000)]
                await store.write(Batch(ended=(*flood, *(crowd if not start else ()))), 5)
            await store.close_units(NOW + 10_000.0)
            evidence = await store.evidence("GET /a")
            verdict = evaluate(evidence, RouteStanding("GET /a"), policy, NOW + 10_000.0)
            parity = next(guard for guard in verdict.guards if guard.name == "parity")
            return evidence.n, str(parity.holds)
        finally:
            await store.close()

    n, parity = asyncio.run(scenario())

    assert n <= 300 * 1.06 + 1
    assert parity == "None"
