"""T12: rule files are data. Tags make no objects, aliases no bombs, and what looks like a template or SQL is an id like others."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from pathlib import Path

import pytest

from differ.cases import judge_case
from rules.errors import RuleError
from rules.lint import lint
from rules.load import load_rules
from rules.nodes import MAX_TEXT
from store.database import open_store
from store.records import Batch, Ended
from traffic.outcome import Ending

TODAY = date(2026, 11, 21)
ACCOUNT = "reason: x, owner: y, expires: 2027-01-01"
SECONDS = 30.0
"""CPU seconds for the largest file: ten times what it takes, and nothing to what a bomb takes."""


def refused(text: str) -> list[str]:
    """The problems of a file, within bounded time."""
    start = time.process_time()
    with pytest.raises(RuleError) as error:
        load_rules([("f.yaml", text)], TODAY)
    assert time.process_time() - start < SECONDS
    return list(error.value.problems)


OBJECT_TAGS = [
    "!!python/object/apply:os.system ['touch CANARY']",
    "!!python/object/apply:subprocess.check_output [[touch, CANARY]]",
    "!!python/object/new:os.system ['touch CANARY']",
    "!!python/object/new:type {args: [x, [], {}], state: !!python/tuple [a]}",
    "!!python/object:pathlib.Path {}",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [a]",
    "!!python/bytes aGk=",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch CANARY']",
    "!!js/function 'function(){}'",
    "!ruby/object:Gem::Installer {i: x}",
    "!!javax.script.ScriptEngineManager []",
    "!!binary aGVsbG8=",
]


@pytest.mark.parametrize("value", OBJECT_TAGS)
@pytest.mark.parametrize(
    "place", ["version: 1\nrules: {}", "version: 1\nrules:\n  - {{id: r, why_not: {}, path: $.a}}", "{}: 1", "? {}\n: 1"]
)
def test_t12_tags_make_no_objects(value: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    value = value.replace("CANARY", str(tmp_path / "canary"))

    problems = refused(place.format(value))

    assert any("the tag" in problem or "not valid YAML" in problem or "unknown key" in problem for problem in problems)
    assert list(tmp_path.iterdir()) == []


def test_t12_a_directive_cannot_give_an_object_tag_another_name() -> None:
    assert any("the tag" in problem for problem in refused("%TAG !e! tag:yaml.org,2002:python/\n---\na: !e!name:os.system\n"))


def bomb(kind: str, levels: int = 12) -> str:
    """Ten to the power of `levels` values, once aliases are followed."""
    open_, close = "[]" if kind == "list" else "{}"
    item = (lambda at, n: f"*a{n}") if kind == "list" else (lambda at, n: f"k{at}: *a{n}")
    lines = [f"a0: &a0 {open_}{', '.join('x' if kind == 'list' else f'k{at}: x' for at in range(10))}{close}"]
    lines += [
        f"a{level}: &a{level} {open_}{', '.join(item(at, level - 1) for at in range(10))}{close}" for level in range(1, levels)
    ]
    return "\n".join([*lines, "version: 1", f"rules: *a{levels - 1}"])


@pytest.mark.parametrize("kind", ["list", "mapping"])
def test_t12_a_billion_laughs_cost_no_more_than_their_text(kind: str) -> None:
    assert any("once aliases are followed" in problem for problem in refused(bomb(kind)))


def test_t12_one_large_text_named_a_hundred_thousand_times_is_one_text() -> None:
    text = "version: 1\nx: &x " + "y" * 400_000 + "\nrules: [" + "*x," * 100_000 + "]"

    assert len(refused(text)) == 201


def test_t12_an_alias_in_its_own_anchor_ends() -> None:
    for text in ("a: &a [*a]", "a: &a {b: *a}", "&a [*a, *a]", "a: &a [&b [*a, *b], *b]"):
        assert any("stands inside what it names" in problem for problem in refused(text))


def costly(size: int) -> dict[str, str]:
    """Texts of about `size` characters that cost as much as they can."""
    pairs = "".join(
        f"  - {{id: u{at}, path: $..x{at}, action: unordered, {ACCOUNT}}}\n"
        f'  - {{id: t{at}, path: "$.a[*].b{at}", action: tolerance, abs: 1, {ACCOUNT}}}\n'
        for at in range(size // 420)
    )
    wrong = f"  - {{idd: r, pth: '$.a[', acion: x, ass: y, {ACCOUNT}}}\n"
    return {
        "brackets": "[" * size,
        "braces": "{" * size,
        "brackets line by line": "[\n" * (size // 2),
        "nested keys": "? " * (size // 2),
        "nested items": "- " * (size // 2),
        "stairs": "".join(" " * at + "a:\n" for at in range(int(size**0.5))),
        "anchors": "".join(f"- &a{at} x\n" for at in range(size // 15)),
        "aliases": "- &a x\n" + "- *a\n" * (size // 5 - 2),
        "one word": "a" * size,
        "one quoted text": '"' + "\\n" * (size // 2 - 1) + '"',
        "blank lines": "\n" * size,
        "comments": "#\n" * (size // 2),
        "documents": "---\n" * (size // 4),
        "keys": "".join(f"a{at}: 1\n" for at in range(size // 11)),
        "one key again and again": "a: 1\n" * (size // 5),
        "wrong tags": "- !x a\n" * (size // 7),
        "keys of a thousand characters": "version: 1\n" + "".join(f"{'a' * 1_000}{at}: 1\n" for at in range(size // 1_010)),
        "wrong rules": "version: 1\nrules:\n" + wrong * (size // len(wrong) - 1),
        "tolerances under lists": "version: 1\nrules:\n" + pairs,
        "too much text": " " * (MAX_TEXT + 1),
    }


def refused_in_bounded_time(text: str) -> None:
    problems = refused(text)
    assert len(problems) <= 201
    assert sum(map(len, problems)) < 500_000


@pytest.mark.parametrize("name", costly(1_000))
def test_t12_hostile_text_is_refused_in_bounded_time(name: str) -> None:
    refused_in_bounded_time(costly(MAX_TEXT // 8)[name])


@pytest.mark.soak
@pytest.mark.parametrize("name", costly(1_000))
def test_t12_a_million_hostile_characters_are_refused_in_bounded_time(name: str) -> None:
    refused_in_bounded_time(costly(MAX_TEXT)[name])


@pytest.mark.soak
def test_t12_five_thousand_good_rules_load() -> None:
    text = "version: 1\nrules:\n" + "".join(
        f"  - {{id: r{at}, path: '$.a[*].b{at}', action: normalise, as: datetime, tol_s: 2, {ACCOUNT}}}\n"
        for at in range(5_000)
    )
    start = time.process_time()

    assert len(load_rules([("f.yaml", text)], TODAY).rules) == 5_000
    assert time.process_time() - start < SECONDS


INERT = [
    "'; DROP TABLE rule_use; --",
    '" OR 1=1 --',
    "Robert'); DELETE FROM audit; --",
    "{0.__class__.__mro__}",
    "{rule.id} %s %n %(x)s %d",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %>",
    "${jndi:ldap://127.0.0.1/a}",
    "$(touch canary) `touch canary` | id",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "[bold red]markup[/bold red]",
    "__import__('os').system('id')",
    "=HYPERLINK(1)",
    "\\u0000 \\x00 %00",
    "Ω≈ç√ 部落格 😀 \u202eRTL",
    "null",
    "x" * 200,
]


def file_of(identity: str) -> str:
    quoted = identity.replace("'", "''")
    account = f"reason: '{quoted}', owner: '{quoted}', expires: 2027-01-01"
    return f"version: 1\nrules:\n  - {{id: '{quoted}', path: $.a, action: ignore, {account}}}\n"


@pytest.mark.parametrize("identity", INERT)
def test_t12_templates_and_sql_in_ids_reasons_and_owners_are_texts(identity: str) -> None:
    rules = load_rules([("f.yaml", file_of(identity))], TODAY)

    assert (rules.rules[0].id, rules.rules[0].reason, rules.rules[0].owner) == (identity,) * 3
    assert rules.expired(date(2028, 1, 1)) == (identity,)
    assert identity in str(lint(rules, TODAY)[0])
    twice = refused(file_of(identity) + file_of(identity).split("\n", 2)[2])
    assert twice[0].startswith("f.yaml:4: the id ")


@pytest.mark.parametrize("identity", INERT)
def test_t12_what_a_report_names_is_the_very_id(identity: str) -> None:
    answer = {"status": 200, "headers": [["Content-Type", "application/json"]]}
    case = {
        "name": "x",
        "request": {"method": "GET", "path": "/"},
        "primary": {**answer, "body": '{"a":1}'},
        "candidate": {**answer, "body": '{"a":2}'},
        "rules": [{"id": identity, "path": "$.a", "action": "ignore"}],
    }

    assert judge_case(case, TODAY)["tolerated"] == [identity]


def test_t12_the_store_counts_such_ids_and_runs_none_of_them(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[tuple[str, str, int]], list[str]]:
        store = open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
        try:
            await store.upgrade()
            ends = tuple(
                Ended("boot", "GET /", 100.0, Ending.COMPARED, "tolerated", tolerated=(identity,)) for identity in INERT
            )
            await store.write(Batch(ended=ends), 5)
            return await store.rule_hits(), await store.check()
        finally:
            await store.close()

    hits, problems = asyncio.run(scenario())

    assert {(name, count) for name, _, count in hits} == {(identity, 1) for identity in INERT}
    assert problems == []


@pytest.mark.parametrize("identity", ["a\\0b", "a\\nb", "a\\x1b[31mb", "\\ud800", " ", "x" * 201, "é" * 101])
def test_t12_ids_that_no_terminal_or_store_takes_are_refused(identity: str) -> None:
    text = f'version: 1\nrules:\n  - {{id: "{identity}", path: $.a, action: exact, {ACCOUNT}}}\n'

    (problem, *_) = refused(text)

    assert problem.isprintable()
    assert problem.startswith("f.yaml:3: ")
