"""The ledger: every client request counted once in each line, with a reason from a closed set.

    seen     = served_primary + served_candidate + refused(reason) + open
    seen     = mirrored + skipped(reason) + open + pending
    mirrored = compared + candidate_error(reason) + lost(reason)
    compared = sum of verdicts

Two sources feed it. The proxy counts how each request was *opened* and answered (`Opening`: one slot per pair of outcomes, so that
one increment is one transition and a kill between two increments breaks nothing). The shadow counts how each exchange that was
handed to it *ended* (`Ending`, with its reason). An exchange that was handed over and has not ended is `pending`.
The shadow may still decline an exchange (breaker_open, lane_full, rate_limited, unsendable): such an end is `skipped`, not `mirrored`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from traffic.outcome import CandidateError, Ending, Lost, Refused, Skipped, Verdict

SERVED_PRIMARY = "served_primary"
SERVED_CANDIDATE = "served_candidate"
HANDED = "handed"

ANSWERS: tuple[str, ...] = (SERVED_PRIMARY, SERVED_CANDIDATE, *(f"refused:{r}" for r in Refused))
COPIES: tuple[str, ...] = (HANDED, *(f"skipped:{s}" for s in Skipped))

# Slot 0 counts the requests seen, slot 1 the exchanges written to the channel; then one slot for each pair (answer, copy).
SEEN_SLOT = 0
SENT_SLOT = 1
SLOTS = 2 + len(ANSWERS) * len(COPIES)


def opening_slot(answer: str, copy: str) -> int:
    """The slot of the pair, e.g. `("served_primary", "skipped:unsafe_method")`. Raises ValueError for a name outside the sets."""
    return 2 + ANSWERS.index(answer) * len(COPIES) + COPIES.index(copy)


@dataclass
class Ledger:
    """The counts of one route or of all; plain numbers, added with `+`."""

    seen: int = 0
    open: int = 0
    pending: int = 0
    served_primary: int = 0
    served_candidate: int = 0
    mirrored: int = 0
    compared: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    candidate_error: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Ledger) -> Ledger:
        total = Ledger()
        for name in ("seen", "open", "pending", "served_primary", "served_candidate", "mirrored", "compared"):
            setattr(total, name, getattr(self, name) + getattr(other, name))
        for name in ("refused", "skipped", "candidate_error", "lost", "verdicts"):
            merged: dict[str, int] = dict(getattr(self, name))
            for reason, count in getattr(other, name).items():
                merged[reason] = merged.get(reason, 0) + count
            setattr(total, name, merged)
        return total

    def violations(self) -> list[str]:
        """The equations that do not hold, each as one sentence with its figures; empty when all hold."""
        found = []
        answered = self.served_primary + self.served_candidate + sum(self.refused.values()) + self.open
        if self.seen != answered:
            found.append(f"seen = {self.seen}, but served + refused + open = {answered}")
        copied = self.mirrored + sum(self.skipped.values()) + self.open + self.pending
        if self.seen != copied:
            found.append(f"seen = {self.seen}, but mirrored + skipped + open + pending = {copied}")
        ended = self.compared + sum(self.candidate_error.values()) + sum(self.lost.values())
        if self.mirrored != ended:
            found.append(f"mirrored = {self.mirrored}, but compared + candidate_error + lost = {ended}")
        judged = sum(self.verdicts.values())
        if self.compared != judged:
            found.append(f"compared = {self.compared}, but the verdicts add up to {judged}")
        if self.open < 0 or self.pending < 0:
            found.append(f"open = {self.open} and pending = {self.pending} must not be negative")
        return found


def build_ledger(slots: Mapping[int, int], ends: Iterable[tuple[str, str, int]]) -> Ledger:
    """One route's ledger from its opening slots and its `(ending, reason, count)` rows."""
    ledger = Ledger(seen=slots.get(SEEN_SLOT, 0))
    handed = answered = 0
    for i, answer in enumerate(ANSWERS):
        for j, copy in enumerate(COPIES):
            count = slots.get(2 + i * len(COPIES) + j, 0)
            if not count:
                continue
            answered += count
            if answer == SERVED_PRIMARY:
                ledger.served_primary += count
            elif answer == SERVED_CANDIDATE:
                ledger.served_candidate += count
            else:
                _bump(ledger.refused, answer.partition(":")[2], count)
            if copy == HANDED:
                handed += count
            else:
                _bump(ledger.skipped, copy.partition(":")[2], count)
    ledger.open = ledger.seen - answered
    ended = 0
    for ending, reason, count in ends:
        ended += count
        if ending == Ending.COMPARED:
            ledger.compared += count
            _bump(ledger.verdicts, reason, count)
        elif ending == Ending.CANDIDATE_ERROR:
            _bump(ledger.candidate_error, reason, count)
        elif ending == Ending.LOST:
            _bump(ledger.lost, reason, count)
        else:
            _bump(ledger.skipped, reason, count)
    ledger.mirrored = ledger.compared + sum(ledger.candidate_error.values()) + sum(ledger.lost.values())
    ledger.pending = handed - ended
    return ledger


def ledger_document(ledger: Ledger) -> dict[str, object]:
    """The ledger as `status --json` prints it: every reason of the closed sets, zeros included."""
    document: dict[str, object] = {
        name: getattr(ledger, name)
        for name in ("seen", "open", "pending", "served_primary", "served_candidate", "mirrored", "compared")
    }
    closed = {
        "refused": Refused,
        "skipped": Skipped,
        "candidate_error": CandidateError,
        "lost": Lost,
        "verdicts": Verdict,
    }
    for name, reasons in closed.items():
        counts: dict[str, int] = getattr(ledger, name)
        document[name] = {str(reason): counts.get(reason, 0) for reason in reasons}
    document["violations"] = ledger.violations()
    return document


def _bump(counts: dict[str, int], reason: str, count: int) -> None:
    counts[reason] = counts.get(reason, 0) + count
