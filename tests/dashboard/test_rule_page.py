"""The Rules page and the alarms on the overview, over a real store; links to merged clusters."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from differ.facts import Atom
from differ.rule_use import DAY_S, HiddenPlace, LoadedRule, RuleTally, Suppressed
from rules.load import load_rules
from rules.subset import version_of
from store.records import Batch, DifferenceText, Ended, Example, RuleSample
from traffic.message import Request, Response
from traffic.outcome import Ending

ENTRY = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
HOSTILE = "<script>alert(1)</script>"
RULES = """
version: 1
rules:
  - {id: busy, path: $.a, action: type_only, reason: "<b>why</b>", owner: team-a, permanent: true, decision: D, max_rate: 0.05}
  - {id: quiet, path: $.b, action: type_only, reason: why, owner: team-b, permanent: true, decision: D}
"""


def page(name: str, **query: str) -> AppTest:
    test = AppTest.from_file(ENTRY, default_timeout=30)
    if name != "overview":
        test.run()
        test.switch_page(f"app_pages/{name}.py")
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception, [error.value for error in test.exception]
    return test


def shown(test: AppTest) -> str:
    kinds = ("title", "subheader", "caption", "text", "code", "info", "warning", "error", "success", "markdown")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(test, kind))


@pytest.fixture
def ruled(empty: Any) -> Any:
    """A site with two rules; `busy` applied in 200 of 1,000 responses, and the sample has an example of what it hides."""
    (empty.folder / "rules").mkdir()
    (empty.folder / "rules" / "own.yaml").write_text(RULES)
    rules = load_rules([("own.yaml", RULES)], datetime.now(UTC).date())
    versions = {name: version_of(rules, name) for name in ("busy", "quiet")}
    now = time.time()

    def ended(count: int, *tolerated: str) -> Ended:
        suppressed = tuple(Suppressed(name, versions[name]) for name in tolerated)
        return Ended(
            "boot", "GET /x", now, Ending.COMPARED, "tolerated" if tolerated else "match", tolerated=tolerated,
            suppressed=suppressed, judged=(200, "application/json"), count=count,
        )  # fmt: skip

    text = DifferenceText(Atom("GET /x", "200/200", "body", "$.a", "value"), HOSTILE, "2", "$.a")
    example = Example(
        "boot-1.abc", "GET /x", now, "primary", "c", Request("GET", b"/x"), Response(200, (), b"{}"), Response(200), (text,)
    )
    place = HiddenPlace("busy", versions["busy"], "GET /x", "body", f'$["{HOSTILE}"]', "value", "", 7)
    sample = RuleSample(
        RuleTally("busy", versions["busy"], "GET /x", matched=20, sampled=20, alone=5, needed=9), (place,), (example,)
    )

    async def work(store: Any) -> None:
        await store.note_loaded([LoadedRule(name, version, now - 20 * DAY_S, now) for name, version in versions.items()])
        await store.write(Batch(ended=(ended(200, "busy"), ended(800)), samples=(sample,)), 5)

    empty.use(work)
    return empty


def test_the_page_opens_on_an_empty_store_without_rules(empty: Any) -> None:
    test = page("rule_audit")
    assert "No rules and no presets" in shown(test)


def test_without_data_the_page_says_so_and_shows_no_zero(empty: Any) -> None:
    (empty.folder / "rules").mkdir()
    (empty.folder / "rules" / "own.yaml").write_text(RULES)
    rows = page("rule_audit").dataframe[0].value
    assert list(rows["Rate"]) == list(rows["Hides alone"]) == ["no data"] * 2
    assert rows["Hits"].isna().all()
    assert rows["In scope"].isna().all()


def test_every_rule_has_its_figures_and_what_stands_out_comes_first(ruled: Any) -> None:
    test = page("rule_audit")
    rows = {row["Rule"]: row for row in test.dataframe[0].value.to_dict("records")}
    busy = rows["busy"]
    assert (busy["Responses"], busy["In scope"], busy["Rate"], busy["Limit"]) == (200, 1_000, "20.00 %", "5.00 %")
    assert busy["Hides alone"] == "5 of 20, about 50 of all"
    assert rows["quiet"]["Hides alone"] == "no data"
    flags = test.table[0].value.to_dict("records")
    assert [flag["Rule"] for flag in flags] == ["busy"]
    assert "over rate" in flags[0]["Flag"].replace("\\", "")


def test_a_link_to_a_rule_shows_what_it_hides_with_an_example(ruled: Any) -> None:
    test = page("rule_audit", rule="busy")
    places = test.dataframe[1].value.to_dict("records")
    assert (places[0]["Count"], places[0]["Route"]) == (7, "GET /x")
    assert "Example 1 of 1" in shown(test)
    assert test.dataframe[2].value.to_dict("records")[0]["Where"] == "$.a"


def test_what_comes_from_traffic_or_files_is_never_markup(ruled: Any) -> None:
    test = page("rule_audit", rule="busy")
    for kind in ("markdown", "title", "subheader", "caption", "info", "warning", "error", "success"):
        assert not any("alert(" in element.value or "<b>" in element.value for element in getattr(test, kind))


def test_an_alarm_stands_on_the_overview(ruled: Any) -> None:
    assert any("busy suppresses in 20" in warning.value.replace("\\", "") for warning in page("overview").warning)


def test_a_mistake_in_a_rule_file_is_shown_and_the_overview_stays(ruled: Any) -> None:
    import streamlit as st

    (ruled.folder / "rules" / "own.yaml").write_text("version: 1\nrulez: []\n")
    st.cache_resource.clear()
    text = shown(page("overview"))
    assert "rulez" in text
    assert "Parity by route" in text


def test_a_link_to_a_cluster_that_was_merged_opens_the_one_it_went_into(filled: Any) -> None:
    def atom(number: int) -> Atom:
        return Atom("GET /m", "200/200", "body", f"$.m.k{number}", "value")

    rows = [
        Ended("boot", "GET /m", 5.0, Ending.COMPARED, "mismatch", differences=(DifferenceText(atom(number), "1", "2"),))
        for number in range(3)
    ]

    async def work(store: Any) -> None:
        await store.write(Batch(ended=tuple(rows), data_nodes=(("GET /m", "$.m"),)), 5)
        await store.write(Batch(ended=tuple(rows)), 5)

    async def before(store: Any) -> None:
        await store.write(Batch(ended=tuple(rows)), 5)

    filled.use(before)
    filled.use(work)
    test = page("mismatch", cluster=atom(1).cluster_id)
    assert "$.m.*" in shown(test)
    assert {metric.label: metric.value for metric in test.metric}["Exchanges"] == "9"
