"""`paritygate rules audit` and the alarms in `status`, over a real store."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from differ.rule_use import DAY_S, HiddenPlace, LoadedRule, RuleTally, Suppressed
from rules.load import load_rules
from rules.subset import version_of
from store.database import Store, open_store
from store.records import Batch, Ended, RuleSample
from traffic.outcome import Ending

NOW = time.time()
NAMES = ("busy", "quiet")
RULES = """
version: 1
rules:
  - {id: busy, path: $.a, action: type_only, reason: why, owner: team-a, expires: %s, max_rate: 0.05}
  - {id: quiet, path: $.b, action: type_only, reason: why, owner: team-b, expires: %s}
"""


def day(ahead: int) -> str:
    return str((datetime.now(UTC) + timedelta(days=ahead)).date())


@pytest.fixture
def site(folder: Path, run) -> Path:  # type: ignore[no-untyped-def]
    """The starter's configuration with two rules and an empty store."""
    for file in (folder / "rules").glob("*.yaml"):
        file.unlink()
    (folder / "rules" / "own.yaml").write_text(RULES % (day(60), day(60)))
    assert run("store", "upgrade", *config(folder))[0] == 0
    return folder


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "paritygate.toml")


def fill(folder: Path, hits: int, responses: int = 1_000, note: str = "offset +5h") -> None:
    """Responses judged just now, in `hits` of which `busy` applied, hiding values that relate as `note` says."""
    rules = load_rules([("own.yaml", (folder / "rules" / "own.yaml").read_text())], datetime.now(UTC).date())
    versions = {name: version_of(rules, name) for name in NAMES}

    def ended(count: int, *tolerated: str) -> Ended:
        suppressed = tuple(Suppressed(name, versions[name], 2) for name in tolerated)
        verdict = "tolerated" if tolerated else "match"
        return Ended(
            "boot", "GET /x", NOW, Ending.COMPARED, verdict, tolerated=tolerated, suppressed=suppressed,
            judged=(200, "application/json"), count=count,
        )  # fmt: skip

    place = HiddenPlace("busy", versions["busy"], "GET /x", "body", "$.a", "value", note, 20)
    sample = RuleSample(RuleTally("busy", versions["busy"], "GET /x", matched=20, sampled=20, alone=5, needed=20), (place,))

    async def work(store: Store) -> None:
        await store.upgrade()
        at = NOW - 30 * DAY_S
        await store.note_loaded([LoadedRule(name, version, at, NOW) for name, version in versions.items()])
        await store.write(Batch(ended=(ended(hits, "busy"), ended(responses - hits)), samples=(sample,)), 5)

    async def run() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'paritygate.db'}")
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


def audited(run, folder: Path) -> tuple[int, dict]:  # type: ignore[no-untyped-def,type-arg]
    code, out, _ = run("rules", "audit", "--json", *config(folder))
    document = json.loads(out)
    return code, {line["name"]: line for line in document["rules"]} | {"": document}


def test_without_any_data_the_audit_is_inconclusive_and_shows_no_zero(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, lines = audited(run, site)
    assert code == 3
    busy = lines["busy"]
    assert [busy[name] for name in ("since", "in_scope", "rate", "alone", "needed", "alone_estimate")] == [None] * 6
    code, out, err = run("rules", "audit", *config(site))
    assert (code, out.count("no data") >= 8) == (3, True)
    assert "nothing has been judged yet" in err
    assert "no shadow has loaded this version" in out


def test_an_audit_with_nothing_to_act_upon_ends_with_0(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    fill(site, 10, note="trimmed")
    code, lines = audited(run, site)
    assert (code, lines["busy"]["flags"], lines["quiet"]["flags"]) == (0, [], [])


def test_figures_of_the_audit_as_json(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    fill(site, 200)
    code, lines = audited(run, site)
    busy, whole = lines["busy"], lines[""]
    assert code == 1
    assert (busy["hits"], busy["responses"], busy["in_scope"], busy["rate"]) == (400, 200, 1_000, 0.2)
    assert (busy["sampled"], busy["alone"], busy["alone_estimate"], busy["owner"]) == (20, 5, 50.0, "team-a")
    assert busy["hides"] == [
        {"route": "GET /x", "aspect": "body", "path": "$.a", "kind": "value", "note": "offset +5h", "count": 20}
    ]
    assert {flag["kind"] for flag in busy["flags"]} == {"over_rate", "over_broad"}
    assert (whole["judged"], whole["dead"]) == (1_000, [])
    assert [(hit["rule"], hit["count"]) for hit in whole["hits"]] == [("busy", 200)]


def test_a_dead_rule_is_named_and_ends_with_1(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    fill(site, 1, responses=5_000)
    code, out, _ = run("rules", "audit", *config(site))
    assert code == 1
    assert "quiet: dead: unused for 30 days while 5000 responses in its scope were judged" in out


def test_an_end_that_is_near_is_a_reminder_only(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    (site / "rules" / "own.yaml").write_text(RULES % (day(60), day(3)))
    fill(site, 10, note="trimmed")
    code, lines = audited(run, site)
    assert (code, [flag["kind"] for flag in lines["quiet"]["flags"]]) == (0, ["expires_soon"])


def test_status_shows_the_alarms_of_rules_and_keeps_its_exit_code(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    fill(site, 200)
    code, out, _ = run("status", "--json", *config(site))
    (alarm,) = json.loads(out)["alarms"]
    assert (alarm["rule"], alarm["owner"]) == ("busy", "team-a")
    assert "20.00% of the 1000 responses" in alarm["text"]
    assert code == json_code(out)
    assert "ALARM: busy suppresses in 20.00%" in run("status", *config(site))[1]


def json_code(out: str) -> int:
    return 1 if json.loads(out)["total"]["violations"] else 0


def test_status_without_an_alarm_has_an_empty_list(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    fill(site, 10)
    assert json.loads(run("status", "--json", *config(site))[1])["alarms"] == []


def test_status_survives_rules_that_cannot_be_read(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    (site / "rules" / "own.yaml").write_text("version: 2\n")
    code, out, err = run("status", "--json", *config(site))
    assert (code, json.loads(out)["alarms"]) == (0, None)
    assert "their alarms are not known" in err


def test_no_rules_are_nothing_to_act_upon(site: Path, run) -> None:  # type: ignore[no-untyped-def]
    (site / "rules" / "own.yaml").write_text("version: 1\n")
    code, out, _ = run("rules", "audit", *config(site))
    assert (code, "no rules and no presets" in out) == (0, True)
