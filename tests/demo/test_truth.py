"""The list of planted defects and the check of findings against it."""

from __future__ import annotations

import pytest

from demo.truth import UnknownDefect, check, load_defects, planted_defects

ALL_KEYS = [key for defect in load_defects() for key in sorted(defect.keys)]


def test_about_a_dozen_defects_are_planted_each_with_a_name_of_its_own() -> None:
    defects = load_defects()
    assert 10 <= len(defects) <= 14
    assert len({defect.id for defect in defects}) == len(defects)


def test_no_two_defects_share_a_cluster() -> None:
    assert len(set(ALL_KEYS)) == len(ALL_KEYS)


def test_no_two_defects_share_a_route() -> None:
    assert len({defect.route for defect in load_defects()}) == len(load_defects())


def test_every_aspect_that_can_be_found_is_planted() -> None:
    aspects = {aspect for _, aspect, _ in ALL_KEYS}
    assert aspects == {"status", "header", "cookie", "body", "latency", "relation"}


def test_everything_found_and_nothing_else_is_complete() -> None:
    assert check(ALL_KEYS).complete


def test_a_cluster_that_was_not_found_makes_its_defect_missing() -> None:
    renamed = next(defect for defect in load_defects() if defect.id == "renamed-field")
    outcome = check(key for key in ALL_KEYS if key[2] != "$.joined_at")
    assert outcome.missing == (renamed,)
    assert not outcome.complete


def test_a_cluster_nobody_planted_is_unexpected() -> None:
    surprise = ("GET /shop/", "header", "vary")
    outcome = check([*ALL_KEYS, surprise])
    assert outcome.unexpected == (surprise,)
    assert not outcome.complete


def test_a_fixed_defect_must_not_be_found() -> None:
    outcome = check(ALL_KEYS, fix="slow-report")
    assert outcome.unexpected == (("GET /api/reports/top-products/", "latency", "p50"),)


def test_a_fixed_defect_is_not_missed() -> None:
    assert check([key for key in ALL_KEYS if key[1] != "latency"], fix="slow-report").complete


def test_nothing_found_misses_every_defect() -> None:
    assert check([]).missing == load_defects()


def test_without_a_fix_every_defect_is_planted() -> None:
    assert planted_defects("") == {defect.id for defect in load_defects()}


def test_all_fixes_everything() -> None:
    assert planted_defects("all") == frozenset()


def test_a_fix_names_several_defects_with_commas_and_blanks() -> None:
    assert planted_defects("") - planted_defects(" slow-report, local-time,") == {"slow-report", "local-time"}


def test_an_unknown_fix_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownDefect, match=r"no planted defect is called 'slow-reprot'; did you mean 'slow-report'\?"):
        planted_defects("slow-reprot")
