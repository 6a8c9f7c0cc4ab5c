"""The ledger's equations, as laws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traffic.ledger import ANSWERS, COPIES, HANDED, SEEN_SLOT, SLOTS, Ledger, build_ledger, ledger_document, opening_slot
from traffic.outcome import ENDING_REASONS, Ending

answered = st.tuples(st.sampled_from(ANSWERS), st.sampled_from(COPIES))
endings = st.sampled_from([(e, r) for e in Ending for r in ENDING_REASONS[e]])


def history(closed: list[tuple[str, str]], still_open: int, ended: list[tuple[Ending, str]]) -> Ledger:
    slots = {SEEN_SLOT: len(closed) + still_open}
    for pair in closed:
        slots[opening_slot(*pair)] = slots.get(opening_slot(*pair), 0) + 1
    handed = sum(1 for _, copy in closed if copy == HANDED)
    return build_ledger(slots, [(str(e), str(r), 1) for e, r in ended[:handed]])


histories = st.builds(history, st.lists(answered), st.integers(0, 9), st.lists(endings))


@given(histories)
def test_equations_hold_for_every_history(ledger: Ledger) -> None:
    assert ledger.violations() == []


@given(histories, histories, histories)
def test_merging_is_associative_and_keeps_the_equations(a: Ledger, b: Ledger, c: Ledger) -> None:
    assert ledger_document((a + b) + c) == ledger_document(a + (b + c))
    assert (a + b + c).violations() == []


@given(histories, endings)
def test_an_end_too_many_is_a_violation(ledger: Ledger, ending: tuple[Ending, str]) -> None:
    assert build_ledger({}, [(str(ending[0]), str(ending[1]), 1)]).violations()


def test_each_pair_of_outcomes_has_its_own_slot() -> None:
    slots = {opening_slot(answer, copy) for answer in ANSWERS for copy in COPIES}
    assert len(slots) == len(ANSWERS) * len(COPIES)
    assert max(slots) == SLOTS - 1


def test_document_lists_every_reason_of_the_closed_sets() -> None:
    document = ledger_document(Ledger())
    assert document["refused"] == dict.fromkeys(
        ["malformed", "header_limit", "overload", "upstream_unreachable", "upstream_timeout", "client_gone", "draining", "proxy_died"], 0
    )  # fmt: skip
    assert set(document["verdicts"]) == {"match", "tolerated", "mismatch", "noise", "raced", "inconclusive", "cascade"}


def test_a_declined_copy_is_skipped_and_not_mirrored() -> None:
    slots = {SEEN_SLOT: 1, opening_slot("served_primary", HANDED): 1}

    ledger = build_ledger(slots, [("skipped", "breaker_open", 1)])

    assert (ledger.mirrored, ledger.skipped, ledger.pending) == (0, {"breaker_open": 1}, 0)
    assert ledger.violations() == []
