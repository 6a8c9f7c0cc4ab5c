"""The e-values of parity, latency and discovery beside the same formulas in 60 digits, with the bounds found by another root finder."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gate.discovery import discovery_e, unseen_upper
from gate.mixture import log_mixture
from gate.parity import bounds, calculate, log_e

PARITIES = (0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 1 - 1e-9, 1 - 1e-12)
SIZES = (1, 2, 9, 100, 363, 3_642, 10**5, 36_431, 10**6, 99_999_999, 10**8)


def exact_log_e(k: int, n: int, q: mpmath.mpf, a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """ln E as the reference prints it. Digits are the caller's."""

    def log_beta(x: mpmath.mpf, y: mpmath.mpf) -> mpmath.mpf:
        return mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)

    return log_beta(a + k, b + n - k) - log_beta(a, b) - k * mpmath.log(q) - (n - k) * mpmath.log(1 - q)


def near(found: float, expected: mpmath.mpf) -> bool:
    """Within 1e-9 * max(1, |ln E|)."""
    return bool(abs(found - expected) <= 1e-9 * max(1, abs(expected)))


def corners(n: int, q0: float) -> list[int]:
    """Both ends, and what lies around q0 n, where E is near 1 or k < q0 n turns."""
    middle = round(q0 * n)
    wanted = {0, 1, 2, n // 2, n - 1, n, middle - 1, middle, middle + 1}
    wanted |= {round(middle + s * math.sqrt(q0 * n)) for s in (-3, -2, -1, 1, 2, 3)}
    return sorted(k for k in wanted if 0 <= k <= n)


@pytest.mark.parametrize("parity", PARITIES)
def test_parity_at_its_corners(parity: float) -> None:
    """ln E to 1e-9 for n of 1 to 1e8, with no, all and about q0 n mismatches, as `gate calc` prints it."""
    q0 = 1.0 - parity
    with mpmath.workdps(60):
        for n in SIZES:
            for k in corners(n, q0):
                expected = exact_log_e(k, n, mpmath.mpf(q0), mpmath.mpf(1), 4 / mpmath.mpf(q0))
                assert near(log_e(k, n, q0), expected), (k, n)


@pytest.mark.parametrize("parity", ["0.5", "0.9", "0.99", "0.999", "0.9999", "0.99999", "0.999999"])
def test_parity_means_its_decimal_digits(parity: str) -> None:
    """1 - 0.999 in a float is not 0.001; up to .999999 the difference stays below 1e-9 of ln E, too."""
    with mpmath.workdps(60):
        q0 = 1 - mpmath.mpf(parity)
        for n in SIZES:
            for k in corners(n, float(q0)):
                expected = exact_log_e(k, n, q0, mpmath.mpf(1), 4 / q0)
                assert near(calculate(n, k, float(parity), 0.05).log_e, expected), (k, n)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**8), st.integers(0, 10**8))
@example(50_000_000, 50_000_000)
@example(0, 8)
@example(10**8, 0)
@example(50_005_000, 49_995_000)
def test_latency(primary_slow: int, candidate_slow: int) -> None:
    """Beta(2, 2) against one half, for up to 2e8 pairs of which one side was slow."""
    with mpmath.workdps(60):
        two, half = mpmath.mpf(2), mpmath.mpf(1) / 2
        expected = exact_log_e(primary_slow, primary_slow + candidate_slow, half, two, two)
        assert near(log_mixture(primary_slow, primary_slow + candidate_slow, 0.5, 2.0, 2.0), expected)


def exact_discovery_e(discovered: list[int], n: int, mass: mpmath.mpf, prior_mass: mpmath.mpf) -> mpmath.mpf:
    """The reference's 2c, restarts and all."""
    starts, total, weights = [0], mpmath.mpf(0), mpmath.mpf(0)
    while (250 * 2 ** (len(starts) - 1)) < n:
        starts.append(250 * 2 ** (len(starts) - 1))
    for j, start in enumerate(starts):
        weight = mpmath.mpf(1) / ((j + 1) * (j + 2))
        weights += weight
        new = sum(number > start for number in discovered)
        if new < mass * (n - start):
            e = mpmath.exp(exact_log_e(new, n - start, mass, mpmath.mpf(1), 4 / prior_mass))
            total += weight * e if e >= 1 else 0
    return total + 1 - weights


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[list[int], int]:
    """Numbers of the requests that brought a new shape, most of them early, and how many requests there were."""
    n = draw(st.one_of(st.integers(1, 600), st.integers(1, 20_000), st.integers(1, 10**8)))
    found = draw(st.sets(st.one_of(st.integers(1, min(n, 300)), st.integers(1, n)), max_size=40))
    return sorted(found | {1}), n


@settings(max_examples=150, deadline=None)
@given(catalogues(), st.sampled_from([0.001, 0.005, 0.02, 0.3]))
def test_discovery(catalogue: tuple[list[int], int], mass: float) -> None:
    """The sum over all restarts, as a logarithm; from e**700 on it is only said to be as large."""
    discovered, n = catalogue
    with mpmath.workdps(60):
        expected = mpmath.log(exact_discovery_e(discovered, n, mpmath.mpf(mass), mpmath.mpf(mass)))
        found = math.log(discovery_e(discovered, n, mass))
        assert near(found, expected) if expected < 690 else found > 680


def root(gain: Callable[[mpmath.mpf], mpmath.mpf], inside: mpmath.mpf, outside: mpmath.mpf) -> mpmath.mpf:
    """Where `gain` is 0 between the two, by mpmath's own bracketing method."""
    return mpmath.findroot(gain, (inside, outside), solver="anderson", maxsteps=400, tol=1e-40, verify=False)


@pytest.mark.parametrize("parity", [0.5, 0.99, 0.999, 0.9999, 0.999999])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 1.25e-4, 1e-9])
def test_bounds_are_roots_of_the_same_e(parity: float, alpha: float) -> None:
    """Both bounds, with the prior held at the q0 asked for, to 1e-9 of themselves."""
    q0 = 1.0 - parity
    with mpmath.workdps(50):
        one, b = mpmath.mpf(1), 4 / mpmath.mpf(q0)
        for n in (50, 3_642, 10**6, 10**8):
            for k in {0, 1, n // 1000, n // 3, round(q0 * n), n}:

                def gain(q: mpmath.mpf, k: int = k, n: int = n) -> mpmath.mpf:
                    return exact_log_e(k, n, q, one, b) + mpmath.log(mpmath.mpf(alpha))

                lower, upper = bounds(k, n, alpha, q0)
                share, tiny = mpmath.mpf(k) / n, mpmath.mpf(10) ** -40
                if k > 0:
                    expected = root(gain, min(share, 1 - tiny), tiny)
                    assert abs(lower - expected) <= 1e-9 * expected, (k, n)
                if k < n:
                    expected = root(gain, max(share, tiny), 1 - tiny)
                    # Near 1 it is the distance to 1 that E knows; a float has it to 1e-16 only.
                    assert abs(upper - expected) <= 1e-9 * expected, (k, n)


@pytest.mark.parametrize(
    ("discovered", "n"), [((1,), 400), ((1,), 5_000), (tuple(range(1, 201)), 3_000), ((1, 9, 4_000), 60_000)]
)
def test_the_unseen_bound_is_a_root_too(discovered: tuple[int, ...], n: int) -> None:
    """Below it E is short of 1/delta, at it E reaches 1/delta: to the millionth that is promised, and never below the root."""
    mass, delta = mpmath.mpf(0.005), 0.05
    upper = unseen_upper(discovered, n, 0.005, delta)
    with mpmath.workdps(40):
        assert exact_discovery_e(list(discovered), n, mpmath.mpf(upper), mass) >= 1 / delta
        assert exact_discovery_e(list(discovered), n, mpmath.mpf(upper - 1.01e-6), mass) < 1 / delta
