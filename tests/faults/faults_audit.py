"""The external audit, in the shape of Jepsen's total-queue: it believes the clients and the backends, and the ledger has to agree.

attempts: ids that clients asked for. acked: ids whose right answer arrived. seen: ids at the primary. copied: ids at the candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults_load import Load
from faults_stage import REST_S, Stage

from traffic.ledger import Ledger

ASKED = 3
"""How often an id may reach the candidate where answers differ: the copy, and asking again up to twice."""

_PLAIN = ("seen", "open", "pending", "served_primary", "served_candidate", "mirrored", "compared")
_BY_REASON = ("refused", "skipped", "candidate_error", "lost", "verdicts")


def gained(after: Ledger, before: Ledger) -> Ledger:
    """What has been counted between two moments."""
    made = Ledger(**{name: getattr(after, name) - getattr(before, name) for name in _PLAIN})
    for name in _BY_REASON:
        counts = {reason: count - getattr(before, name).get(reason, 0) for reason, count in getattr(after, name).items()}
        setattr(made, name, {reason: count for reason, count in counts.items() if count})
    return made


@dataclass
class Audit:
    """Counts from `begin` on: `await Audit.begin(stage)`, load, then `await audit.end(load)`."""

    stage: Stage
    before: Ledger

    @classmethod
    async def begin(cls, stage: Stage) -> Audit:
        before = await stage.at_rest()
        stage.primary.forget()
        stage.candidate.forget()
        return cls(stage, before)

    async def end(self, load: Load, within_s: float = REST_S, copies: int = 1, killed: bool = False) -> Ledger:
        """What the ledger gained, at rest, after everything that holds whatever went wrong was checked.

        `copies` is how often an id may have reached the candidate (ASKED where answers differ). `killed`: the proxy was,
        and clients may have missed answers that were given, and it may never have read what clients sent.
        """
        now = await self.stage.at_rest(within_s)
        ledger = gained(now, self.before)
        ended = ledger.compared + sum(ledger.candidate_error.values()) + sum(ledger.lost.values())
        served = ledger.served_primary + ledger.served_candidate
        primary, candidate = self.stage.primary, self.stage.candidate
        asked = set(primary.lives) | set(candidate.lives)
        copied = set(candidate.copies) | set(primary.copies)
        laws = {
            "every equation holds": now.violations() == [],
            "nothing came out that did not go in": asked | copied <= load.attempts,
            "no backend served a request twice": max([*primary.lives.values(), *candidate.lives.values(), 0]) <= 1,
            "no request was copied too often": max([*candidate.copies.values(), 0]) <= copies,
            "each request ended once": ledger.seen == ended + sum(ledger.skipped.values()) and ledger.mirrored == ended,
            "what was compared was copied, what was copied has an end": ledger.compared <= len(copied) <= ended,
            "all that was asked was seen": len(asked) <= ledger.seen <= len(load.attempts),
            # An answer is written first and counted then: one that a kill finds in between stays open, and so `proxy_died`.
            "all that clients got was served": len(load.acked) <= served + ledger.refused.get("proxy_died", 0),
            "each request was answered once": ledger.seen == served + sum(ledger.refused.values()),
        }
        if not killed:
            laws["all that clients asked was seen"] = ledger.seen == len(load.attempts)
            laws["no proxy died"] = "proxy_died" not in ledger.refused
        broken = [law for law, holds in laws.items() if not holds]
        assert broken == [], self._facts(load, now, ledger, len(asked), len(copied))
        return ledger

    def _facts(self, load: Load, now: Ledger, ledger: Ledger, asked: int, copied: int) -> str:
        figures = {"attempts": len(load.attempts), "acked": len(load.acked), "asked": asked, "copied": copied}
        return f"{figures}, gained {ledger}, {now.violations()}"


def assert_clients_fine(load: Load) -> None:
    """The bar of every fault behind the live path: each client got its own right answer."""
    assert (load.wrong[:5], load.failed[:5]) == ([], [])
    assert load.acked == load.attempts
