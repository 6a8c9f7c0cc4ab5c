"""`paritygate rules test` and `rules explain` judge stored answers again, over a real store."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from differ.facts import Atom
from store.database import open_store
from store.records import Batch, DifferenceText, Ended, Example
from traffic.message import Failure, Request, Response
from traffic.outcome import Ending

JSON = ((b"content-type", b"application/json"),)
ROUTE = "GET /x"


def rule(identity: str, path: str, action: str, *more: str) -> str:
    ends = (datetime.now(UTC) + timedelta(days=30)).date()
    return f"  - {{id: {identity}, path: {path}, action: {', '.join((action, *more))}, reason: r, owner: o, expires: {ends}}}\n"


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "paritygate.toml")


@pytest.fixture
def site(folder: Path) -> Path:
    """A configuration with one rule, and a store with one example and one exchange that the candidate did not answer."""
    for file in (folder / "rules").glob("*.yaml"):
        file.unlink()
    (folder / "rules" / "own.yaml").write_text("version: 1\nrules:\n" + rule("a-near", "$.a", "tolerance", "abs: 1"))
    primary, candidate = Response(200, JSON, b'{"a": 1, "b": "x"}'), Response(200, JSON, b'{"a": 2, "b": "X"}')
    atom = Atom(ROUTE, "200/200", "body", "$.b", "value", "string>string")
    texts = (DifferenceText(atom, "x", "X", "$.b", "case"),)
    silent = Atom(ROUTE, "200/-", "transport", "$", "timeout")
    quiet = (DifferenceText(silent, "200", None, "$", ""),)
    request = Request("GET", b"/x")

    def ended(name: str, side: Response | Failure, found: tuple[DifferenceText, ...]) -> Ended:
        example = Example(name, ROUTE, 1.0, "primary", "c", request, primary, side, found)
        return Ended("boot", ROUTE, 1.0, Ending.COMPARED, "mismatch", differences=found, example=example)

    async def fill() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'paritygate.db'}")
        try:
            await store.upgrade()
            await store.write(Batch((ended("one", candidate, texts), ended("two", Failure("timeout"), quiet))), 5)
        finally:
            await store.close()

    asyncio.run(fill())
    return folder


def test_other_rules_show_what_they_hide_and_what_comes_back(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    other = site / "other.yaml"
    other.write_text("version: 1\nrules:\n" + rule("b-case", "$.b", "normalise", "as: casefold"))
    code, out, _ = run("rules", "test", str(other), "--json", *config(site))

    entry = {"route": ROUTE, "aspect": "body", "pairs": 1}
    assert code == 0
    assert json.loads(out) == {
        "judged": 1,
        "hidden": [{**entry, "path": "$.b", "kind": "value string>string"}],
        "back": [{**entry, "path": "$.a", "kind": "value number>number"}],
    }


def test_the_same_rules_change_nothing(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("rules", "test", str(site / "rules" / "own.yaml"), *config(site))

    assert code == 0
    assert "1 stored pairs judged again: 0 kinds of differences hidden, 0 back" in out


def test_without_examples_nothing_can_be_said(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    assert run("store", "upgrade", *config(folder))[0] == 0
    other = folder / "other.yaml"
    other.write_text("version: 1\n")

    assert run("rules", "test", str(other), *config(folder))[0] == 3


def test_explain_tells_what_each_rule_hides_and_what_none_explains(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("rules", "explain", "one", "--json", *config(site))

    assert code == 0
    assert json.loads(out) == {
        "id": "one",
        "route": ROUTE,
        "verdict": "mismatch",
        "rules": [{"rule": "a-near", "verdict_without": "mismatch", "alone": False, "hides": ["$.a"]}],
        "matching": ["a-near"],
        "unexplained": [{"aspect": "body", "path": "$.b", "kind": "value", "note": "case"}],
    }
    assert "no rule explains body $.b: value  (case)" in run("rules", "explain", "one", *config(site))[1]


@pytest.mark.parametrize(("name", "said"), [("nothing", "no example has this id"), ("two", "one side gave no answer")])
def test_explain_of_what_cannot_be_judged_exits_2(name: str, said: str, site: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("rules", "explain", name, *config(site))

    assert code == 2
    assert said in err
