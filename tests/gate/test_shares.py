"""No client and no request speaks for a route: which of a window's units count, and the counts of those that are frequent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gate.shares import FLOOR, USUAL, Frequent, Unit, capacity_for, kept_units

NOBODY = Frequent({})
shares = st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.5, 0.9, 0.99, 1.0])


def a_unit(rank: int, client: str, request: str, bad: bool = False, shape: str = "s") -> Unit:
    return Unit(rank, client, request, shape, bad, 0.0)


units = st.lists(
    st.builds(
        a_unit, st.integers(0, 50), st.sampled_from("abcde"), st.sampled_from("uvwxy"), st.booleans(), st.sampled_from("st")
    ),
    max_size=60,
    unique_by=lambda unit: (unit.client, unit.request, unit.shape),
)
known = st.builds(Frequent, st.dictionaries(st.sampled_from("abcdeuvwxy"), st.integers(1, 40), max_size=6), st.integers(0, 10))


@given(units, st.integers(0, 500), known, known, shares, shares)
@settings(max_examples=150, deadline=None)
@example(
    [a_unit(i, "a", str(i)) for i in range(300)] + [a_unit(i, f"b{i}", str(-i)) for i in range(10)], 0, NOBODY, NOBODY, 0.9, 1.0
)
def test_no_share_is_exceeded(
    window: list[Unit], before: int, clients: Frequent, requests: Frequent, client_share: float, request_share: float
) -> None:
    """Of what counts in the epoch afterwards nobody can have more than the share, but for the FLOOR of this window."""
    kept = kept_units(window, before, clients, requests, client_share, request_share)
    total = before + len(kept)

    for share, known_before, now in (
        (client_share, clients, Counter(unit.client for unit in kept)),
        (request_share, requests, Counter(unit.request for unit in kept)),
    ):
        for key, count in now.items():
            most = known_before.counts.get(key, 0) + known_before.missed + count
            assert count <= FLOOR or most <= share * total


@given(units, st.integers(0, 100), known, shares, shares, st.randoms(use_true_random=False), st.integers(0, 2**60))
@settings(max_examples=120, deadline=None)
def test_neither_order_nor_verdicts_choose(
    window: list[Unit], before: int, clients: Frequent, one: float, other: float, random: Random, verdicts: int
) -> None:
    """The same units count when they come in another order, and when their verdicts are turned round."""
    kept = kept_units(window, before, clients, NOBODY, one, other)
    shuffled = list(window)
    random.shuffle(shuffled)
    judged = [replace(unit, bad=bool(verdicts >> i & 1)) for i, unit in enumerate(window)]

    assert kept_units(shuffled, before, clients, NOBODY, one, other) == kept
    assert [key(unit) for unit in kept_units(judged, before, clients, NOBODY, one, other)] == [key(unit) for unit in kept]


def key(unit: Unit) -> tuple[int, str, str, str]:
    return unit.rank, unit.client, unit.request, unit.shape


@given(units, st.integers(0, 100), known, shares)
@settings(max_examples=100, deadline=None)
def test_each_client_and_request_may_always_speak_once(
    window: list[Unit], before: int, clients: Frequent, share: float
) -> None:
    """Where requests are unlimited every client of the window has at least FLOOR units in it, and it is those with the lowest ranks."""
    kept = kept_units(window, before, clients, NOBODY, share, 1.0)

    assert {unit.client for unit in kept} == {unit.client for unit in window}
    for client in {unit.client for unit in window}:
        mine = sorted((unit for unit in window if unit.client == client), key=key)
        assert [unit for unit in kept if unit.client == client] == mine[: sum(unit.client == client for unit in kept)]


@given(units, st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_shares_of_one_keep_all(window: list[Unit], before: int) -> None:
    """The demo's profile."""
    assert kept_units(window, before, NOBODY, NOBODY, 1.0, 1.0) == sorted(window, key=key)


def test_a_unit_is_never_dropped_without_need() -> None:
    """One more of any client that lost units would break its share."""
    window = [a_unit(i, "loud" if i % 2 else f"c{i}", f"r{i}") for i in range(1_000)]
    kept = kept_units(window, 0, NOBODY, NOBODY, 0.05, 1.0)
    loud = sum(unit.client == "loud" for unit in kept)

    assert len(kept) == 500 + loud
    assert loud <= 0.05 * len(kept) < loud + 1


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_a_large_share_is_kept_to_as_well(share: float) -> None:
    """One client with 20,000 units among ten with one: going down step by step would take a thousand steps at .999."""
    window = [a_unit(i, "loud" if i >= 10 else f"c{i}", f"r{i}") for i in range(20_010)]
    kept = kept_units(window, 0, NOBODY, NOBODY, share, 1.0)
    loud = sum(unit.client == "loud" for unit in kept)

    assert loud <= share * len(kept)
    assert loud >= share / (1 - share) * 10 - 2


@given(st.lists(st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 50)), max_size=12), st.integers(1, 6))
@settings(max_examples=120, deadline=None)
def test_frequent_counts_err_downwards_and_within_their_bound(windows: list[dict[str, int]], capacity: int) -> None:
    """Misra and Gries: true - missed <= count <= true for every key, missed <= total / (capacity + 1), at most `capacity` keys."""
    frequent, true = NOBODY, Counter[str]()
    for added in windows:
        frequent = frequent.plus(added, capacity)
        true.update(added)

        assert len(frequent.counts) <= capacity
        assert all(true[name] - frequent.missed <= frequent.counts.get(name, 0) <= true[name] for name in "abcdefghij")
        assert frequent.missed * (capacity + 1) <= sum(true.values()) - sum(frequent.counts.values())
        assert frequent.most() >= max(true.values(), default=0)


@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_frequent_counts_are_exact_where_all_keys_fit(windows: list[dict[str, int]]) -> None:
    """Batches merge to what one batch is."""
    frequent = NOBODY
    for added in windows:
        frequent = frequent.plus(added, 8)

    assert frequent == Frequent(dict(sum((Counter(added) for added in windows), Counter())), 0)


def test_frequent_counts_of_batches_and_of_their_sum_hold_the_same_bounds() -> None:
    """Merging loses no guarantee: ten batches of a thousand, capacity 40, beside one of ten thousand."""
    random = Random(3)
    batches = [Counter(str(int(random.paretovariate(0.7))) for _ in range(1_000)) for _ in range(10)]
    apart, at_once = NOBODY, NOBODY.plus(sum(batches, Counter()), 40)
    for batch in batches:
        apart = apart.plus(batch, 40)

    true = sum(batches, Counter())
    for found in (apart, at_once):
        assert found.missed <= 10_000 / 41
        assert max(true.values()) <= found.most() <= max(true.values()) + found.missed
        # Whoever has more than a 41st of all is among them.
        assert {name for name, count in true.items() if count > 10_000 / 41} <= set(found.counts)


def test_the_count_of_keys_fits_the_share() -> None:
    """Twice as exact as what is asked: 40 keys know 5 % to 2.4 %."""
    assert [capacity_for(share) for share in (0.05, 0.2, 1.0, 0.0)] == [40, 10, 10, 1_000]


@pytest.mark.parametrize(("hot", "others"), [(0.4, 5_000), (0.4, 10), (0.9, 300), (0.15, 5_000)])
def test_over_many_windows_the_true_share_stays_within_the_limit_and_the_guard_can_see_it(hot: float, others: int) -> None:
    """A request with 40 % of the traffic gets 20 % of the evidence and no more, though hundreds of others crowd the counts."""
    random, clients, requests, n, true = Random(1), NOBODY, NOBODY, 0, Counter[str]()
    for _ in range(48):
        pairs = {
            (str(random.randrange(5_000)), "hot" if random.random() < hot else str(random.randrange(others)))
            for _ in range(300)
        }
        window = [a_unit(random.getrandbits(60), client, request) for client, request in sorted(pairs)]
        kept = kept_units(window, n, clients, requests, USUAL.client_share, USUAL.request_share)
        clients = clients.plus(Counter(unit.client for unit in kept), capacity_for(USUAL.client_share))
        requests = requests.plus(Counter(unit.request for unit in kept), capacity_for(USUAL.request_share))
        n, true = n + len(kept), true + Counter(unit.request for unit in kept)

    assert max(true.values()) <= USUAL.request_share * n
    assert requests.most() <= USUAL.request_share * n
    assert n > 48 * 300 * min(1.0, (1 - hot) / 0.85) * 0.8
