"""Decisions: signature, text, order (I10), leases (I11, I12), sticky buckets (I22 to I26)."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.decision import bucket, decode, encode, issue, renew, serves_candidate, sign, supersedes, verify
from gate.facts import Decision, RouteStanding, State

KEY = b"k" * 32
CANARY = Decision("GET /a", 4, State.CANARY, "e1", 500, "salt", 1000.0, 1060.0, "anna", "looks good")
CUTOVER = replace(CANARY, state=State.CUTOVER, weight_bp=10_000, lease_until=None, seq=5)
SHADOW = replace(CANARY, state=State.SHADOW, weight_bp=0, lease_until=None, seq=6)

texts = st.text(max_size=30)
seconds = st.floats(-1e9, 1e12)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Any decision a machine can hold, with any text people may write."""
    state = draw(st.sampled_from(State))
    served = state in (State.CANARY, State.CUTOVER, State.RETIRED)
    return Decision(
        route=draw(texts),
        seq=draw(st.integers(0, 2**62)),
        state=state,
        epoch=draw(texts),
        weight_bp=draw(st.integers(1, 10_000)) if served else 0,
        salt=draw(texts),
        issued=draw(seconds),
        lease_until=draw(st.none() | seconds),
        actor=draw(texts),
        reason=draw(texts),
    )


@given(decisions())
@settings(max_examples=150, deadline=None)
def test_a_signed_decision_survives_its_text(decision: Decision) -> None:
    """decode(encode(d)) is d, and still verifies."""
    signed = sign(decision, KEY)

    assert decode(encode(signed)) == signed
    assert verify(decode(encode(signed)), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"route": "GET /b"},
        {"seq": 5},
        {"state": State.CUTOVER},
        {"epoch": "e2"},
        {"weight_bp": 501},
        {"salt": "other"},
        {"issued": 1000.5},
        {"lease_until": 1061.0},
        {"lease_until": None},
        {"actor": "ben"},
        {"reason": ""},
        {"mac": ""},
        {"mac": "0" * 64},
        {"mac": "ä\ud800"},
    ],
)
def test_i10_a_changed_decision_is_no_decision(change: dict[str, object]) -> None:
    """I10: forged records are no-ops, whichever field was touched."""
    forged = replace(sign(CANARY, KEY), **change)  # type: ignore[arg-type]

    assert not verify(forged, KEY)
    assert not supersedes(forged, None, KEY)


def test_another_or_no_key_verifies_nothing() -> None:
    """Neither does signing with an empty key work."""
    signed = sign(CANARY, KEY)

    assert not verify(signed, b"x" * 32)
    assert not verify(signed, b"")
    with pytest.raises(ValueError, match="empty"):
        sign(CANARY, b"")


def test_a_decision_without_a_time_cannot_be_signed_or_verified() -> None:
    """NaN has no JSON text."""
    odd = replace(CANARY, issued=math.nan)

    with pytest.raises(ValueError, match="JSON"):
        sign(odd, KEY)
    assert not verify(replace(odd, mac="00"), KEY)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=12))
@settings(max_examples=100, deadline=None)
def test_i10_a_proxy_ends_at_the_newest_valid_decision(offers: list[tuple[int, bool]]) -> None:
    """I10: seq strictly increases; replayed, reordered or forged records change nothing."""
    current: Decision | None = None
    taken = []
    for seq, forged in offers:
        offered = sign(replace(CANARY, seq=seq), b"wrong" if forged else KEY)
        if supersedes(offered, current, KEY):
            current = offered
            taken.append(seq)

    assert taken == sorted(set(taken))
    assert (current.seq if current else None) == max((seq for seq, forged in offers if not forged), default=None)


def test_a_renewed_lease_is_taken_and_nothing_else_of_the_same_seq() -> None:
    """Same seq, later lease, all else equal."""
    current = sign(CANARY, KEY)
    later = renew(current, 1015.0, 60.0, KEY)

    assert supersedes(later, current, KEY)
    assert not supersedes(current, later, KEY)
    assert not supersedes(sign(replace(later, weight_bp=9000), KEY), current, KEY)
    assert not supersedes(sign(replace(CANARY, route="GET /b", seq=9), KEY), current, KEY)
    assert renew(sign(CUTOVER, KEY), 2000.0, 60.0, KEY) == sign(CUTOVER, KEY)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "JSON object"),
        ("[]", "JSON object"),
        ("[" * 60_000, "JSON object|nested too deeply"),
        ("x" * 70_000, "at most 65536 bytes"),
        (b"\xff", "JSON object"),
        ('{"route": "a"}', "lacks the field"),
    ],
)
def test_what_is_no_decision_is_a_sentence(text: str | bytes, sentence: str) -> None:
    """ValueError, never another exception."""
    with pytest.raises(ValueError, match=sentence):
        decode(text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"extra": 1}, "no field 'extra'"),
        ({"state": "half"}, "state must be one of"),
        ({"weight_bp": 10_001}, "from 0 to 10000"),
        ({"weight_bp": True}, "whole number"),
        ({"weight_bp": -1}, "whole number"),
        ({"weight_bp": 0}, "contradicts itself"),
        ({"state": "shadow"}, "contradicts itself"),
        ({"seq": 1.5}, "whole number"),
        ({"issued": None}, "Unix seconds"),
        ({"issued": True}, "Unix seconds"),
        ({"lease_until": "soon"}, "Unix seconds"),
        ({"route": 5}, "route must be text"),
        ({"issued": math.nan}, "no JSON number"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], sentence: str) -> None:
    """The sentence names the field and what it may be."""
    with pytest.raises(ValueError, match=sentence):
        decode(json.dumps(json.loads(encode(sign(CANARY, KEY))) | change))


def test_a_field_given_twice_is_refused() -> None:
    """Two readers could read two decisions in it."""
    with pytest.raises(ValueError, match="given twice"):
        decode(encode(CANARY).replace('"seq"', '"seq": 1, "seq"', 1))


@given(texts | st.none(), seconds | st.just(math.nan))
@settings(max_examples=100, deadline=None)
def test_i12_no_weight_serves_nobody(client: str | None, now: float) -> None:
    """I12: W = 0, or no decision at all, sends no client to the candidate."""
    assert not serves_candidate(None, client, now)
    assert not serves_candidate(SHADOW, client, now)
    assert not serves_candidate(replace(CUTOVER, weight_bp=0), client, now)


@given(texts, st.floats(0, 1e12) | st.just(math.nan))
@settings(max_examples=100, deadline=None)
def test_i11_an_expired_canary_serves_nobody(client: str, now: float) -> None:
    """I11: once the lease has run out, and at the very instant it does (I9), everyone is on the primary."""
    whole = replace(CANARY, weight_bp=10_000)

    if not 940.0 <= now < 1060.0:
        assert not serves_candidate(whole, client, now)
    assert not serves_candidate(whole, client, 1060.0)
    assert serves_candidate(whole, client, 1059.999)


def test_i11_a_canary_without_a_lease_serves_nobody() -> None:
    """What is missing never raises exposure."""
    assert not serves_candidate(replace(CANARY, weight_bp=10_000, lease_until=None), "anna", 1001.0)


@pytest.mark.parametrize("state", [State.CUTOVER, State.RETIRED])
def test_a_cutover_outlives_the_control_plane(state: State) -> None:
    """Static stability: no lease ends it, and clients without a key are served too."""
    decision = replace(CUTOVER, state=state, lease_until=1060.0)

    assert serves_candidate(decision, None, 1e9)
    assert serves_candidate(decision, "anna", 1e9)


def test_i25_nobody_known_stays_on_the_primary() -> None:
    """I25: an address is not a person; no key means the primary while in a canary."""
    assert not serves_candidate(replace(CANARY, weight_bp=10_000), None, 1001.0)


@given(texts, texts, st.text(max_size=30) | st.just("\ud800"))
@settings(max_examples=100, deadline=None)
def test_i22_the_bucket_depends_on_its_arguments_only(salt: str, group: str, key: str) -> None:
    """I22: same arguments, same bucket, from 0 to 9999."""
    assert bucket(salt, group, key) == bucket(salt, group, key)
    assert 0 <= bucket(salt, group, key) < 10_000


def test_i22_the_published_formula() -> None:
    """int(sha256(salt 0x1F group 0x1F key)[:8]) * 10000 >> 64, pinned: another version would move clients between sides."""
    assert [bucket("s", "g", key) for key in ("anna", "ben", "")] == [7090, 9132, 9099]


@given(st.lists(texts, min_size=1, max_size=20), st.integers(1, 10_000), st.integers(1, 10_000))
@settings(max_examples=100, deadline=None)
def test_i23_a_higher_weight_only_adds_clients(clients: list[str], one: int, other: int) -> None:
    """I23: w <= w' => served(w) is a subset of served(w')."""
    low, high = sorted((one, other))
    served = [{c for c in clients if serves_candidate(replace(CANARY, weight_bp=w), c, 1001.0)} for w in (low, high)]

    assert served[0] <= served[1]


@pytest.mark.parametrize("weight", [100, 500, 2500, 5000])
def test_i24_the_share_is_the_weight(weight: int) -> None:
    """I24: |share - w| <= 5 sqrt(w(1-w)/N)."""
    count, w = 20_000, weight / 10_000
    served = sum(serves_candidate(replace(CANARY, weight_bp=weight), f"user{i}", 1001.0) for i in range(count))

    assert abs(served / count - w) <= 5 * math.sqrt(w * (1 - w) / count)


def test_i26_one_group_is_on_one_side() -> None:
    """I26: routes of one group and one salt send a client to the same side; without a group each route draws anew."""
    users = [f"user{i}" for i in range(300)]
    half = replace(CANARY, weight_bp=5000)
    other = replace(half, route="GET /b")

    assert all(serves_candidate(half, user, 1001.0, "g") == serves_candidate(other, user, 1001.0, "g") for user in users)
    assert any(serves_candidate(half, user, 1001.0) != serves_candidate(other, user, 1001.0) for user in users)


def test_the_salt_stays_in_a_ramp_and_changes_at_a_rollback() -> None:
    """Raising the weight only adds clients; after a roll-back others are drawn."""
    standing = RouteStanding("GET /a", State.CANARY, 2, 2500, 7, "e1")

    ramp = issue(standing, CANARY, "fresh", 1100.0, 60.0, "anna", "up")
    assert (ramp.salt, ramp.lease_until, ramp.seq, ramp.weight_bp) == ("salt", 1160.0, 7, 2500)
    down = issue(replace(standing, state=State.ROLLED_BACK, weight_bp=0), ramp, "fresh", 1200.0, 60.0, "anna", "down")
    assert (down.salt, down.lease_until) == ("fresh", None)
    assert (
        issue(replace(standing, state=State.SHADOW, weight_bp=0), down, "later", 1300.0, 60.0, "anna", "again").salt == "fresh"
    )
    assert issue(standing, None, "first", 1.0, 60.0, "anna", "new").salt == "first"
