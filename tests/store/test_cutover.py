"""A decision is one transaction: read, judged, moved, audited, signed. Nothing is believed that the store does not hold."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gate.decision import verify
from gate.facts import RouteStanding, State
from gate.machine import Refused
from gate.overrides import policy_for
from store.cutover import act, renew_leases
from store.database import open_store
from store.errors import StoreError
from store.records import Batch
from store.schema import AuditLink, FrequentUnits, SignedDecision, Standing
from store.upsert import table_of, upsert
from traffic.outcome import Ending

KEY = b"k" * 32
DEMO = policy_for("demo", 0.95, 0.05, {})
CANARY = replace(DEMO, steps=(0.10,), dwell_s=(0.0,))
AGREED = replace(DEMO, approvals=2)
NOW = 1_000_100.0


def take(store, action, actor="ann", policy=DEMO, now=NOW, salt="s1", **more):
    return act(store, action, "GET /x", actor, "because", policy, KEY, now, salt, **more)


async def fill(store, end, count=100, epoch="e1", reason="match", start=1_000_000.0):
    """Clean evidence: one unit each 0.9 s."""
    rows = [end(reason, at=start + 0.9 * i, unit=f"u{i}", window_s=2.0, epoch=epoch) for i in range(count)]
    await store.write(Batch(ended=tuple(rows)), 5)
    await store.close_units(start + 0.9 * count + 10)


def test_a_route_with_enough_evidence_is_promoted_signed_and_audited(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        decision = await take(store, "promote")
        return decision, await store.standing("GET /x"), await store.decisions(), await store.audit(10), await store.check()

    decision, standing, decisions, audit, problems = in_store(scenario)
    assert (decision.state, decision.weight_bp, decision.epoch, decision.seq) == (State.CUTOVER, 10_000, "e1", 1)
    assert verify(decision, KEY)
    assert not verify(decision, b"other")
    assert (standing.state, standing.epoch, standing.seq, decisions) == (State.CUTOVER, "e1", 1, [decision])
    (link,) = audit
    assert (link.actor, link.action, link.route, json.loads(link.after)["weight_bp"]) == ("ann", "promote", "GET /x", 10_000)
    detail = json.loads(link.detail)
    assert (detail["reason"], detail["n"], detail["k"], detail["verdict"]) == ("because", 100, 0, "pass")
    assert detail["guards"]["parity"][0] is True
    assert problems == []


def test_no_data_is_never_a_pass_and_a_refusal_changes_nothing(in_store) -> None:
    async def scenario(store):
        with pytest.raises(Refused) as caught:
            await take(store, "promote")
        return caught.value.reasons, await store.standing("GET /x"), await store.decisions(), await store.audit(10)

    reasons, standing, decisions, audit = in_store(scenario)
    assert reasons
    assert (standing, decisions, audit) == (RouteStanding("GET /x"), [], [])


def test_a_broken_ledger_blocks_a_promotion(in_store, end) -> None:
    """More ends than exchanges of a dead proxy: something was counted twice."""
    from store.records import OpeningCounts

    async def scenario(store):
        await fill(store, end)
        await store.write(Batch(openings=(OpeningCounts("boot", "n", {"GET /x": {0: 1}}, True),)), 5)
        with pytest.raises(Refused) as caught:
            await take(store, "promote")
        return caught.value.reasons

    assert any("ledger" in reason for reason in in_store(scenario))


def test_a_rollback_needs_no_evidence_and_no_gate(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        await take(store, "promote")
        await take(store, "freeze")
        decision = await take(store, "rollback", actor="bob", now=float("nan"))
        return decision, await store.standing("GET /x")

    decision, standing = in_store(scenario)
    assert (decision.state, decision.weight_bp, standing.state, standing.frozen) == (
        State.ROLLED_BACK,
        0,
        State.ROLLED_BACK,
        True,
    )


def test_a_rollback_ends_the_attempt_and_its_evidence(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        await take(store, "promote")
        await take(store, "alarm", actor="shadow", now=NOW + 1)
        after = await store.evidence("GET /x")
        await fill(store, end, count=5, start=1_000_050.0)
        late = await store.evidence("GET /x")
        await fill(store, end, count=5, start=1_000_200.0)
        return after, late, await store.evidence("GET /x")

    after, late, anew = in_store(scenario)
    assert (after.n, after.k, after.attempt, after.verdicts) == (0, 0, 2, {})
    assert (late.n, anew.n, anew.attempt) == (0, 5, 2)


def test_a_rollback_of_a_route_that_serves_nobody_keeps_its_evidence(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end, count=5, reason="mismatch")
        await take(store, "rollback")
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.n, evidence.k, evidence.attempt) == (5, 5, 1)


def test_the_salt_stays_during_a_ramp_and_changes_after_a_rollback(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        canary = await take(store, "promote", policy=CANARY, salt="s1")
        down = await take(store, "rollback", policy=CANARY, salt="s2")
        return canary, down

    canary, down = in_store(scenario)
    assert (canary.state, canary.weight_bp, canary.salt, canary.lease_until) == (State.CANARY, 1000, "s1", NOW + DEMO.lease_s)
    assert (down.salt, down.lease_until) == ("s2", None)


def test_approvals_are_of_people_bound_to_the_epoch_and_used_up(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        for actor in ("ann", "ann", "bob"):
            with pytest.raises(Refused, match="approv"):
                await take(store, "promote", policy=AGREED)
            await take(store, "approve", actor=actor, policy=AGREED)
        approved = (await store.evidence("GET /x")).approvals
        await take(store, "promote", policy=AGREED)
        return (
            approved,
            (await store.evidence("GET /x")).approvals,
            [link.action for link in await store.audit(10)],
            await store.check(),
        )

    approved, left, actions, problems = in_store(scenario)
    assert (approved, left, problems) == (("ann", "bob"), (), [])
    assert actions == ["promote", "approve", "approve", "approve"]


def test_an_approval_of_an_earlier_epoch_or_of_yesterday_counts_no_more(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        await take(store, "approve")
        today = (await store.evidence("GET /x", now=NOW + 86_399)).approvals
        tomorrow = (await store.evidence("GET /x", now=NOW + 86_400)).approvals
        await fill(store, end, epoch="e2", start=1_000_200.0, count=3)
        return today, tomorrow, (await store.evidence("GET /x")).approvals

    assert in_store(scenario) == (("ann",), (), ())


def test_a_decision_overtakes_what_the_proxies_were_told_directly(in_store) -> None:
    async def scenario(store):
        return (await take(store, "freeze", after_seq=1000)).seq, (await take(store, "rollback")).seq

    assert in_store(scenario) == (1001, 1002)


def test_an_action_that_does_not_exist_is_an_error_of_the_caller(in_sqlite) -> None:
    async def scenario(store):
        with pytest.raises(ValueError, match="choose one of"):
            await take(store, "launch")

    in_sqlite(scenario)


def test_an_action_needs_a_name(in_sqlite) -> None:
    async def scenario(store):
        with pytest.raises(Refused):
            await take(store, "freeze", actor=" ")

    in_sqlite(scenario)


def test_leases_are_renewed_while_the_route_stays_in_its_epoch(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        first = await take(store, "promote", policy=CANARY)
        (second,) = await renew_leases(store, DEMO, KEY, NOW + 15)
        forged = await renew_leases(store, DEMO, b"other key", NOW + 20)
        stored = await store.decisions()
        await fill(store, end, epoch="e2", start=1_000_200.0, count=1)
        return first, second, forged, stored, await renew_leases(store, DEMO, KEY, NOW + 30)

    first, second, forged, stored, new_build = in_store(scenario)
    assert (second.seq, second.lease_until, verify(second, KEY)) == (first.seq, NOW + 75, True)
    assert (forged, stored, new_build) == ([], [second], [])


def test_a_cut_over_has_a_grace_that_is_renewed_when_some_of_it_is_over(in_store, end) -> None:
    """Whatever the build: it is watched."""

    async def scenario(store):
        await fill(store, end)
        first = await take(store, "promote")
        early = await renew_leases(store, DEMO, KEY, NOW + 600)
        await fill(store, end, epoch="e2", start=1_000_200.0, count=1)
        return first, early, await renew_leases(store, DEMO, KEY, NOW + 7_200)

    first, early, late = in_store(scenario)
    assert (first.state, first.lease_until, early) == (State.CUTOVER, NOW + 86_400, [])
    assert [(one.seq, one.lease_until) for one in late] == [(first.seq, NOW + 7_200 + 86_400)]


def test_what_is_damaged_elsewhere_stops_no_roll_back(in_store, end) -> None:
    """I3: neither another route's standing nor any figure of this one is needed on the way down."""

    async def scenario(store):
        await fill(store, end)
        await take(store, "promote")
        async with store.writing() as connection:
            await upsert(connection, Standing, [{"route": "GET /other", "document": "{damaged"}], document="set")
            await upsert(
                connection,
                FrequentUnits,
                [{"route": "GET /x", "epoch": "e1", "kind": "client", "counts": "{damaged", "missed": 0, "most": 0}],
                counts="set",
            )
        with pytest.raises(StoreError):
            await store.evidence("GET /x")
        return await take(store, "rollback"), await store.standing("GET /x")

    decision, standing = in_store(scenario)
    assert (decision.state, decision.weight_bp, standing.state) == (State.ROLLED_BACK, 0, State.ROLLED_BACK)


def test_a_hundred_clicks_at_once_are_one_promotion(url, end) -> None:
    """Each click is a transaction of its own, on its own connection; the others find the route cut over already."""

    async def scenario():
        store = open_store(url)
        try:
            await store.upgrade()
            await fill(store, end)
            done = await asyncio.gather(*(take(store, "promote", actor=f"a{i}") for i in range(20)), return_exceptions=True)
            return done, await store.audit(100), await store.check()
        finally:
            await store.close()

    done, audit, problems = asyncio.run(scenario())
    assert len([item for item in done if not isinstance(item, Exception)]) == 1
    assert all(isinstance(item, Refused) for item in done if isinstance(item, Exception))
    assert (len(audit), problems) == (1, [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (table_of(AuditLink).update().where(AuditLink.seq == 2).values(actor="mallory"), "link 2"),
        (table_of(AuditLink).delete().where(AuditLink.seq == 2), "link 2 is missing"),
        (table_of(AuditLink).delete().where(AuditLink.seq == 3), "the standing of GET /x is not what the audit says"),
        (table_of(Standing).update().values(document='{"route":"GET /x","state":"cutover"}'), "the standing of GET /x"),
    ],
)
def test_tampering_is_found(in_sqlite, change, says) -> None:
    async def scenario(store):
        for action in ("freeze", "off", "shadow"):
            await take(store, action)
        clean = await store.check()
        async with store.writing() as connection:
            await connection.execute(change)
        return clean, await store.check()

    clean, found = in_sqlite(scenario)
    assert clean == []
    assert any(says in problem for problem in found)


def test_a_damaged_decision_hides_no_other_is_reported_and_can_be_replaced(in_sqlite) -> None:
    async def scenario(store):
        for route in ("GET /a", "GET /x", "GET /z"):
            await act(store, "freeze", route, "ann", "because", DEMO, KEY, NOW, "s1")
        async with store.writing() as connection:
            table = table_of(SignedDecision)
            await connection.execute(table.update().where(table.c.route == "GET /x").values(document="{"))
        left, problems = await store.decisions(), await store.check()
        await take(store, "rollback")
        return left, problems, await store.decisions(), await store.check()

    left, problems, healed, none = in_sqlite(scenario)
    assert [decision.route for decision in left] == ["GET /a", "GET /z"]
    assert len(problems) == 1
    assert "GET /x" in problems[0]
    assert [decision.route for decision in healed] == ["GET /a", "GET /x", "GET /z"]
    assert none == []


def test_a_candidate_error_after_the_promotion_is_still_evidence(in_store, end) -> None:
    async def scenario(store):
        await fill(store, end)
        await take(store, "promote")
        await store.write(Batch(ended=(end("timeout", Ending.CANDIDATE_ERROR, at=1_000_110.0, window_s=2.0),)), 5)
        await store.close_units(1_000_200.0)
        return await store.evidence("GET /x")

    evidence = in_store(scenario)
    assert (evidence.n, evidence.k, evidence.candidate_errors) == (101, 1, 1)
