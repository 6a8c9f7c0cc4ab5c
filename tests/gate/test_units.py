"""Units and epochs: what makes two exchanges the same piece of evidence, and what starts evidence afresh."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.epoch import epoch_of
from gate.shapes import shape_of
from gate.units import canonical_request, is_closed, kept_open, unit_key, unit_of, unit_outcome, unit_parts, window_of
from traffic.message import Request

outcome = st.sampled_from(
    ["match", "tolerated", "mismatch", "noise", "raced", "inconclusive", "cascade", "candidate_error:timeout"]
)


@given(st.lists(outcome, max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_s14_a_unit_adds_at_most_one_and_knows_no_order(outcomes: list[str], random: object) -> None:
    """S14: the order of verdicts inside a unit is irrelevant; it adds exactly 1 to n when it is evidence, and at most 1 to k."""
    shuffled = list(outcomes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    n, k = unit_outcome(outcomes)

    assert unit_outcome(shuffled) == (n, k)
    assert 0 <= k <= n <= 1
    assert n == any(one in ("match", "tolerated", "mismatch") or one.startswith("candidate_error") for one in outcomes)


def test_s14_the_worst_verdict_decides() -> None:
    """One mismatch or candidate error among any number of matches."""
    assert unit_outcome(["match"] * 9 + ["mismatch"]) == (1, 1)
    assert unit_outcome(["match", "candidate_error"]) == (1, 1)
    assert unit_outcome(["match", "noise"]) == (1, 0)
    assert unit_outcome(["noise", "inconclusive"]) == (0, 0)


def test_the_same_question_has_the_same_canonical_form() -> None:
    """The order of query pairs does not matter; path, values, body and repetition do."""
    one = Request("GET", b"/a?x=1&y=2")

    assert canonical_request(one) == canonical_request(Request("GET", b"/a?y=2&x=1", ((b"Accept", b"*/*"),)))
    others = [Request("GET", b"/a?x=1&y=3"), Request("GET", b"/b?x=1&y=2"), Request("HEAD", b"/a?x=1&y=2")]
    others += [Request("GET", b"/a?x=1&y=2&y=2"), Request("GET", b"/a?x=1&y=2", body=b"y"), Request("GET", b"/a?x=1")]
    assert len({canonical_request(request) for request in [one, *others]}) == 1 + len(others)


def test_a_unit_belongs_to_one_client_shape_and_request() -> None:
    """Any of the three makes another unit."""
    keys = {
        unit_key("s", "c", "r"),
        unit_key("s2", "c", "r"),
        unit_key("s", "c2", "r"),
        unit_key("s", "c", "r2"),
        unit_key("sc", "", "r"),
    }

    assert len(keys) == 5


def test_a_units_key_tells_its_client_request_and_shape_apart() -> None:
    one, other = (unit_parts(unit_key("0123456789abcdef", client, "r")) for client in ("c", "d"))

    assert one[1:] == other[1:]
    assert (one[0] != other[0], one[2]) == (True, "0123456789abcdef")


def test_a_key_of_another_length_is_a_client_and_a_request_of_its_own() -> None:
    assert unit_parts("ab" * 20) == ("ab" * 20, "ab" * 20, "")


def test_shapes_know_names_and_types_but_no_values() -> None:
    """Another value is the same shape; another name, type, status class, client kind or repetition is not."""

    def shape(target: bytes, status: int = 200, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> str:
        json = ((b"Content-Type", b"application/json"),) if body else ()
        return shape_of(Request("POST", target, json + headers, body), "POST /a", status).digest

    assert shape(b"/a?x=1") == shape(b"/a?x=2")
    assert shape(b"/a", 200) == shape(b"/a", 204)
    assert shape(b"/a", body=b'{"n": 1}') == shape(b"/a", body=b'{"n": 2}')
    different = [shape(b"/a"), shape(b"/a?x=1"), shape(b"/a?x=1&x=2"), shape(b"/a?page=1"), shape(b"/a", 404)]
    different += [
        shape(b"/a", body=b'{"n": 1}'),
        shape(b"/a", body=b'{"n": "1"}'),
        shape(b"/a", body=b'{"m": 1}'),
        shape(b"/a", body=b"{"),
    ]
    different += [shape(b"/a", headers=((b"Cookie", b"a=b"),))]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize("body", [b"[" * 50_000, b"\xff\xfe", b'{"a":' * 9_000, b"x" * 100_000, b"1" * 60_000])
def test_hostile_bodies_have_a_shape(body: bytes) -> None:
    """Nesting, broken text and huge numbers raise nothing."""
    request = Request("POST", b"/a?\xff=%zz&&=", ((b"content-type", b"application/json"),), body)

    shape = shape_of(request, "POST /a", None)

    assert unit_parts(unit_of(request, shape.digest, "c"))[2] == shape.digest
    assert len(shape.text) <= 200


def test_windows_close_at_their_end() -> None:
    """At the very end of a window it is over."""
    assert window_of(7199.9, 3600) == 1
    assert not is_closed(1, 3600, 7199.9)
    assert is_closed(1, 3600, 7200)


@given(st.lists(st.text("0123456789abcdef", min_size=4, max_size=4)), st.integers(-1, 10))
@settings(max_examples=60, deadline=None)
def test_surplus_units_are_dropped_by_key_alone(keys: list[str], most: int) -> None:
    """The lowest keys stay, in whatever order they came."""
    kept = kept_open(keys, most)

    assert kept == kept_open(reversed(keys), most)
    assert len(kept) == min(max(0, most), len(set(keys)))
    assert all(a < b for a in kept for b in set(keys) - kept)


def test_any_change_makes_another_epoch() -> None:
    """Build, rules, differ, route and mode each count, and no two arguments run into each other."""
    base = ("b", "r", "d", "GET /", "shadow")
    changed = [(*base[:i], "canary" if i == 4 else "x", *base[i + 1 :]) for i in range(5)]
    epochs = {epoch_of(*arguments) for arguments in [base, *changed, ("br", "", "d", "GET /", "shadow")]}

    assert len(epochs) == 7
    assert epoch_of(*base) == epoch_of(*base)


def test_an_unknown_mode_is_refused() -> None:
    """The sentence lists the modes there are."""
    with pytest.raises(ValueError, match="shadow, canary, reverse"):
        epoch_of("b", "r", "d", "GET /", "dark")
