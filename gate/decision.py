"""What a proxy enforces, and how it knows whom to believe: signed decisions, sticky buckets, leases.

Losing the control plane never raises exposure: a canary whose lease has run out serves nobody from the candidate. A cut-over stays (what
serves well goes on serving) until its grace is over, too: then a proxy takes it back if the primary is there (proxy.grace).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from gate.decision_text import canonical, decode, encode
from gate.facts import Decision, RouteStanding, State

__all__ = [
    "bucket",
    "decode",
    "encode",
    "issue",
    "lease_of",
    "outlived",
    "renew",
    "serves_candidate",
    "sign",
    "supersedes",
    "verify",
]

BUCKETS = 10_000
_FULL = frozenset({State.CUTOVER, State.RETIRED})
_CLOCK_SKEW_S = 60.0


def sign(decision: Decision, key: bytes) -> Decision:
    """The decision with its HMAC-SHA256 over the canonical JSON of all other fields. Raises ValueError for an empty key."""
    if not key:
        raise ValueError("the signing key is empty: `paritygate init` makes one")
    return replace(decision, mac=_mac(decision, key))


def verify(decision: Decision, key: bytes) -> bool:
    """Whether the decision was signed with this key and not changed since."""
    if not key or not decision.mac:
        return False
    try:
        expected = _mac(decision, key)
    except ValueError:
        return False
    return hmac.compare_digest(expected.encode(), decision.mac.encode("utf-8", "replace"))


def supersedes(offered: Decision, current: Decision | None, key: bytes) -> bool:
    """Whether a proxy that enforces `current` must take `offered`: signed, same route, and newer.

    Newer is a higher `seq`, or the very same decision with its lease renewed. Anything else is a replay and changes nothing.
    """
    if not verify(offered, key):
        return False
    if current is None:
        return True
    if offered.route != current.route:
        return False
    if offered.seq != current.seq:
        return offered.seq > current.seq
    if offered.lease_until is None or current.lease_until is None or offered.lease_until <= current.lease_until:
        return False
    return replace(offered, lease_until=None, issued=0.0, mac="") == replace(current, lease_until=None, issued=0.0, mac="")


def bucket(salt: str, group: str, key: str) -> int:
    """Where a client falls, 0 to 9999, uniformly; it depends on nothing but the three arguments."""
    digest = hashlib.sha256(b"\x1f".join(part.encode("utf-8", "surrogatepass") for part in (salt, group, key))).digest()
    return int.from_bytes(digest[:8], "big") * BUCKETS >> 64


def serves_candidate(decision: Decision | None, client: str | None, now: float, group: str | None = None) -> bool:
    """Whether this client's request goes to the candidate.

    `client` is a user's or a session's key; None (nobody known, an address is no person) stays on the primary in a canary.
    `group` is the name shared by routes that read each other's writes; without it a route is its own group. The signature is
    not checked here.
    """
    if decision is None or decision.weight_bp <= 0:
        return False
    if decision.state in _FULL:
        return True
    if decision.state is not State.CANARY or client is None or decision.lease_until is None:
        return False
    # Written so that NaN on either side is false. At the very instant of expiry the lease has run out.
    if not (decision.issued - _CLOCK_SKEW_S <= now < decision.lease_until):
        return False
    return bucket(decision.salt, decision.route if group is None else group, client) < decision.weight_bp


def lease_of(state: State, lease_s: float, grace_s: float) -> float | None:
    """For how many seconds a decision holds unless it is renewed; None: for ever, where nobody but the primary serves or it is gone."""
    return {State.CANARY: lease_s, State.CUTOVER: grace_s}.get(state)


def outlived(decision: Decision, now: float) -> bool:
    """Whether a cut-over has not been renewed for its grace: nobody has watched the candidate for so long."""
    return decision.state is State.CUTOVER and decision.lease_until is not None and not now < decision.lease_until


def issue(
    standing: RouteStanding,
    previous: Decision | None,
    fresh_salt: str,
    now: float,
    lease_s: float,
    actor: str,
    reason: str,
    grace_s: float = 86_400.0,
) -> Decision:
    """The unsigned decision for a standing.

    The salt stays during a ramp, so that a higher weight only adds clients; a roll-back takes the fresh one, so that the
    same clients are not hit twice.
    """
    lease = lease_of(standing.state, lease_s, grace_s)
    keep = previous is not None and previous.salt and standing.state is not State.ROLLED_BACK
    return Decision(
        route=standing.route,
        seq=standing.seq,
        state=standing.state,
        epoch=standing.epoch,
        weight_bp=standing.weight_bp,
        salt=previous.salt if previous is not None and keep else fresh_salt,
        issued=now,
        lease_until=None if lease is None else now + lease,
        actor=actor,
        reason=reason,
    )


def renew(decision: Decision, now: float, lease_s: float, key: bytes) -> Decision:
    """The same decision, issued and leased from `now`, signed; one without a lease comes back as it is."""
    if decision.lease_until is None:
        return decision
    return sign(replace(decision, issued=now, lease_until=now + lease_s), key)


def _mac(decision: Decision, key: bytes) -> str:
    return hmac.new(key, canonical(decision), hashlib.sha256).hexdigest()
