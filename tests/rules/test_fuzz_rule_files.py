"""No bytes make the loader, or what works with what it loads, raise anything but RuleError, or take long."""

from __future__ import annotations

import os
import time
from datetime import date
from random import Random

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import Problems, RuleError
from rules.lint import StoredBody, lint
from rules.load import decode_rules, load_rules
from rules.model import RuleSet
from rules.nodes import Node, parse_yaml
from rules.schema import rule_file_schema
from rules.selection import select
from tests.rules.mutated_files import EXAMPLE, mutated

TODAY = date(2026, 11, 21)
SECONDS = 10.0
"""CPU seconds for one file of at most a hundred thousand bytes; it takes less than one."""
VALID = jsonschema.Draft202012Validator(rule_file_schema())
BODY = {"results": [{"updated_at": "2026-11-21T10:00:00Z", "a": None}], "list": [1, [2]], "rows": {"a": {"b": []}}}


def plain(node: Node) -> object:
    if node.members is not None:
        return {key: plain(member) for key, member in node.members.items()}
    return [plain(item) for item in node.items] if node.items is not None else node.value


def survives(raw: bytes) -> bool:
    """Whether the file loads; whatever loads is looked at by everything that works with rules."""
    start = time.process_time()
    problems: tuple[str, ...] = ()
    try:
        text = decode_rules("f.yaml", raw)
        rules = load_rules([("f.yaml", text)], TODAY)
    except RuleError as error:
        problems = error.problems
    else:
        look_at(rules, text)
    assert len(problems) <= 201
    assert all(len(problem) < 9_000 for problem in problems)
    assert time.process_time() - start < SECONDS
    return not problems


def look_at(rules: RuleSet, text: str) -> None:
    lint(rules, TODAY, ["GET /api/items/"], [StoredBody("GET /api/items/", 200, "application/json", BODY)])
    select(rules, "GET", "GET /api/items/", 200, "application/json", TODAY)
    assert len(rules.digest) == 16
    assert rules.automaton.start.step("results").step(0) is not None
    document = parse_yaml("f.yaml", text, Problems())
    assert document is not None
    assert not list(VALID.iter_errors(plain(document)))


@settings(max_examples=300, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_bent_rule_files_are_loaded_or_refused(random: Random) -> None:
    survives(mutated(random))


@settings(max_examples=300, deadline=None)
@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_loaded_or_refused(raw: bytes) -> None:
    survives(raw)


def test_the_file_that_is_bent_loads() -> None:
    assert survives(EXAMPLE.encode())


KEPT = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf\xef\xbb\xbfversion: 1",
    b"\xed\xa0\x80",
    b"%YAML 1.99999999999999999999\n---\n1",
    b"%YAML " + b"9" * 5_000 + b".1\n---\n1",
    b"%TAG !a! !\xc3\xa9\n---\n!a!x y",
    b'"\\U00110000"',
    b'"\\UFFFFFFFF"',
    b'? "\\ud800"\n: 1',
    b"!<tag:yaml.org,2002:%ff> x",
    b"? &a\n: *a",
    b"&a {*a : 1}",
    b"- &a [&a [*a]]",
    b"{? : }",
    b"version: 1\nrules: [{}]\n" * 3,
    b"version: 1\nrules: [[[[[[[]]]]]]]",
    b"version: 1\n'': 1",
    b"version: 1\n? ''\n",
    b"version: 1\nlimits: {body: 99999999999GiB}",
    b"version: 1\nlimits: {body: \xd9\xa1}",
    b"version: 1\ndrop_query: [[]]",
    b"version: 1\ndrop_query: [['', '']]",
    b"version: 1\nrules: [{id: x, path: '$[?@.a == 1e999]', action: exact}]",
    b"version: 1\nrules: [{id: x, path: '$[999999999999999999999]', action: exact}]",
    b"version: 1\nrules: [{id: x, path: $.a, action: regex, pattern: '\\p{L}{1000}{1000}'}]",
    b"version: 1\nrules: [{id: x, path: $.a, action: regex, pattern: '(((((((((a{1000})))))))))'}]",
    b"version: 1\nrules: [{target: ':', action: ignore}, {target: 'header', action: ignore}, {target: [], action: {}}]",
    b"version: 1\nrules: [{scope: {route: '/{', status: [[]], method: {}}, action: []}]",
]


@pytest.mark.parametrize("raw", KEPT, ids=range(len(KEPT)))
def test_what_was_once_hard_is_loaded_or_refused(raw: bytes) -> None:
    survives(raw)


@pytest.mark.soak
def test_bent_rule_files_for_minutes() -> None:
    """PARITYGATE_FUZZ_SECONDS long, from PARITYGATE_FUZZ_SEED on; the seed of what fails is in the message."""
    seed = int(os.environ.get("PARITYGATE_FUZZ_SEED", "1"))
    until = time.monotonic() + float(os.environ.get("PARITYGATE_FUZZ_SECONDS", "120"))
    loaded = tried = 0
    while time.monotonic() < until:
        raw = mutated(Random(seed + tried))
        try:
            loaded += survives(raw)
        except BaseException as error:
            raise AssertionError(f"seed {seed + tried}: {type(error).__name__}: {error}: {raw[:300]!r}") from error
        tried += 1
    assert loaded > tried // 1_000, f"only {loaded} of {tried} bent files load: the mutations are too wild"
