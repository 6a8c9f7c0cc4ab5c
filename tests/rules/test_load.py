"""What loads, and what several files make together."""

from __future__ import annotations

from datetime import date

from rules.load import load_rules

TODAY = date(2026, 11, 21)
RULES = "rules:\n  - {id: r, path: $.a, action: ignore, reason: x, owner: y, expires: 2027-01-01}\n"


def test_bases_merge_and_the_digest_knows_no_order() -> None:
    one = ("a.yaml", "version: 1\nbases: {primary: ['http://a']}\n" + RULES)
    other = ("b.yaml", "version: 1\nbases: {primary: ['http://b/']}\ndrop_query: [[page, '1']]")

    forth, back = load_rules([one, other], TODAY), load_rules([other, one], TODAY)

    assert forth.bases.primary == ("http://a", "http://b")
    assert forth.digest == back.digest != load_rules([one], TODAY).digest


def test_the_reference_example_loads() -> None:
    text = """
version: 1
bases: {primary: ["https://api.example.com"], candidate: ["http://fastapi:8001"]}
drop_query: [["page", "1"], ["offset", "0"]]
class1: {disable: []}
limits: {body: 8MiB, depth: 200, diffs: 50, nodes: 2000000}
presets:
  - {name: drf-fastapi-errors, reason: "422 shape kept", owner: api-guild, decision: ADR-17, permanent: true}
  - {name: django-headers, reason: "set by the gateway after cut-over", owner: platform, expires: 2027-02-28}
rules:
  - id: items.updated_at
    scope: {method: [GET], route: "/api/items/", status: "2xx", content_type: "application/json"}
    target: body
    path: "$.results[*].updated_at"
    action: normalise
    as: datetime
    tol_s: 2
    reason: "auto_now runs on both sides"
    owner: team-catalogue
    ticket: MIG-123
    expires: 2027-01-31
    max_rate: 0.05
"""
    rules = load_rules([("f.yaml", text)], TODAY)

    assert [use.name for use in rules.presets] == ["django-headers", "drf-fastapi-errors"]
    assert rules.rules[0].tol_s == 2
    assert rules.limits.body == 8 << 20
