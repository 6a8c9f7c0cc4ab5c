"""The demo's rule file: it loads, and it speaks only of routes that exist."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import demo
from demo.traffic_offers import OFFERS
from demo.traffic_plan import make_plan
from demo.truth import load_defects
from rules.load import load_rules
from rules.model import template_of

FILE = Path(demo.__file__).parent / "rules" / "demo.yaml"


def _rules():
    return load_rules([(FILE.name, FILE.read_text(encoding="utf-8"))], date(2026, 1, 1))


def test_the_rule_file_loads() -> None:
    assert len(_rules().presets) == 10


def test_nothing_in_it_expires_so_that_the_demo_stays_true() -> None:
    rules = _rules()
    assert rules.expired(date(2100, 1, 1)) == ()


def test_every_rule_names_a_route_that_the_traffic_uses() -> None:
    used = {template_of(step.route) for step in make_plan(2600, 7, 90.0)}
    assert {rule.scope.route for rule in _rules().rules} <= used


def test_no_rule_of_its_own_speaks_of_a_route_with_a_planted_defect() -> None:
    defective = {template_of(defect.route) for defect in load_defects()}
    assert not {rule.scope.route for rule in _rules().rules} & defective


def test_every_offer_is_dealt_at_least_once() -> None:
    assert {offer.route for offer in OFFERS} <= {step.route for step in make_plan(200, 1, 50.0)}
