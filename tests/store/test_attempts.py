"""An attempt in shadow that ends because its mismatches came in bursts."""

from __future__ import annotations

import json

import pytest

from gate.overrides import policy_for
from gate.units import unit_key
from store.attempts import restart_attempt
from store.cutover import act
from store.records import Batch

POLICY = policy_for("demo", 0.95, 0.05, {"span": {"min": 0.0}})
NOW = 1_000_100.0


def burst(store, epoch="e1"):
    return restart_attempt(store, "GET /x", epoch, "shadow", "a burst", POLICY, NOW)


async def fill(store, end, good: int, bad: int = 0) -> None:
    rows = [
        end("mismatch" if at < bad else "match", at=1_000_000.0, unit=unit_key("s" * 16, str(at), str(at)))
        for at in range(good + bad)
    ]
    await store.write(Batch(ended=tuple(rows)), 5)
    await store.close_units(2e6)


def test_the_evidence_begins_anew_with_less_alpha_and_the_audit_says_why(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end, 99, 1)
        await act(store, "approve", "GET /x", "ann", "good", POLICY, b"k" * 32, NOW, "s")
        begun = await burst(store)
        return begun, await store.evidence("GET /x"), await store.audit(1), await store.check()

    begun, evidence, (link,), problems = in_store(scenario)
    assert begun
    assert (evidence.n, evidence.k, evidence.attempt, evidence.approvals, evidence.epoch) == (0, 0, 2, (), "e1")
    assert (link.action, link.actor, link.before == link.after) == ("restart", "shadow", True)
    detail = json.loads(link.detail)
    assert [detail[name] for name in ("n", "k", "attempt", "epoch")] == [100, 1, 1, "e1"]
    assert problems == []


@pytest.mark.parametrize(("good", "bad"), [(19, 0), (0, 0), (90, 10)])
def test_too_little_to_be_an_attempt_or_refused_anyway_stays(in_store, end, good: int, bad: int) -> None:
    """Else a candidate that is simply bad would spend alpha without end."""

    async def scenario(store):
        if good + bad:
            await fill(store, end, good, bad)
        return await burst(store), await store.evidence("GET /x"), await store.audit(1)

    begun, evidence, audit = in_store(scenario)
    assert (begun, evidence.n, evidence.attempt, audit) == (False, good + bad, 1, [])


def test_another_epochs_burst_says_nothing(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end, 100)
        return await burst(store, "e0"), (await store.evidence("GET /x")).n

    assert in_store(scenario) == (False, 100)


def test_a_route_that_serves_clients_is_rolled_back_and_not_begun_anew(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end, 100)
        await act(store, "promote", "GET /x", "ann", "go", POLICY, b"k" * 32, NOW, "s")
        return await burst(store), (await store.evidence("GET /x")).n

    assert in_store(scenario) == (False, 100)
