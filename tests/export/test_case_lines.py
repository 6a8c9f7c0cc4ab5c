"""Case lines: what is written is what `compare --cases` judges alike."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path
from typing import Any

from differ.cases import judge_case
from export.case_lines import export_cases, rule_document
from rules.load import EMPTY, load_rules, rules_from_case
from traffic.message import Failure, Response

TODAY = date(2026, 11, 21)
FILE = Path(__file__).resolve().parents[1] / "differ" / "data" / "differ.jsonl"
RAW = ((b"content-type", b"application/octet-stream"),)
RULES = """
version: 1
bases: {primary: ["http://django:8000"], candidate: ["http://fastapi:8001"]}
drop_query: [["page", "1"]]
class1: {disable: ["repr:number"]}
presets:
  - {name: error-text, reason: r, owner: o, permanent: true, decision: D-1}
rules:
  - {id: a.ts, scope: {method: [GET], route: "/items/{id}/", status: "2xx"}, path: "$..ts", action: normalise, as: datetime,
     tol_s: 2, reason: r, owner: o, expires: 2026-12-31}
  - {id: a.list, path: "$.list", action: keyed, by: [a, b], order: kept, reason: r, owner: o, expires: 2026-12-31}
  - {id: a.map, target: status, action: map, primary: 403, candidate: 401, reason: r, owner: o, expires: 2026-12-31}
  - {id: a.cookie, target: "cookie:sid", action: present_only, reason: r, owner: o, permanent: true, decision: D-2}
  - {id: a.near, path: "$.score", action: tolerance, abs: 0.5, reason: r, owner: o, expires: 2026-12-31, max_rate: 0.1}
"""


def test_rules_survive_the_round_trip() -> None:
    rules = load_rules([("r.yaml", RULES)], TODAY)

    document = {"rules": [json.loads(json.dumps(rule_document(rule))) for rule in rules.rules]}

    assert sorted(rules_from_case(document).rules, key=lambda rule: rule.id) == sorted(rules.rules, key=lambda rule: rule.id)


def test_a_whole_rule_set_survives_in_every_line(make: Any) -> None:
    rules = load_rules([("r.yaml", RULES)], TODAY)

    line = json.loads(export_cases([make.example(make.answer(), make.answer(b"[]"), "$")], rules))

    assert rules_from_case(line).digest == rules.digest


def test_a_line_is_judged_as_the_example_was(make: Any) -> None:
    text = export_cases(
        [
            make.example(make.answer(b'{"a": 1}'), make.answer(b'{"a": 2}'), "$.a", id="1"),
            make.example(make.answer(b"\xff", headers=RAW), make.answer(b"\xfe", headers=RAW), "$", id="2"),
            make.example(make.answer(), Failure("timeout"), ("transport", "$"), id="3"),
            make.example(make.answer(b'{"a":1}'), make.answer(b'{"a": 1}'), id="4"),
        ],
        EMPTY,
    )

    judged = [judge_case(json.loads(line), TODAY) for line in text.splitlines()]

    assert [(one["verdict"], one["paths"]) for one in judged] == [
        ("mismatch", ["$.a"]),
        ("mismatch", ["$"]),
        ("mismatch", ["$"]),
        ("match", []),
    ]


def test_the_same_examples_give_the_same_text_in_any_order(make: Any) -> None:
    examples = [make.example(make.answer(), make.answer(b"[]"), "$", id=str(i)) for i in range(3)]

    assert export_cases(examples, EMPTY) == export_cases(examples[::-1], EMPTY)
    assert export_cases([], EMPTY) == ""


def test_every_case_of_the_differ_is_judged_alike_after_the_round_trip(make: Any) -> None:
    for case in (json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()):
        primary, candidate = parse(case["primary"]), parse(case["candidate"])
        headers = tuple((name.encode(), value.encode("latin-1")) for name, value in case["request"].get("headers", []))
        route = f"{case['request']['method']} {case['request'].get('route', case['request']['path'])}"
        target = case["request"]["path"].encode("latin-1", "replace")
        example = make.example(primary, candidate, route=route, target=target, headers=headers)
        if any(
            name.lower() == b"content-encoding" for side in (primary, candidate) for name, _ in getattr(side, "headers", ())
        ):
            continue  # stored examples are decoded, these are not

        line = json.loads(export_cases([example], rules_from_case(case)))

        first, second = judge_case(case, TODAY), judge_case(line, TODAY)
        assert (second["verdict"], second["paths"]) == (first["verdict"], first["paths"]), case["name"]


def parse(document: dict[str, Any]) -> Any:
    if document.get("error"):
        return Failure("timeout")
    body = document.get("body", "")
    raw = base64.b64decode(body["b64"]) if isinstance(body, dict) else body.encode("utf-8", "surrogatepass")
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in document["headers"])
    return Response(document["status"], headers, raw, document.get("truncated", False))
