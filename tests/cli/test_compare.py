"""`paritygate compare`: two stored answers, or a file of cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ANSWER = {"status": 200, "headers": [["Content-Type", "application/json"]], "body": "{}"}
CASE = {"name": "same", "request": {"method": "GET", "path": "/"}, "primary": ANSWER, "candidate": ANSWER, "expected": "match"}


def test_compare_judges_two_files(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    a, b = tmp_path / "a.http", tmp_path / "b.http"
    a.write_bytes(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"price": "12.50", "id": 1}')
    b.write_bytes(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"id":1,"price":12.5}')
    code, out, _ = run("compare", str(a), str(b), "--json")
    assert code == 1
    assert json.loads(out)["paths"] == ["$.price"]
    assert run("compare", str(a), str(a))[0] == 0
    assert run("compare", str(a), str(b), "--preset", "decimal-string-number")[0] == 0


def test_compare_of_a_missing_file_exits_2(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("compare", str(tmp_path / "no"), str(tmp_path / "no"))
    assert code == 2
    assert "cannot be read" in err


def test_case_file_gets_one_line_out_per_line_in(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(CASE) + "\n")
    code, out, _ = run("compare", "--cases", str(path))
    assert (code, json.loads(out)) == (0, {"name": "same", "verdict": "match", "paths": [], "tolerated": []})

    path.write_text(json.dumps(CASE) + "\n" + "not json\n")
    code, out, _ = run("compare", "--cases", str(path))
    assert code == 2
    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["match", "error"]

    path.write_text(json.dumps({**CASE, "expected": "mismatch"}))
    assert run("compare", "--cases", str(path))[0] == 1


def test_all_published_cases_get_their_expected_verdicts(run) -> None:  # type: ignore[no-untyped-def]
    assert run("compare", "--cases", str(ROOT / "tests/differ/data/differ.jsonl"))[0] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({**CASE, "candidate": {"status": "200"}}, "candidate.status: must be a number from 100 to 999"),
        ({**CASE, "rules": [{"path": "$[", "action": "ignore"}]}, "is no RFC 9535 path"),
        ({**CASE, "presets": ["durations"]}, "did you mean 'duration'?"),
        ([1], "an object expected, got list"),
        ({"name": "x"}, "request: needs 'method' and 'path'"),
    ],
)
def test_an_unreadable_case_is_named_and_exits_2(line: object, said: str, tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps(CASE))
    code, out, _ = run("compare", "--cases", str(path))
    first, second = (json.loads(text) for text in out.splitlines())

    assert (code, first["verdict"], second["verdict"]) == (2, "error", "match")
    assert said in first["error"]
    assert first["error"].startswith("line 1: ")


def test_a_case_may_hold_a_lone_surrogate(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps({**CASE, "primary": {**ANSWER, "body": "\ud800"}, "expected": "inconclusive"}))

    assert run("compare", "--cases", str(path))[0] == 0


def test_rules_and_presets_add_up_and_the_bodies_are_explained(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    sides = [{**ANSWER, "body": json.dumps(body)} for body in ({"a": 1, "b": "2.50"}, {"a": 2, "b": 2.5})]
    one, other, rules = (tmp_path / name for name in ("a.json", "b.json", "rules.yaml"))
    one.write_text(json.dumps(sides[0]))
    other.write_text(json.dumps(sides[1]))
    entry = {"id": "near", "path": "$.a", "action": "tolerance", "abs": 1, "reason": "r", "owner": "o", "expires": "2099-01-01"}
    rules.write_text(json.dumps({"version": 1, "rules": [entry]}))
    code, out, _ = run(
        "compare", str(one), str(other), "--rules", str(rules), "--preset", "decimal-string-number", "--explain", "--json"
    )
    document = json.loads(out)

    assert (code, document["tolerated"]) == (0, ["decimal-string-number", "near"])
    assert "$.a: Value of root changed from 1 to 2." in document["explanation"]


def test_a_rule_file_that_is_no_text_exits_2(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    rules = tmp_path / "rules.yaml"
    rules.write_bytes(b"version: 1\n# \xff")
    one = tmp_path / "a.json"
    one.write_text(json.dumps(ANSWER))
    code, _, err = run("compare", str(one), str(one), "--rules", str(rules))

    assert code == 2
    assert "not UTF-8" in err
