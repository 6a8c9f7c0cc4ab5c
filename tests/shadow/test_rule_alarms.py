"""Alarms of rules, and what shadows learn from the store."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from shadow_backends import Backend, by, document
from shadow_play import play
from shadow_stage import Proxy, ok, until
from shadow_store import ListStore
from structlog.testing import capture_logs

import shadow.rule_alarms
from differ.key_names import RouteKeyNames
from differ.rule_use import DAY_S, DayUse, JudgedKind, LoadedRule, RuleTally, RuleUsage
from rules.load import load_rules, rules_from_case
from rules.model import RuleSet
from rules.subset import version_of
from settings.model import Settings
from shadow.data_nodes import learn_data_nodes
from shadow.rule_alarms import RuleAlarms
from store.tasks import spawn

NOW = 400 * DAY_S + 1.0


def rules_with(extra: str) -> RuleSet:
    rule = f"{{id: r, path: $.a, action: type_only, reason: r, owner: team, permanent: true, decision: D{extra}}}"
    return load_rules([("rules.yaml", f"version: 1\nrules:\n  - {rule}\n")], date(1971, 1, 1))


def usage(rules: RuleSet, used: int) -> RuleUsage:
    version = version_of(rules, "r")
    return RuleUsage(
        (RuleTally("r", version, "GET /a", responses=used),),
        (),
        (JudgedKind("GET /a", 200, "application/json", 400, 1_000),),
        (DayUse("r", version, "GET /a", 400, used),),
        (LoadedRule("r", version, NOW - DAY_S, NOW),),
    )


def test_an_alarm_is_logged_once_and_again_only_after_it_was_over() -> None:
    rules, store = rules_with(", max_rate: 0.05"), ListStore()
    alarms = RuleAlarms(store, rules, {"r": version_of(rules, "r")}, lambda: NOW)  # type: ignore[arg-type]

    async def scenario() -> None:
        for used in (10, 500, 500, 10, 500):
            store.usage = usage(rules, used)
            await alarms.look()

    with capture_logs() as logs:
        asyncio.run(scenario())
    raised = [entry for entry in logs if entry["event"] == "a rule suppresses more than its max_rate"]
    assert [(entry["rule"], entry["owner"], entry["log_level"]) for entry in raised] == [("r", "team", "warning")] * 2
    assert "50.00%" in raised[0]["alarm"]


def test_every_look_notes_what_is_loaded_also_where_no_rule_has_a_limit() -> None:
    rules, store = rules_with(""), ListStore()

    async def unread() -> RuleUsage:
        raise AssertionError("nothing to watch")

    store.rule_usage = unread  # type: ignore[method-assign]
    asyncio.run(RuleAlarms(store, rules, {"r": "v"}, lambda: NOW).look())  # type: ignore[arg-type]
    assert store.loaded == [LoadedRule("r", "v", NOW, NOW)]


def test_a_store_that_is_away_is_asked_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow.rule_alarms, "EVERY_S", 0.01)
    store = ListStore()
    store.down = True

    async def scenario() -> None:
        run = spawn(RuleAlarms(store, rules_with(""), {"r": "v"}, lambda: NOW).run(), "alarms")  # type: ignore[arg-type]
        await until(lambda: store.refusals >= 3)
        store.down = False
        await until(lambda: bool(store.loaded))
        run.cancel()

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert [entry["event"] for entry in logs] == ["the use of rules cannot be looked at yet"]


def test_what_another_shadow_found_to_be_data_is_learnt() -> None:
    store, names = ListStore(), RouteKeyNames()
    store.nodes = [("GET /a", "$.m")]

    async def scenario() -> None:
        run = spawn(learn_data_nodes(store, names), "nodes")  # type: ignore[arg-type]
        await until(lambda: names.learn("GET /a", "$.m.x") == "$.m.*")
        run.cancel()

    asyncio.run(scenario())


def test_a_mapping_s_keys_make_fifty_clusters_and_then_one(tmp_path: Path) -> None:
    """Through the whole worker: every exchange differs at a key of its own."""
    count = 70

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(count):
            proxy.send(proxy.exchange(ok({"m": {f"key{number}": 1}}), target=b"/a?%d" % number))
        await until(lambda: len(store.ended) == count)
        await until(lambda: any(batch.data_nodes for batch in store.batches))

    def answer(value: int):  # type: ignore[no-untyped-def]
        return by(lambda seen: document({"m": {f"key{int(seen.target.partition(b'?')[2])}": value}}))

    store = play(tmp_path, answer(1), answer(2), script)
    paths = [ended.differences[0].atom.path for ended in store.ended]
    assert {ended.reason for ended in store.ended} == {"mismatch"}
    assert len(set(paths)) == 51
    assert paths.count("$.m.*") == count - 50
    assert [node for batch in store.batches for node in batch.data_nodes] == [("GET /a", "$.m")]
    assert store.ended[-1].differences[0].location.startswith("$.m.key")


def test_samples_of_a_running_shadow_reach_the_store(tmp_path: Path) -> None:
    rules = rules_from_case({"rules": [{"id": "hide-a", "path": "$.a", "action": "ignore"}]})

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for _ in range(3):
            proxy.send(proxy.exchange(ok({"a": 1})))
        await until(lambda: len(store.ended) == 3)
        await until(lambda: len(store.samples) >= 1)

    same, other = by(lambda seen: document({"a": 1})), by(lambda seen: document({"a": 2}))
    store = play(tmp_path, same, other, script, rules=rules)
    assert [ended.reason for ended in store.ended] == ["tolerated"] * 3
    assert {(part.rule, part.version) for ended in store.ended for part in ended.suppressed} == {
        ("hide-a", version_of(rules, "hide-a"))
    }
    sample = store.samples[0]
    assert (sample.tally.rule, sample.tally.alone) == ("hide-a", 1)
    assert sample.examples[0].differences[0].atom.path == "$.a"
    assert [item.rule for item in store.loaded] == ["hide-a"]


def test_hours_behind_a_mask_are_found_over_many_exchanges(tmp_path: Path) -> None:
    rules = rules_from_case({"rules": [{"id": "hide-at", "path": "$.at", "action": "ignore"}]})
    count = 60

    def stamped(hour: int, number: int) -> dict[str, str]:
        return {"at": f"2026-11-21T{hour:02}:{number:02}:00Z"}

    async def script(proxy: Proxy, store: ListStore, first: Backend, second: Backend, settings: Settings) -> None:
        for number in range(count):
            proxy.send(proxy.exchange(ok(stamped(10, number)), target=b"/a?%d" % number))
        await until(lambda: len(store.ended) == count)

    candidate = by(lambda seen: document(stamped(15, int(seen.target.partition(b"?")[2]))))
    store = play(tmp_path, by(lambda seen: document({})), candidate, script, rules=rules)
    assert [ended.reason for ended in store.ended] == ["tolerated"] * count
    findings = [item for batch in store.batches for item in batch.findings if item.atom.aspect == "relation"]
    assert {(item.atom.path, item.atom.kind) for item in findings} == {("$.at", "offset +5h behind hide-at")}
    assert sum(item.count for item in findings) >= 30
    assert "hide-at hides $.at" in findings[0].detail
