"""Wrong rule files are refused with file, line, key, value, what is allowed and the nearest match."""

from __future__ import annotations

from datetime import date

import pytest

from rules.errors import RuleError
from rules.load import load_rules

TODAY = date(2026, 11, 21)
HEAD = "version: 1\nrules:\n"
RULE = "  - {id: r, path: $.a, action: ignore, reason: x, owner: y, expires: 2027-01-01, "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rules: []", "f.yaml:1: version: must be 1, got nothing: write 'version: 1'"),
        (
            HEAD + RULE + "ownr: z}",
            "f.yaml:3: rules[0].ownr: unknown key; did you mean 'owner'? allowed: abs, action, any_offset, as",
        ),
        (
            HEAD + RULE.replace("ignore", "ignor") + "}",
            "f.yaml:3: rules[0].action: got 'ignor'; did you mean 'ignore'? allowed: ignore,",
        ),
        (HEAD + RULE.replace("$.a,", '"$.a[",') + "}", "f.yaml:3: rules[0].path: '$.a[' is no RFC 9535 path: "),
        (
            HEAD + RULE.replace("2027-01-01", "soon") + "}",
            "f.yaml:3: rules[0].expires: must be a date as YYYY-MM-DD, got 'soon'",
        ),
        (HEAD + RULE.replace("$.a", '"$..*"') + "}", "f.yaml:3: rules[0].path: ignore on $..* would hide the whole body"),
        (
            HEAD + RULE.replace("expires: 2027-01-01, ", "") + "}",
            "f.yaml:3: rules[0]: needs 'expires' (YYYY-MM-DD), or 'permanent: true'",
        ),
        (HEAD + RULE + "abs: 1}", "f.yaml:3: rules[0].abs: belongs to the action tolerance, not to ignore"),
        (HEAD + RULE + "scope: {status: 9xx}}", "f.yaml:3: rules[0].scope.status: got '9xx'; allowed: a status such as 404,"),
        (HEAD + RULE + "scope: {method: get}}", "f.yaml:3: rules[0].scope.method: got 'get'; did you mean 'GET'? allowed:"),
        (
            HEAD + RULE + "target: header}",
            "f.yaml:3: rules[0].target: got 'header'; did you mean 'header'? allowed: body, header:<name>",
        ),
        (
            HEAD + RULE.replace("ignore", "regex") + "pattern: '(?=a)'}",
            "f.yaml:3: rules[0].pattern: '(?=a)' is no RE2 pattern: invalid perl operator: (?=",
        ),
        (HEAD + RULE + "}\n" + RULE + "}", "f.yaml:4: the id 'r' is taken by f.yaml:3; rename one of them"),
        ("version: 1\npresets: [duratoin]", "f.yaml:2: presets[0]: a preset is a decision: write {name: duratoin, reason: ..."),
        (
            "version: 1\npresets:\n  - {name: duratoin, reason: a, owner: b, permanent: true, decision: c}",
            "f.yaml:3: presets[0].name: 'duratoin' is no preset; did you mean 'duration'? allowed: allow-head-options,",
        ),
        (
            "version: 1\nlimits: {body: lots}",
            "f.yaml:2: limits.body: must be a whole number from 1 to 1073741824 (or a size such as 8MiB)",
        ),
        (
            "version: 1\nclass1: {disable: [repr:numbr]}",
            "f.yaml:2: class1.disable: got 'repr:numbr'; did you mean 'repr:number'?",
        ),
        ("a: [", "f.yaml:1: not valid YAML: "),
        ("a: 1\na: 2", "f.yaml:2: the key 'a' stands twice; remove one"),
        ("a: !!python/object:os.system x", "f.yaml:1: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed"),
    ],
)
def test_a_wrong_file_is_refused_with_a_precise_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RuleError) as refused:
        load_rules([("f.yaml", text)], TODAY)

    assert any(problem.startswith(sentence) for problem in refused.value.problems), str(refused.value)


def test_an_alias_bomb_costs_no_more_than_its_text() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 9)]

    with pytest.raises(RuleError, match="once aliases are followed"):
        load_rules([("f.yaml", "\n".join(lines))], TODAY)


def test_a_tolerance_under_an_unordered_list_is_refused() -> None:
    lines = [
        "  - {id: u, path: $.r, action: unordered, reason: x, owner: y, expires: 2027-01-01}",
        '  - {id: t, path: "$.r[*].price", action: tolerance, abs: 1, reason: x, owner: y, expires: 2027-01-01}',
    ]
    with pytest.raises(RuleError, match=r"f.yaml:4: t: a tolerance cannot stand under the unordered list of u \(\$\.r\)"):
        load_rules([("f.yaml", HEAD + "\n".join(lines))], TODAY)


def test_two_values_of_one_limit_name_both_places() -> None:
    with pytest.raises(RuleError, match=r"b.yaml:2: limits.depth is 20 here and 10 at a.yaml:2; keep one"):
        load_rules([("a.yaml", "version: 1\nlimits: {depth: 10}"), ("b.yaml", "version: 1\nlimits: {depth: 20}")], TODAY)


def test_bases_merge_and_the_digest_knows_no_order() -> None:
    one = ("a.yaml", "version: 1\nbases: {primary: ['http://a']}\n" + HEAD[11:] + RULE + "}")
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
