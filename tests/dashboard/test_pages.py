"""Each page over a real store: what it shows, what it refuses, and what it writes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gate.decision import verify
from gate.facts import State
from settings.keyfile import read_key

ENTRY = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
GOOD, BAD, YOUNG = "GET /good/", "GET /bad/{id}/", "GET /young/"
HOSTILE_TAG = "<script>alert(1)</script>"


def page(name: str = "overview", **query: str) -> AppTest:
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


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


@pytest.mark.parametrize("name", ["overview", "route", "mismatch", "ledger", "audit"])
def test_every_page_opens_on_an_empty_store(empty: Any, name: str) -> None:
    test = page(name)

    assert not test.error
    assert len(test.title) == 1


def test_a_missing_store_is_one_sentence_and_no_traceback(tmp_path: Path, empty: Any) -> None:
    (empty.folder / "parity.db").unlink()

    test = page()

    assert "store" in test.error[0].value
    assert "paritygate store upgrade" in shown(test)


def test_a_broken_configuration_is_named(empty: Any) -> None:
    empty.config.write_text("[gate]\nparityy = 1\n")

    assert "did you mean 'parity'?" in shown(page())


def test_the_overview_has_every_route_with_its_figures(filled: Any) -> None:
    test = page()

    rows = {row["Route"]: row for row in test.dataframe[0].value.to_dict("records")}
    assert set(rows) == {GOOD, BAD, YOUNG}
    assert rows[GOOD]["Gate"] == "✓ pass"
    assert (rows[GOOD]["n"], rows[GOOD]["k"], rows[GOOD]["Match"], rows[GOOD]["Tolerated"]) == (200, 0, 150, 50)
    assert rows[BAD]["Gate"] == "✗ fail"
    assert (rows[BAD]["Mismatch"], rows[BAD]["Clusters"]) == (60, 2)
    assert rows[YOUNG]["Gate"] == "… undecided"
    assert rows[YOUNG]["Parity"] == "100.00 %"
    assert float(rows[YOUNG]["At least"].split()[0]) < 60
    assert "more clean units" in rows[YOUNG]["Blocked by"]
    assert metrics(test)["Ledger"] == "✓ adds up"
    assert metrics(test)["Requests seen"] == "265"


def test_a_ledger_that_does_not_add_up_is_loud() -> None:
    def script() -> None:
        from dashboard import tables
        from traffic.ledger import Ledger

        tables.totals([], Ledger(seen=3, served_primary=2))

    test = AppTest.from_function(script).run()

    assert metrics(test)["Ledger"] == "✗ does not add up"
    assert len(test.error) == 2


def test_promote_is_closed_while_the_gate_is_undecided(filled: Any) -> None:
    test = page("route", route=YOUNG)

    assert test.button(key="promote").disabled
    assert not test.button(key="rollback").disabled
    assert metrics(test)["Gate"] == "… undecided"
    assert "Promote is closed" in shown(test)


def test_promote_is_closed_while_the_gate_fails(filled: Any) -> None:
    assert page("route", route=BAD).button(key="promote").disabled


def test_promote_asks_for_a_name_and_writes_the_decision(filled: Any) -> None:
    test = page("route", route=GOOD)
    assert not test.button(key="promote").disabled
    test.button(key="promote").click().run()
    assert filled.standing(GOOD).state is State.SHADOW

    test.text_input(key="promoter").set_value("Ada Lovelace")
    test.button(key="promote_now").click().run()

    assert not test.exception
    assert filled.standing(GOOD).state is State.CUTOVER
    assert [(row.actor, row.action, row.route) for row in filled.audit()] == [("Ada Lovelace", "promote", GOOD)]
    decision = next(item for item in filled.use(lambda store: store.decisions()) if item.route == GOOD)
    assert verify(decision, read_key(filled.folder / "parity.key")), "a proxy would not enforce it"


def test_a_promotion_without_a_name_is_not_done(filled: Any) -> None:
    test = page("route", route=GOOD)
    test.button(key="promote").click().run()

    test.button(key="promote_now").click().run()

    assert "needs a name" in shown(test)
    assert filled.audit() == []


def test_a_promotion_of_a_route_that_moved_on_is_not_done(filled: Any) -> None:
    from dashboard.controls import NotDone, request
    from dashboard.session import current_policy, current_settings, opened
    from gate.overrides import policy_for
    from settings.load import load_settings

    configured = load_settings(filled.config)
    policy = policy_for("demo", 0.999, 0.05, {})
    client = opened(configured.store_url)
    assert (current_policy(), current_settings().store_url) == (policy, configured.store_url)
    request(client, configured, policy, "freeze", GOOD, "Bob", 0)

    with pytest.raises(NotDone, match="moved on"):
        request(client, configured, policy, "promote", GOOD, "Ada", 0)


def test_roll_back_is_one_click(filled: Any) -> None:
    test = page("route", route=GOOD)
    test.button(key="promote").click().run()
    test.text_input(key="promoter").set_value("Ada")
    test.button(key="promote_now").click().run()

    test.button(key="rollback").click().run()

    assert not test.exception
    assert filled.standing(GOOD).state is State.ROLLED_BACK
    assert filled.standing(GOOD).weight_bp == 0
    assert filled.audit()[0].action == "rollback"


def test_without_a_signing_key_nothing_can_be_changed(filled: Any) -> None:
    test = page("route", route=GOOD)
    (filled.folder / "parity.key").unlink()

    test.run()

    assert test.button(key="rollback").disabled
    assert "paritygate init" in shown(test).replace("\\", "")


def test_an_approval_is_offered_where_the_policy_wants_people(filled: Any) -> None:
    filled.config.write_text(filled.config.read_text().replace("[cutover]", "[gate.approvals]\ncount = 1\n[cutover]"))
    test = page("route", route=GOOD)
    assert test.button(key="promote").disabled

    test.button(key="approve").click().run()
    assert "needs a name" in shown(test)
    test.text_input(key="actor").set_value("Ada")
    test.button(key="approve").click().run()

    assert not test.button(key="promote").disabled
    assert filled.audit()[0].action == "approve"


def test_a_mistake_in_a_rule_file_is_shown_and_the_page_stays(filled: Any) -> None:
    (filled.folder / "rules").mkdir()
    (filled.folder / "rules" / "r.yaml").write_text("version: 1\nrulez: []\n")

    test = page("mismatch", cluster=cluster_id(filled))

    assert "rulez" in shown(test)
    assert "Take it with you" in shown(test)


def test_a_dashboard_others_can_reach_is_read_only(filled: Any) -> None:
    filled.configure(host="0.0.0.0")

    test = page("route", route=GOOD)

    assert test.button(key="promote").disabled
    assert test.button(key="rollback").disabled


def test_every_guard_is_listed_with_what_is_missing(filled: Any) -> None:
    table = page("route", route=YOUNG).table[0].value

    parity = table[table["Guard"] == "parity"].iloc[0]
    assert parity["Holds"] == "… too little data"
    assert "clean units" in parity["Missing"]


def test_an_unknown_route_in_the_link_is_harmless(filled: Any) -> None:
    assert "Choose a route" in shown(page("route", route=HOSTILE_TAG))


def cluster_id(site: Any, aspect: str = "body") -> str:
    return next(row.id for row in site.use(lambda store: store.clusters()) if row.atom.aspect == aspect)


def test_a_deep_link_opens_a_cluster_with_both_answers(filled: Any) -> None:
    test = page("mismatch", cluster=cluster_id(filled))

    assert metrics(test)["Exchanges"] == "60"
    text = shown(test)
    assert '"price": "12.50"' in text
    assert "status 200" in text
    assert "curl" in text
    assert "django-headers" in text


def test_payloads_are_shown_as_code_and_never_as_markup(filled: Any) -> None:
    test = page("mismatch", cluster=cluster_id(filled))

    assert any(HOSTILE_TAG in code.value for code in test.code)
    for kind in ("markdown", "title", "subheader", "caption", "info", "warning", "error"):
        assert not any("alert(" in element.value or "evil.example" in element.value for element in getattr(test, kind))
    assert not any("\u202e" in code.value for code in test.code)


def test_a_cell_can_neither_be_a_formula_nor_hide_its_order(filled: Any) -> None:
    cells = page("mismatch", cluster=cluster_id(filled)).dataframe[0].value.to_dict("records")

    assert cells[1]["Primary"] == "'=cmd()"
    assert cells[1]["Candidate"] == "(absent)"
    assert "\\u202e" in cells[0]["Primary"]


def test_examples_export_as_a_zip_of_tests(filled: Any) -> None:
    from datetime import date

    from dashboard.answers import zipped
    from export.pytest_files import export_pytest
    from rules.load import EMPTY

    chosen = cluster_id(filled)
    kept = filled.use(lambda store: store.examples(chosen))
    first = zipped(export_pytest(kept, EMPTY, date(2026, 11, 21)), "parity_tests")

    assert first == zipped(export_pytest(kept, EMPTY, date(2026, 11, 21)), "parity_tests")
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert any(name.startswith("parity_tests/test_") for name in names)


def test_the_ledger_page_has_each_line(filled: Any) -> None:
    test = page("ledger")

    lines = {row["Line"].replace("\\", ""): row["Requests"] for row in test.table[0].value.to_dict("records")}
    assert lines["seen"] == "265"
    assert lines["compared"] == "265"
    assert "The sums hold" in test.success[0].value


def test_the_audit_page_names_who_did_what(filled: Any) -> None:
    test = page("route", route=GOOD)
    test.text_input(key="actor").set_value("=Eve")
    test.button(key="rollback").click().run()

    rows = page("audit").dataframe[-1].value.to_dict("records")

    assert rows[0]["Actor"] == "'=Eve"
    assert rows[0]["Action"] == "rollback"
