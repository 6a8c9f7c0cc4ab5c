"""Parts of a rule set by name, and versions that follow what a name means."""

from __future__ import annotations

from datetime import date

import pytest

from rules.load import load_rules
from rules.model import RuleSet
from rules.subset import Subsets, called, names, version_of, without

FILE = """
version: 1
drop_query: [["page", "1"]]
presets:
  - {name: error-text, reason: r, owner: o, expires: 2027-01-31}
rules:
  - {id: a, path: $.a, action: type_only, reason: r, owner: o, expires: 2027-01-31}
  - {id: b, path: $.b, action: ignore, why_not: w, reason: r, owner: o, expires: 2027-01-31}
"""


def loaded(text: str = FILE) -> RuleSet:
    return load_rules([("rules.yaml", text)], date(2026, 12, 1))


def test_names_are_those_that_reports_use() -> None:
    assert names(loaded()) == ("a", "b", "drop_query", "error-text")


@pytest.mark.parametrize("name", ["a", "b", "drop_query", "error-text"])
def test_one_name_is_left_out_and_everything_else_stays(name: str) -> None:
    whole = loaded()
    rest = without(whole, name)
    assert set(names(whole)) - set(names(rest)) == {name}
    assert called(rest, name) == ()
    assert (rest.bases, rest.limits, rest.class1_off) == (whole.bases, whole.limits, whole.class1_off)


def test_leaving_out_what_is_not_there_changes_nothing() -> None:
    assert without(loaded(), "nobody").digest == loaded().digest


def test_a_preset_is_left_out_with_all_its_rules() -> None:
    assert called(loaded(), "error-text")
    assert without(loaded(), "error-text").preset_rules == ()


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        (("path: $.a", "path: $.x"), True),
        (("$.a, action: type_only", "$.a, action: regex, pattern: a+"), True),
        (("$.a, action: type_only, reason: r, owner: o", "$.a, action: type_only, reason: s, owner: p, max_rate: 0.1"), False),
        (("expires: 2027-01-31}\n  - {id: b", "expires: 2027-02-28}\n  - {id: b"), False),
        (("- {id: b", "- {id: c"), False),
    ],
)
def test_version_follows_what_a_rule_does_and_not_who_answers_for_it(change: tuple[str, str], moves: bool) -> None:
    text = FILE.replace(*change)
    assert text != FILE
    assert (version_of(loaded(text), "a") != version_of(loaded(), "a")) is moves


def test_versions_of_presets_and_dropped_queries_do_not_depend_on_the_rest_of_the_files() -> None:
    shorter = loaded(FILE.replace("  - {id: a, path: $.a, action: type_only, reason: r, owner: o, expires: 2027-01-31}\n", ""))
    for name in ("error-text", "drop_query", "b"):
        assert version_of(shorter, name) == version_of(loaded(), name)


def test_subsets_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subsets, "MAXIMUM", 1)
    subsets = Subsets(loaded())
    first = subsets.without("a")
    assert subsets.without("a") is first
    subsets.without("b")
    assert subsets.without("a") is not first
    assert subsets.without("a").digest == first.digest
