"""The JSON Schema says what the loader takes: everything that loads is valid, and docs/rules.schema.json is current."""

from __future__ import annotations

import copy
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from rules.actions import ACTION_TABLE, FORMS, TYPES
from rules.errors import Problems, RuleError
from rules.load import load_rules
from rules.model import CLASS1
from rules.nodes import Node, parse_yaml
from rules.presets import NAMES
from rules.schema import rule_file_schema, schema_text

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
SCHEMA = rule_file_schema()
VALID = jsonschema.Draft202012Validator(SCHEMA)


def plain(node: Node) -> Any:
    """What an editor's YAML 1.2 reader makes of a file: dates are texts."""
    if node.members is not None:
        return {key: plain(member) for key, member in node.members.items()}
    return [plain(item) for item in node.items] if node.items is not None else node.value


def loads(text: str) -> bool:
    try:
        load_rules([("f.yaml", text)], TODAY)
    except RuleError:
        return False
    return True


def wrong(document: Any) -> list[str]:
    return [error.message for error in VALID.iter_errors(document)]


def test_the_schema_is_one_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(schema_text()) == SCHEMA


def test_the_committed_schema_is_current() -> None:
    committed = (ROOT / "docs/rules.schema.json").read_text(encoding="utf-8")

    assert committed == schema_text(), "run `paritygate rules schema > docs/rules.schema.json`"


@pytest.mark.parametrize("name", ["demo/rules/demo.yaml", "cli/starter/rules.yaml"])
def test_our_own_rule_files_are_valid(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert loads(text)
    assert wrong(plain(parse_yaml(name, text, Problems()) or Node(""))) == []


def test_rule_files_of_the_docs_are_valid() -> None:
    text = (ROOT / "docs/rules.md").read_text(encoding="utf-8")

    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        assert wrong(plain(parse_yaml("docs", block, Problems()) or Node(""))) == []


ACCOUNT = {"reason": "x", "owner": "y", "expires": "2027-01-01"}
GOOD: dict[str, Any] = {
    "version": 1,
    "bases": {"primary": ["https://a.test"], "candidate": "http://b:8001"},
    "drop_query": [["page", "1"], ["offset", 0], "limit=10"],
    "class1": {"disable": []},
    "limits": {"body": "8MiB", "depth": 200, "diffs": 50, "nodes": 2000000},
    "presets": [{"name": "duration", "reason": "x", "owner": "y", "permanent": True, "decision": "ADR-1"}],
    "rules": [
        {"id": "a", "path": "$.a", "action": "normalise", "as": "datetime", "tol_s": 2, **ACCOUNT},
        {
            "id": "b",
            "target": "header:etag",
            "action": "present_only",
            "scope": {"status": ["4xx", 200], "method": "GET"},
            **ACCOUNT,
        },
        {"id": "c", "target": "status", "action": "map", "primary": 403, "candidate": [401, "422"], **ACCOUNT},
    ],
}


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """GOOD with one value put at a path, or taken away where it is `...`."""
    document = copy.deepcopy(GOOD)
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def text_of(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


RULE = ("rules", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("version",), "1"),
        (("version",), ...),
        (("extra",), 1),
        (("rules",), {}),
        (("bases", "primary"), "a.test"),
        (("bases", "other"), []),
        (("drop_query", 0), ["page"]),
        (("drop_query", 0), ["a", "b", "c"]),
        (("drop_query", 0), "page"),
        (("class1", "disable"), ["repr:numbr"]),
        (("limits", "depth"), 0),
        (("limits", "depth"), "200"),
        (("limits", "body"), "8MB"),
        (("limits", "size"), 1),
        (("presets", 0), "duration"),
        (("presets", 0, "name"), "duratoin"),
        (("presets", 0, "name"), ...),
        (("presets", 0, "decision"), ...),
        (("presets", 0, "permanent"), False),
        (("presets", 0, "expires"), "2027-01-01"),
        (("presets", 0, "id"), "x"),
        ((*RULE,), "ignore"),
        ((*RULE, "id"), ...),
        ((*RULE, "id"), ""),
        ((*RULE, "id"), 5),
        ((*RULE, "id"), "a\nb"),
        ((*RULE, "reason"), ...),
        ((*RULE, "reason"), " "),
        ((*RULE, "reason"), "x" * 2_001),
        ((*RULE, "owner"), ...),
        ((*RULE, "expires"), ...),
        ((*RULE, "expires"), "soon"),
        ((*RULE, "expires"), None),
        ((*RULE, "permanent"), True),
        ((*RULE, "permanent"), "yes"),
        ((*RULE, "ownr"), "x"),
        ((*RULE, "path"), ...),
        ((*RULE, "path"), "a.b"),
        ((*RULE, "path"), 5),
        ((*RULE, "action"), ...),
        ((*RULE, "action"), "normalize"),
        ((*RULE, "action"), "present_only"),
        ((*RULE, "action"), "builtin"),
        ((*RULE, "action"), "ignore"),
        ((*RULE, "action"), "tolerance"),
        ((*RULE, "as"), ...),
        ((*RULE, "as"), "dateime"),
        ((*RULE, "as"), "decimal"),
        ((*RULE, "tol_s"), -1),
        ((*RULE, "tol_s"), "2"),
        ((*RULE, "truncate"), "us"),
        ((*RULE, "any_offset"), "yes"),
        ((*RULE, "abs"), 1),
        ((*RULE, "pattern"), "x"),
        ((*RULE, "max_rate"), 2),
        ((*RULE, "target"), "header"),
        ((*RULE, "target"), "heder:x"),
        ((*RULE, "target"), "status"),
        ((*RULE, "scope"), {"method": "get"}),
        ((*RULE, "scope"), {"method": []}),
        ((*RULE, "scope"), {"status": "9xx"}),
        ((*RULE, "scope"), {"status": 99}),
        ((*RULE, "scope"), {"status": 404.5}),
        ((*RULE, "scope"), {"route": "^/api/.*"}),
        ((*RULE, "scope"), {"content_type": "json"}),
        ((*RULE, "scope"), {"path": "/x"}),
        ((*RULE, "scope"), []),
        (("rules", 1, "path"), "$.a"),
        (("rules", 1, "action"), "unordered"),
        (("rules", 1, "target"), "header:x-*"),
        (("rules", 2, "primary"), ...),
        (("rules", 2, "primary"), "4xx"),
        (("rules", 2, "candidate"), []),
        (("rules", 2, "action"), "ignore"),
    ],
)
def test_a_wrong_file_is_wrong_to_the_schema_and_to_the_loader(path: tuple[Any, ...], value: Any) -> None:
    document = changed(path, value)

    assert wrong(document)
    assert not loads(text_of(document))


def test_the_good_file_is_good_to_both() -> None:
    assert loads(text_of(GOOD))
    assert wrong(GOOD) == []


def test_headers_and_cookies_take_fewer_parameters() -> None:
    for more in (
        {"target": "header:a", "action": "normalise", "as": "number"},
        {"target": "header:a", "action": "type_only", "types": ["number"]},
        {"target": "cookie:a", "action": "tolerance", "abs": 1},
        {"target": "cookie:a", "action": "tolerance", "abs": 1, "tol_s": 1},
    ):
        document = {"version": 1, "rules": [{"id": "r", **more, **ACCOUNT}]}
        assert wrong(document), more
        assert not loads(text_of(document)), more


def test_editors_are_told_what_each_key_and_value_is_for() -> None:
    rule, preset = SCHEMA["$defs"]["rule"]["properties"], SCHEMA["$defs"]["preset"]["properties"]

    assert all("description" in value or "anyOf" in value for value in (*rule.values(), *preset.values()))
    assert [entry["const"] for entry in rule["action"]["oneOf"]] == list(ACTION_TABLE)
    assert [entry["const"] for entry in preset["name"]["oneOf"]] == list(NAMES)


# Files made of parts that are mostly right: what of them loads has to be valid.
WORD = st.sampled_from(["x", "a b", "é", "", " ", "yes", "null", "5", "2027-01-01", "x" * 2_001, "a\nb", "a\tb"])
ODD = st.one_of(
    WORD, st.none(), st.booleans(), st.integers(-1, 700), st.floats(allow_nan=True), st.just([]), st.just({}), st.just(["x"])
)
NUMBERS = st.one_of(st.integers(0, 5), st.floats(0, 2, width=16), st.sampled_from([1e-9, 1e300, float("inf")]))
PARAMETERS = {
    "as": st.sampled_from(FORMS),
    "truncate": st.sampled_from(["ms", "s"]),
    "any_offset": st.booleans(),
    "tol_s": NUMBERS,
    "abs": NUMBERS,
    "rel": NUMBERS,
    "types": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from([*TYPES, None]), max_size=3)),
    "pattern": st.sampled_from(["a+", "(", ".*", "\\d{3}"]),
    "by": st.one_of(st.just("id"), st.lists(st.sampled_from(["id", "sku"]), max_size=2)),
    "order": st.sampled_from(["free", "kept"]),
    "name": WORD,
    "primary": st.one_of(st.integers(99, 600), st.lists(st.integers(100, 599), max_size=3), st.just("403")),
    "candidate": st.one_of(st.integers(99, 600), st.lists(st.integers(100, 599), max_size=3)),
}
TARGETS = st.sampled_from(
    ["body", "status", "header:x-a", "header: etag", "cookie:c", "cookie:a[1]", "header:", "header:set-cookie"]
)
PATHS = st.sampled_from(["$", "$.a", "$..a[*]", "$.*", "$[?@.a]", "a", "$[", "$['é']"])
ROUTES = st.sampled_from(["/a/{id}/", "GET /a", "unrouted", "a", "/a?b", "/a b", "POST  /x"])
MEDIA = st.sampled_from(["application/json", "TEXT/*", "*/*", "json", "text/html; charset=utf-8"])
STATUS = st.one_of(
    st.integers(99, 600),
    st.sampled_from(["4xx", "!405", "!5xx", "6xx", "4XX"]),
    st.lists(st.sampled_from([404, "2xx"]), max_size=2),
)
SCOPE = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["GET", ["GET", "PUT"], "get", []]),
        "route": ROUTES,
        "status": STATUS,
        "content_type": MEDIA,
    },
)
ACCOUNTS = st.one_of(
    st.just({"reason": "x", "owner": "y", "expires": "2027-01-01"}),
    st.just({"reason": "x\ny", "owner": "y", "permanent": True, "decision": "d", "ticket": "t"}),
    st.fixed_dictionaries(
        {}, optional={"reason": WORD, "owner": WORD, "expires": WORD, "permanent": st.booleans(), "decision": WORD}
    ),
)


@st.composite
def rule_entries(draw: st.DrawFn) -> dict[str, Any]:
    """A rule that is right, but for what was drawn wrong."""
    action = draw(st.sampled_from(list(ACTION_TABLE)))
    table = ACTION_TABLE[action]
    target = draw(st.one_of(st.sampled_from(table.targets), TARGETS))
    target = f"{target}:c" if target in ("header", "cookie") else target
    rule: dict[str, Any] = {"id": draw(st.one_of(st.just("r"), WORD)), "action": action, **draw(ACCOUNTS)}
    if target != "body" or draw(st.booleans()):
        rule["target"] = target
    if target == "body" or draw(st.integers(0, 9)) == 0:
        rule["path"] = draw(PATHS)
    for name, parameter in table.parameters.items():
        if parameter.required or name in table.any_of or draw(st.booleans()):
            rule[name] = draw(PARAMETERS[name])
    if draw(st.booleans()):
        rule["scope"] = draw(SCOPE)
    for name in draw(
        st.lists(st.sampled_from([*PARAMETERS, "max_rate", "why_not", "id", "scope", "path", "reason"]), max_size=1)
    ):
        rule[name] = draw(ODD)
    return rule


SECTIONS = st.fixed_dictionaries(
    {"version": st.one_of(st.just(1), st.just(1), ODD)},
    optional={
        "bases": st.one_of(
            ODD, st.fixed_dictionaries({}, optional={"primary": st.sampled_from(["http://a", ["https://b/"], "b", []])})
        ),
        "drop_query": st.one_of(
            ODD, st.lists(st.sampled_from([["a", "b"], ["a", 1], "a=b", ["a=b"], ["a", ""], ["", "a"], "="]), max_size=3)
        ),
        "class1": st.one_of(
            ODD,
            st.builds(lambda names: {"disable": names}, st.one_of(st.sampled_from(CLASS1), st.lists(st.sampled_from(CLASS1)))),
        ),
        "limits": st.one_of(
            ODD,
            st.fixed_dictionaries(
                {}, optional={"body": st.sampled_from([1, "1KiB", "9 MiB", "8MB", True]), "depth": st.integers(0, 260)}
            ),
        ),
        "presets": st.one_of(
            ODD,
            st.lists(
                st.builds(lambda name, account: {"name": name, **account}, st.sampled_from([*NAMES, "x"]), ACCOUNTS), max_size=2
            ),
        ),
        "rules": st.one_of(ODD, st.lists(rule_entries(), min_size=1, max_size=2)),
        "rule": ODD,
    },
)


@settings(max_examples=400, deadline=None)
@given(document=st.one_of(st.builds(lambda rule: {"version": 1, "rules": [rule]}, rule_entries()), SECTIONS))
def test_whatever_loads_is_valid_under_the_schema(document: Any) -> None:
    text = text_of(document)
    accepted = loads(text)
    event(f"loads: {accepted}")
    if accepted:
        assert wrong(plain(parse_yaml("f", text, Problems()) or Node(""))) == []


def test_the_files_made_above_do_load_often() -> None:
    count = 0

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(rule=rule_entries())
    def run(rule: dict[str, Any]) -> None:
        nonlocal count
        count += loads(text_of({"version": 1, "rules": [rule]}))

    run()
    assert count >= 20
