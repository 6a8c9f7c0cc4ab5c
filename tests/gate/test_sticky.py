"""Sticky canaries: whom a weight draws, and that it draws the same people at every proxy, on every route of a group, all the way up."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.decision import BUCKETS, bucket, issue, serves_candidate, sign, verify
from gate.facts import Decision, RouteStanding, State

ISSUED = 1_000.0
HALF = Decision("GET /a", 4, State.CANARY, "e1", 5_000, "salt", ISSUED, ISSUED + 60.0, "anna", "why")
DURING = ISSUED + 1.0

texts = st.text(max_size=20)
weights = st.integers(1, 9_999)


@given(texts, texts, texts)
@settings(max_examples=200, deadline=None)
def test_i22_the_bucket_is_the_published_formula(salt: str, group: str, key: str) -> None:
    """I22: int(sha256(salt 0x1F group 0x1F key)[:8]) * 10000 >> 64, of nothing else: any proxy at any time says the same."""
    joined = "\x1f".join((salt, group, key)).encode("utf-8", "surrogatepass")
    number = int(hashlib.sha256(joined).hexdigest()[:16], 16)

    assert bucket(salt, group, key) == number * 10_000 // 2**64


@given(texts, weights, st.floats(ISSUED, ISSUED + 59.9), st.integers(0, 1_000), texts)
@settings(max_examples=150, deadline=None)
def test_i22_nothing_else_in_a_decision_moves_a_client(client: str, weight: int, now: float, seq: int, word: str) -> None:
    """I22: neither its number, epoch, actor and reason nor the time within its lease."""
    decision = replace(HALF, weight_bp=weight)
    other = replace(decision, seq=seq, epoch=word, actor=word, reason=word, mac=word)

    assert serves_candidate(decision, client, DURING) == serves_candidate(other, client, now)


@given(st.lists(weights, min_size=2, max_size=6).map(sorted), st.sets(texts, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_i23_a_ramp_only_adds_clients(ramp: list[int], clients: set[str]) -> None:
    """I23: through every step that `issue` makes of it, who is the candidate's stays the candidate's, up to all at the end."""
    served: set[str] = set()
    decision: Decision | None = None
    for step, weight in enumerate(ramp, start=1):
        standing = RouteStanding("GET /a", State.CANARY, step, weight, step, "e1")
        decision = issue(standing, decision, f"fresh{step}", ISSUED, 60.0, "anna", "up")
        now_served = {client for client in clients if serves_candidate(decision, client, DURING)}
        assert served <= now_served
        served = now_served
    full = replace(RouteStanding("GET /a", State.CUTOVER, 0, 10_000, 9, "e1"))
    last = issue(full, decision, "fresh", ISSUED, 60.0, "anna", "up")
    assert all(serves_candidate(last, client, DURING) for client in clients)


@pytest.mark.parametrize("salt", ["", "a", "0123456789abcdef"])
@pytest.mark.parametrize("weight", [1, 100, 500, 2_500, 5_000, 9_999])
def test_i24_the_share_of_clients_is_the_weight(salt: str, weight: int) -> None:
    """I24: |share - w| <= 5 sqrt(w(1-w)/N), for every salt: of session ids as well as of numbers."""
    count, w = 20_000, weight / BUCKETS
    decision = replace(HALF, salt=salt, weight_bp=weight)
    served = sum(serves_candidate(decision, f"u{number:016x}", DURING) for number in range(count))

    assert abs(served / count - w) <= 5 * math.sqrt(w * (1 - w) / count)


def test_i24_the_buckets_are_uniform_and_two_salts_independent() -> None:
    """I24: chi2 over 100 groups of buckets is what chance makes of it; of one salt's twentieth a twentieth is the other's."""
    count = 50_000
    found = Counter(bucket("one", "g", f"user{number}") // 100 for number in range(count))
    chi2 = sum((found[cell] - count / 100) ** 2 / (count / 100) for cell in range(100))
    first = [number for number in range(count) if bucket("one", "g", f"user{number}") < 500]
    both = sum(bucket("two", "g", f"user{number}") < 500 for number in first)

    assert 99 - 5 * math.sqrt(2 * 99) < chi2 < 99 + 5 * math.sqrt(2 * 99)
    assert abs(both / len(first) - 0.05) <= 5 * math.sqrt(0.05 * 0.95 / len(first))


@given(weights, st.none() | texts, st.floats() | st.just(DURING))
@settings(max_examples=150, deadline=None)
def test_i25_nobody_known_is_never_drawn(weight: int, group: str | None, now: float) -> None:
    """I25: no key, no candidate, in any canary at any time; the cut-over takes everybody."""
    assert not serves_candidate(replace(HALF, weight_bp=weight), None, now, group)
    assert serves_candidate(replace(HALF, state=State.CUTOVER, weight_bp=10_000, lease_until=None), None, DURING, group)


@given(texts, texts, texts, texts, weights)
@settings(max_examples=150, deadline=None)
def test_i26_a_group_moves_as_one(client: str, group: str, one: str, other: str, weight: int) -> None:
    """I26: at one weight and salt a client is on one side on all routes of a group, whatever they are called."""
    sides = {
        serves_candidate(replace(HALF, route=route, weight_bp=weight), client, DURING, group)
        for route in (one, other, "GET /a")
    }

    assert len(sides) == 1


@given(st.sampled_from([0.0, ISSUED - 61.0, ISSUED + 60.0, ISSUED + 60.1, 1e12, math.inf, -math.inf, math.nan]), texts, weights)
@settings(max_examples=100, deadline=None)
def test_i11_outside_its_lease_a_canary_serves_nobody(now: float, client: str, weight: int) -> None:
    """I11, I9: after the lease, at the very instant of its end, long before it, or without a clock."""
    assert not serves_candidate(replace(HALF, weight_bp=weight), client, now)
    assert not serves_candidate(replace(HALF, weight_bp=weight, lease_until=None), client, DURING)


@given(texts, st.floats(), st.sampled_from([State.OFF, State.SHADOW, State.ROLLED_BACK, State.CANARY, State.CUTOVER]))
@settings(max_examples=100, deadline=None)
def test_i12_without_a_weight_nobody_is_served(client: str, now: float, state: State) -> None:
    """I12: whatever the state says."""
    assert not serves_candidate(replace(HALF, state=state, weight_bp=0), client, now)
    assert not serves_candidate(None, client, now)


def test_a_rollback_draws_others_the_next_time() -> None:
    """The same people are not hit twice: a canary after a roll-back has another salt, signed like any other."""
    down = issue(RouteStanding("GET /a", State.ROLLED_BACK, 0, 0, 5), HALF, "fresh", ISSUED, 60.0, "shadow", "alarm")
    again = issue(RouteStanding("GET /a", State.CANARY, 1, 500, 7, "e2"), down, "unused", ISSUED, 60.0, "anna", "up")
    hit = {n for n in range(20_000) if serves_candidate(replace(HALF, weight_bp=500), f"u{n}", DURING)}
    next_hit = {n for n in range(20_000) if serves_candidate(again, f"u{n}", DURING)}

    assert again.salt == down.salt == "fresh"
    assert abs(len(hit & next_hit) / len(hit) - 0.05) < 0.04
    assert verify(sign(again, b"k" * 32), b"k" * 32)
