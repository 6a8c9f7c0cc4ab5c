"""Wrong rule files are refused with file, line, key, value, what is allowed and the nearest match."""

from __future__ import annotations

from datetime import date

import pytest

from rules.errors import RuleError
from rules.load import decode_rules, load_rules, rules_from_case

TODAY = date(2026, 11, 21)
HEAD = "version: 1\nrules:\n"
RULE = "  - {id: r, path: $.a, action: ignore, reason: x, owner: y, expires: 2027-01-01, "


def bare(rule: str) -> str:
    """A file with one rule that has an id and somebody who answers for it."""
    return f"{HEAD}  - {{id: r, reason: x, owner: y, expires: 2027-01-01, {rule}}}"


def entry(more: str = "", path: str = "$.a", action: str = "ignore", expires: str = "2027-01-01") -> str:
    """A file with one rule of the body."""
    return bare(f"path: {path}, action: {action}, {more}").replace("2027-01-01", expires)


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
            "f.yaml:3: rules[0].target: got 'header'; name the header, e.g. header:etag; allowed: body, header:<name>",
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
        # a file as a whole
        ("- a", "f.yaml:1: a rule file is a mapping that begins with 'version: 1', got a list"),
        ("hello", "f.yaml:1: a rule file is a mapping that begins with 'version: 1', got 'hello'"),
        ("", "f.yaml:1: version: must be 1, got nothing: write 'version: 1'"),
        ("---\n", "f.yaml:1: version: must be 1, got nothing"),
        ("version: 1\n---\nversion: 1", "f.yaml:2: a second document begins here: one file holds one, remove the line '---'"),
        ("version: true", "f.yaml:1: version: must be 1, got true"),
        ("version: '1'", "f.yaml:1: version: must be 1, got '1'"),
        ("version: 1.0", "f.yaml:1: version: must be 1, got 1.0"),
        ("version: 1\nrule: []", "f.yaml:2: rule: unknown key; did you mean 'rules'? allowed: bases, class1,"),
        ("version: 1\nrules: {a: b}", "f.yaml:2: rules: must be a list, got a mapping"),
        ("version: 1\nrules: [a]", "f.yaml:2: rules[0]: must be a mapping, got 'a'"),
        # YAML
        (
            "version: 1\nrules:\n\t- a",
            "f.yaml:3: not valid YAML: found character '\\t' that cannot start any token: indent with spaces",
        ),
        ("version: 1\nowner: a\0b", "f.yaml:2: not valid YAML: the character U+0000 may not stand in it: remove it"),
        (
            "version: 1\nreason: a: b",
            "f.yaml:2: not valid YAML: mapping values are not allowed here: put a text that holds ': ' in quotes",
        ),
        (
            "version: 1\na: @b",
            "f.yaml:2: not valid YAML: found character '@' that cannot start any token: put a text that begins with @,",
        ),
        (
            "version: 1\nrules:\n  - id: r\n   path: $.a",
            "f.yaml:4: not valid YAML: expected <block end>, but found '<block mapping start>': look at",
        ),
        ('version: "\\U00110000"', "f.yaml:1: not valid YAML: an escape or a number is out of range"),
        ("base: &b {a: 1}\nversion: 1\nrules:\n  - {<<: *b}", "f.yaml:4: merges (<<) are not allowed: write the keys out"),
        ("version: 1\nrules: *nope", "f.yaml:2: the alias '*nope' names no anchor above"),
        ("version: 1\nrules: &a [*a]", "f.yaml:2: the alias '*a' stands inside what it names"),
        ("? [a]\n: 1", "f.yaml:1: a key must be plain text, not a list, a mapping or an alias"),
        (
            "version: 1\nrules: !!binary aGVsbG8=",
            "f.yaml:2: the tag 'tag:yaml.org,2002:binary' is not allowed: write plain text",
        ),
        ("version: 1\nrules: !!set {a}", "f.yaml:2: the tag 'tag:yaml.org,2002:set' is not allowed"),
        # values that other readers of YAML bend
        (
            entry(expires="2027-02-30"),
            "f.yaml:3: rules[0].expires: must be a date as YYYY-MM-DD, got '2027-02-30': the calendar has no such day",
        ),
        (entry(expires="2027-1-1"), "f.yaml:3: rules[0].expires: must be a date as YYYY-MM-DD, got '2027-1-1'"),
        (entry(expires="20270101"), "f.yaml:3: rules[0].expires: must be a date as YYYY-MM-DD, got 20270101"),
        (
            entry(expires="2027-01-01T00:00:00Z"),
            "f.yaml:3: rules[0].expires: must be a date as YYYY-MM-DD, got '2027-01-01T00:00:00Z'",
        ),
        (entry("scope: {status: 0404}"), "f.yaml:3: rules[0].scope.status: got '0404'; allowed: a status such as 404"),
        (entry("scope: {status: 0x194}"), "f.yaml:3: rules[0].scope.status: got '0x194'"),
        (entry("scope: {status: " + "9" * 10_000 + "}"), "f.yaml:3: rules[0].scope.status: got '" + "9" * 77 + "...'; allowed"),
        (entry("max_rate: 1:30"), "f.yaml:3: rules[0].max_rate: must be a number from 0 to 1, got '1:30'"),
        (entry("max_rate: .nan"), "f.yaml:3: rules[0].max_rate: must be a number from 0 to 1, got nan"),
        (entry("max_rate: 5%"), "f.yaml:3: rules[0].max_rate: must be a number from 0 to 1, got '5%': write 0.05"),
        (
            entry("max_rate: '0.5'"),
            "f.yaml:3: rules[0].max_rate: must be a number from 0 to 1, got '0.5': write it without quotes",
        ),
        (entry(action="tolerance, abs: .inf"), "f.yaml:3: rules[0].abs: must be a number from 0 upwards, got inf"),
        (entry(action="tolerance, abs: 1e400"), "f.yaml:3: rules[0].abs: must be a number from 0 upwards, got inf"),
        (entry(action="tolerance, abs: -1"), "f.yaml:3: rules[0].abs: must be a number from 0 upwards, got -1"),
        (entry("permanent: yes"), "f.yaml:3: rules[0].permanent: must be true or false, got 'yes': write true"),
        (entry("why_not: "), "f.yaml:3: rules[0].why_not: is blank: write a value, or remove the key"),
        (entry("ticket: 4711"), "f.yaml:3: rules[0].ticket: must be a text, got 4711: put it in quotes"),
        (entry('ticket: "a\\0b"'), "f.yaml:3: rules[0].ticket: must not hold control characters or line ends, got 'a\\x00b'"),
        (entry('why_not: "a\\ud800b"'), "f.yaml:3: 'a\\ud800b' holds half a surrogate pair"),
        # scope
        (
            entry("scope: {method: []}"),
            "f.yaml:3: rules[0].scope.method: the list is empty: name at least one, or remove the key",
        ),
        (entry("scope: {status: 2XX}"), "f.yaml:3: rules[0].scope.status: got '2XX'; did you mean '2xx'?"),
        (entry("scope: {route: 'get /x/'}"), "f.yaml:3: rules[0].scope.route: got 'get /x/'; did you mean 'GET /x/'?"),
        (
            entry("scope: {route: api/items}"),
            "f.yaml:3: rules[0].scope.route: got 'api/items'; a route is a template such as /api/items/{id}/",
        ),
        (entry("scope: {route: '^/api/.*$'}"), "f.yaml:3: rules[0].scope.route: got '^/api/.*$'; a route is a template"),
        (entry("scope: {route: '/api/.*'}"), "f.yaml:3: rules[0].scope.route: got '/api/.*'; a route is a template"),
        (entry("scope: {route: '/api/a$'}"), "f.yaml:3: rules[0].scope.route: got '/api/a$'; a route is a template"),
        (entry("scope: {route: '/a?b=1'}"), "f.yaml:3: rules[0].scope.route: got '/a?b=1'; a route has no query"),
        (
            entry("scope: {route: GET /a, method: POST}"),
            "f.yaml:3: rules[0].scope.route: names the method GET, scope.method names POST: keep one",
        ),
        (
            entry("scope: {content_type: 'application/json; charset=utf-8'}"),
            "f.yaml:3: rules[0].scope.content_type: must be one media type, write 'application/json', parameters do not count",
        ),
        (
            entry("scope: {content_type: [text/html]}"),
            "f.yaml:3: rules[0].scope.content_type: must be one media type, e.g. application/json",
        ),
        (entry("scope: [GET]"), "f.yaml:3: rules[0].scope: must be a mapping, got a list"),
        # target, path, action
        (
            entry("target: 'header:x-*'"),
            "f.yaml:3: rules[0].target: got 'header:x-*'; that is no name of a header, and a pattern is none either",
        ),
        (
            entry("target: 'header:Set-Cookie'"),
            "f.yaml:3: rules[0].target: cookies are compared one by one: write cookie:<name>",
        ),
        (entry("target: 'heder:etag'"), "f.yaml:3: rules[0].target: got 'heder:etag'; did you mean 'header'?"),
        (entry("target: 'header:etag'"), "f.yaml:3: rules[0].path: belongs to target body; header rules have none"),
        (entry(path="results.a"), "f.yaml:3: rules[0].path: 'results.a' is no RFC 9535 path: "),
        (entry(path="5"), 'f.yaml:3: rules[0].path: must be an RFC 9535 path in quotes, e.g. "$.results[*].updated_at", got 5'),
        (entry(path="'$[ * ]'"), "f.yaml:3: rules[0].path: ignore on $[ * ] would hide the whole body"),
        (entry(path="'$..[*]'"), "f.yaml:3: rules[0].path: ignore on $..[*] would hide the whole body"),
        (entry(path="$"), "f.yaml:3: rules[0].path: ignore on $ would hide the whole body"),
        (
            entry(action="present_only"),
            "f.yaml:3: rules[0].action: present_only is for target header, cookie, not for body; allowed there: ignore,",
        ),
        (entry(action="builtin, builtin: text-charset"), "f.yaml:3: rules[0].action: got 'builtin'; allowed: ignore,"),
        (
            bare("target: 'header:a', action: unordered"),
            "f.yaml:3: rules[0].action: unordered is for target body, not for header",
        ),
        (
            bare("target: 'header:a', action: normalise, as: number"),
            "f.yaml:3: rules[0].as: got 'number'; allowed: datetime, date, decimal,",
        ),
        (
            bare("target: 'header:a', action: type_only, types: number"),
            "f.yaml:3: rules[0].types: got 'number'; allowed: string",
        ),
        (
            bare("target: 'cookie:a', action: tolerance, abs: 1"),
            "f.yaml:3: rules[0].abs: tolerance does not take it for a cookie, whose value is a",
        ),
        (bare("target: status, action: map"), "f.yaml:3: rules[0]: map needs 'primary': the primary's status, or a list"),
        (
            bare("target: status, action: map, primary: 99, candidate: 4xx"),
            "f.yaml:3: rules[0].candidate: must be a status from 100 to 599",
        ),
        (
            bare("target: status, action: ignore"),
            "f.yaml:3: rules[0].action: ignore is for target body, header, cookie, not for status",
        ),
        (entry(action="normalise"), "f.yaml:3: rules[0]: normalise needs 'as': the form in which both sides are compared"),
        (
            entry(action="normalise, as: decimal, truncate: ms"),
            "f.yaml:3: rules[0].truncate: belongs to 'as: datetime', not to 'as: decimal'",
        ),
        (entry(action="tolerance"), "f.yaml:3: rules[0]: tolerance needs at least one of abs (how far"),
        (entry(action="regex"), "f.yaml:3: rules[0]: regex needs 'pattern'"),
        (entry(action="keyed"), "f.yaml:3: rules[0]: keyed needs 'by'"),
        (entry(action="keyed, by: []"), "f.yaml:3: rules[0].by: the list is empty"),
        (entry(action="correlate"), "f.yaml:3: rules[0]: correlate needs 'name'"),
        (
            entry(action="type_only, types: str"),
            "f.yaml:3: rules[0].types: got 'str'; did you mean 'string'? allowed: string, number,",
        ),
        (
            entry().replace("id: r", "id: error-text"),
            "f.yaml:3: the id 'error-text' is what reports call a preset or setting; choose another",
        ),
        # accountability
        (entry().replace("reason: x, ", ""), "f.yaml:3: rules[0]: needs 'reason': why may this differ?"),
        (entry().replace("owner: y, ", ""), "f.yaml:3: rules[0]: needs 'owner': who answers for it?"),
        (entry("permanent: true, decision: d"), "f.yaml:3: rules[0].expires: contradicts 'permanent: true'; keep one of them"),
        (
            entry("permanent: true").replace("expires: 2027-01-01, ", ""),
            "f.yaml:3: rules[0].permanent: needs 'decision': where it was decided",
        ),
        # settings
        ("version: 1\ndrop_query: [page, '1']", "f.yaml:2: drop_query: must be a list of pairs: write [['page', '1']]"),
        ("version: 1\ndrop_query: [[a, b, c]]", "f.yaml:2: drop_query: got ['a', 'b', 'c']; needed is a pair [name, value]"),
        (
            "version: 1\nbases: {primary: api.test}",
            "f.yaml:2: bases.primary: got 'api.test'; a base is an address such as https://api.example.com",
        ),
        ("version: 1\nbases: {candidat: 'http://x'}", "f.yaml:2: bases.candidat: unknown key; did you mean 'candidate'?"),
        ("version: 1\nlimits: {depth: 0}", "f.yaml:2: limits.depth: must be a whole number from 1 to 250, got 0"),
    ],
)
def test_a_wrong_file_is_refused_with_a_precise_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RuleError) as refused:
        load_rules([("f.yaml", text)], TODAY)

    assert any(problem.startswith(sentence) for problem in refused.value.problems), str(refused.value)


def test_all_problems_are_said_at_once() -> None:
    text = """version: 1
limits: {depth: 0}
presets:
  - {name: duratoin, reason: a, owner: b, permanent: true, decision: c}
rules:
  - id: one
    path: $.a
    action: ignor
    owner: y
    owner: z
  - id: two
    scope: {status: 9xx, method: get}
    action: ignore
"""
    with pytest.raises(RuleError) as refused:
        load_rules([("a.yaml", text), ("b.yaml", "version: 2")], TODAY)

    places = [problem.split(": ")[0] for problem in refused.value.problems]
    lines = ["a.yaml:10", "a.yaml:2", "a.yaml:4", "a.yaml:8", *["a.yaml:6"] * 2, *["a.yaml:12"] * 2, *["a.yaml:11"] * 4]
    assert places == [*lines, "b.yaml:1"]


def test_the_line_is_that_of_the_item_in_a_list() -> None:
    text = entry().replace("{id: r", "{scope: {method: [GET,\n  get]}, id: r")

    with pytest.raises(RuleError, match=r"^f.yaml:4: rules\[0\].scope.method: got 'get'; did you mean 'GET'\? allowed: DELETE"):
        load_rules([("f.yaml", text)], TODAY)


def test_after_two_hundred_problems_the_rest_is_counted() -> None:
    with pytest.raises(RuleError) as refused:
        load_rules([("f.yaml", "version: 1\n" + "".join(f"key{at}: 1\n" for at in range(1_000)))], TODAY)

    assert len(refused.value.problems) == 201
    assert refused.value.problems[-1] == "... and 800 more: mend these first, then load again"


def test_entries_of_a_case_are_named_by_their_place_in_it() -> None:
    with pytest.raises(RuleError) as refused:
        rules_from_case(
            {"rules": [{"path": "$.a", "action": "ignor"}, 5], "presets": ["x"], "settings": {"limits": {"depth": 0}}}
        )

    starts = ["presets[0].name: 'x' is no preset; ", "rules[0].action: got 'ignor'; did you mean 'ignore'?"]
    starts += ["rules[1]: must be a mapping, got 5", "settings.limits.depth: must be a whole number"]
    assert all(problem.startswith(start) for problem, start in zip(refused.value.problems, starts, strict=True)), str(
        refused.value
    )


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffversion: 1\n",
        "version: 1\r\nrules: []\r\n",
        "# only\n---\nversion: 1\n...\n",
        "version: 1\nrules:\npresets:\nbases:\nlimits:\n",
        "%YAML 1.2\n---\nversion: 1",
        "version: !!int 1\nrules: !!seq []",
        entry("ticket: yes, decision: 'null'"),
        entry("ticket: !!str 4711"),
        "version: 1\nrules:\n- id: r\n  path: $.a\n  action: exact\n  reason: >-\n    a\n    b\n  owner: y\n  expires: 2027-01-01\n",
        entry("scope: &s {method: GET}") + "\n" + entry("scope: *s").split("\n")[2].replace("id: r", "id: q"),
    ],
)
def test_what_people_write_loads(text: str) -> None:
    assert load_rules([("f.yaml", text)], TODAY) is not None


def test_bytes_that_are_no_utf8_are_said_with_their_line() -> None:
    assert decode_rules("f.yaml", "version: 1 # é".encode()) == "version: 1 # é"
    with pytest.raises(RuleError, match=r"^f.yaml:2: byte 0xe9 is not UTF-8: save the file as UTF-8$"):
        decode_rules("f.yaml", "version: 1\n# é".encode("latin-1"))
    with pytest.raises(RuleError, match=r"^f.yaml:1: byte 0xff is not UTF-8 \(it looks like UTF-16\)"):
        decode_rules("f.yaml", "version: 1".encode("utf-16"))


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
