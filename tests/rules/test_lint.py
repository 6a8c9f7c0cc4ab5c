"""Lint remarks on what loads but should not stay."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rules.lint import lint
from rules.load import rules_from_case
from rules.presets import NAMES, preset

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("rules", "kinds"),
    [
        ([{"path": "$.a", "action": "ignore"}], ["why_not"]),
        ([{"path": "$.*", "action": "ignore", "why_not": "x"}], ["over_broad"]),
        ([{"path": "$.a", "action": "type_only"}, {"path": "$.a", "action": "missing_is_null"}], ["tie"]),
        ([{"path": "$.a", "action": "type_only", "expires": "2026-11-20"}], ["expired"]),
        ([{"path": "$.a", "action": "type_only", "expires": "2026-11-21"}], []),
        ([{"path": "$.a", "action": "type_only", "expires": "2027-11-21"}], ["far_off"]),
        ([{"path": "$.a", "action": "type_only", "scope": {"route": "/itms/"}}], ["unknown_route"]),
    ],
)
def test_lint(rules: list[dict[str, Any]], kinds: list[str]) -> None:
    remarks = lint(rules_from_case({"rules": rules}), TODAY, routes=["GET /items/"])

    assert [remark.kind for remark in remarks] == kinds


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_says_why_what_it_risks_and_how_to_fix_the_port(name: str) -> None:
    made = preset(name)

    assert made.rules
    assert all(len(text) > 20 for text in (made.reason, made.risk, made.fix))
