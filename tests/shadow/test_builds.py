"""Which build an answer is of: its own header, else what named one last."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.builds import Builds
from traffic.message import Failure, Response


def of(builds: Builds, name: bytes | None = None, status: int = 200) -> str:
    return builds.of(Response(status, ((b"X-Build", name),) if name is not None else ()))


def test_an_answer_s_own_header_wins_over_everything_that_is_said_beside_it() -> None:
    builds = Builds("X-Build")
    builds.observe("u1")
    builds.declare("d1")

    assert of(builds, b"h1") == "h1"
    builds.observe("u2")
    assert of(builds, b"h1") == "h1"


def test_without_a_header_the_version_url_wins_over_a_declaration() -> None:
    builds = Builds("X-Build")
    builds.declare("d1")
    assert of(builds) == "d1"
    builds.observe("u1")
    assert of(builds) == "u1"
    builds.declare("d2")
    assert of(builds) == "u1"
    builds.observe("u2")
    assert builds.of(Failure("timeout")) == "u2"


def test_a_declaration_that_is_changed_starts_a_new_build_and_one_that_is_repeated_does_not() -> None:
    builds = Builds("X-Build")

    assert [builds.declare(name) for name in ("d1", "d1", "d2", "d2")] == [True, False, True, False]
    assert of(builds) == "d2"


def test_what_is_found_at_the_start_does_not_overrule_a_header_that_was_seen() -> None:
    """A gateway's error page without the header goes on being of the build that answers, or its errors would be nobody's."""
    builds = Builds("X-Build")
    assert of(builds, b"h1") == "h1"
    builds.declare("d1")
    builds.observe("u1")

    assert of(builds, status=502) == "h1"


def test_a_change_that_is_said_after_the_last_header_is_news() -> None:
    """A new build that sends the header no more is not counted as the old one."""
    builds = Builds("X-Build")
    builds.declare("d1")
    assert of(builds, b"h1") == "h1"
    builds.declare("d2")

    assert of(builds) == "d2"
    assert of(builds, b"h2") == "h2"


def test_what_is_found_at_the_start_does_not_claim_errors_and_what_changes_later_does() -> None:
    """The candidate crashed while the shadow was restarted: until it was heard of, its errors are of the epoch in the store."""
    builds = Builds("X-Build")
    builds.declare("d1")
    assert (of(builds, status=500), builds.known) == ("d1", False)
    builds.declare("d2")
    assert (of(builds, status=500), builds.known) == ("d2", True)


@given(
    st.lists(
        st.tuples(st.sampled_from(["declare", "observe", "header", "none"]), st.sampled_from(["a", "b", "c"])), max_size=30
    ),
    st.sampled_from(["a", "b", "c"]),
)
@settings(max_examples=100, deadline=None)
def test_the_header_decides_whatever_was_said_before(events: list[tuple[str, str]], name: str) -> None:
    """And no build is ever made up: what answers is one that somebody named."""
    builds = Builds("X-Build")
    named = {""}
    for kind, value in events:
        named.add(value)
        if kind == "header":
            assert of(builds, value.encode()) == value
        elif kind == "none":
            assert of(builds) in named
        else:
            getattr(builds, kind)(value)
    assert of(builds, name.encode()) == name
