"""The main job from end to end, on the demo's twins: find, count, gate, cut over, roll back, export."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from e2e_stage import Played

from cli.context import policy_of
from cli.cutover import decide
from cli.main import run_command
from dashboard.client import StoreClient
from dashboard.controls import request
from demo import truth
from demo import twins as demo_twins
from gate.facts import State
from gate.machine import Refused
from store.enforced import enforced_numbers
from traffic.ledger import Ledger

FAITHFUL_NEEDED = 4


def clusters_of(played: Played) -> set[tuple[str, str, str]]:
    rows = played.loop.run(played.stage.store.clusters())
    return {(row.atom.route, row.atom.aspect, row.atom.path) for row in rows}


def config(played: Played) -> list[str]:
    return ["--config", str(played.stage.settings.source)]


def test_traffic_of_the_demo_never_fails(played: Played) -> None:
    assert played.report.failed == 0
    assert played.report.requests >= 2500


def test_exactly_the_planted_defects_are_found(played: Played) -> None:
    outcome = truth.check(clusters_of(played))
    assert [defect.id for defect in outcome.missing] == []
    assert outcome.unexpected == ()


def test_equations_hold_and_every_request_is_counted(played: Played) -> None:
    total = sum(played.ledgers.values(), Ledger())
    assert [text for ledger in played.ledgers.values() for text in ledger.violations()] == []
    assert total.seen == played.report.requests
    assert total.served_primary == total.seen
    assert (total.open, total.pending, sum(total.lost.values())) == (0, 0, 0)


def test_framework_conventions_are_tolerated_by_name_and_not_matched(played: Played) -> None:
    total = sum(played.ledgers.values(), Ledger())
    hits = {rule for rule, _, _ in played.loop.run(played.stage.store.rule_hits())}
    assert total.verdicts["tolerated"] > 0
    assert {"django-headers", "drf-fastapi-errors", "slash-redirect"} <= hits


def test_random_answers_are_noise_and_no_finding(played: Played) -> None:
    assert played.ledgers["GET /bench/random/"].verdicts.get("noise", 0) > 0
    assert "GET /bench/random/" not in {route for route, _, _ in clusters_of(played)}


def test_at_least_four_routes_pass_the_gate_and_no_route_with_a_defect_does(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    passing = passing_routes(played, capsys)
    defective = {
        defect.route for defect in truth.load_defects() if not {c.aspect for c in defect.clusters} <= {"latency", "relation"}
    }
    assert len(passing) >= FAITHFUL_NEEDED
    assert not set(passing) & defective


def passing_routes(played: Played, capsys: pytest.CaptureFixture[str]) -> list[str]:
    run_command(["routes", "--json", *config(played)])
    rows = json.loads(capsys.readouterr().out)["routes"]
    return [row["route"] for row in rows if row["gate"] == "pass" and row["route"].startswith("GET ")]


def test_promotion_of_a_defective_route_is_refused_with_reasons(played: Played) -> None:
    with pytest.raises(Refused, match="parity"):
        decide(played.stage.settings, "promote", "GET /api/products/{id}/", "ada", "try")


def test_promoting_moves_a_route_while_traffic_runs_and_rollback_brings_it_back(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    route, path = "GET /api/products/{id}/stock/", "/api/products/7/stock/"
    assert route in passing_routes(played, capsys)
    seen: list[tuple[float, int, bool]] = []
    stop = asyncio.Event()

    async def clients() -> None:
        async with httpx.AsyncClient(base_url=played.stage.url, trust_env=False, timeout=10) as client:
            while not stop.is_set():
                answer = await client.get(path)
                seen.append((time.monotonic(), answer.status_code, "x-build" in answer.headers))

    async def scenario() -> tuple[float, float]:
        traffic = asyncio.gather(clients(), clients(), clients())
        await until(lambda: len(seen) >= 20)
        promoted = await asyncio.to_thread(decide, played.stage.settings, "promote", route, "ada", "evidence is in")
        assert promoted.state is State.CUTOVER
        at_promote = time.monotonic()
        await until(lambda: sum(1 for _, _, new in seen if new) >= 20)
        asked_for_rollback = time.monotonic()  # the proxies are told first, the store is written after
        await asyncio.to_thread(decide, played.stage.settings, "rollback", route, "ada", "drill")
        at_rollback = time.monotonic()
        await until(lambda: len([1 for at, _, _ in seen if at > at_rollback + 1]) >= 20)
        stop.set()
        await traffic
        return at_promote, asked_for_rollback, at_rollback

    at_promote, asked_for_rollback, at_rollback = played.loop.run(scenario())

    assert {status for _, status, _ in seen} == {200}
    assert all(new for at, _, new in seen if at_promote + 1 < at < asked_for_rollback)
    assert not any(new for at, _, new in seen if at > at_rollback + 1)
    ledgers = played.loop.run(played.stage.rest())
    assert ledgers[route].served_candidate > 0
    assert ledgers[route].violations() == []
    log = played.loop.run(played.stage.store.audit(10))
    assert [row.action for row in log[:2]] == ["rollback", "promote"]
    assert {row.actor for row in log[:2]} == {"ada"}


async def until(holds, deadline: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(deadline):
        while not holds():
            await asyncio.sleep(0.02)


def credentials(folder: Path, candidate: str) -> dict[str, str]:
    """What the export's README asks for: for each recorded secret a credential of the same user, got by logging in."""
    kinds: dict[str, str] = {}
    users: dict[str, str] = {}
    for path in sorted(folder.glob("cases/*/*.case.json")):
        case = json.loads(path.read_text())
        body = case["expected"]["body"]
        expected = json.loads((path.parent / body).read_text()) if body and case["expected"]["kind"] == "json" else {}
        headers = {name.lower(): value for name, value in case["request"]["headers"]}
        for secret, variable in case["secrets"].items():
            if secret in headers.get("authorization", ""):
                kinds[variable] = "token"
            elif f"sessionid={secret}" in headers.get("cookie", ""):
                kinds[variable] = "session"
            if isinstance(expected, dict) and "username" in expected:
                users[variable] = expected["username"]
    found = {}
    for variable, kind in kinds.items():
        user = users.get(variable, "bob")  # where nothing names the user, any customer will do
        login = {"username": user, "password": f"{user}-secret"}
        with httpx.Client(base_url=candidate, trust_env=False) as client:
            if kind == "token":
                found[variable] = client.post("/api/accounts/token/", json=login).json()["token"]
            else:
                found[variable] = client.post("/api/accounts/login/", json=login).cookies["sessionid"]
    return found


def test_exported_tests_fail_against_the_defects_and_pass_once_they_are_fixed(played: Played, tmp_path: Path) -> None:
    folder = tmp_path / "parity"
    assert run_command(["export", "pytest", "--output", str(folder), *config(played)]) == 0
    candidate = played.stage.twins.candidate_url

    def run_tests() -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PARITYGATE_BASE_URL": candidate, **credentials(folder, candidate)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, cwd=folder, check=False)

    before = run_tests()
    played.loop.run(asyncio.to_thread(played.stage.twins.restart_candidate, "all"))
    try:
        after = run_tests()
    finally:
        played.loop.run(asyncio.to_thread(played.stage.twins.restart_candidate, ""))

    assert re.fullmatch(r"\d+ failed in .*", before.stdout.splitlines()[-1]), before.stdout
    assert re.fullmatch(r"\d+ passed in .*", after.stdout.splitlines()[-1]), after.stdout


def test_what_the_dashboard_decides_the_proxy_enforces(played: Played) -> None:
    route, path = "GET /api/categories/{slug}/", "/api/categories/cat-1/"
    settings = played.stage.settings
    client = StoreClient(settings.store_url)

    def decide_there(action: str) -> State:
        seq = client.call(lambda store: store.standing(route)).seq
        return request(client, settings, policy_of(settings), action, route, "grace", seq).state

    async def served_by_the_candidate(wanted: bool) -> None:
        async with httpx.AsyncClient(base_url=played.stage.url, trust_env=False, timeout=10) as http:
            async with asyncio.timeout(10):
                while ("x-build" in (await http.get(path)).headers) is not wanted:
                    await asyncio.sleep(0.05)

    try:
        assert decide_there("promote") is State.CUTOVER
        played.loop.run(served_by_the_candidate(True))
        assert decide_there("rollback") is State.ROLLED_BACK
        played.loop.run(served_by_the_candidate(False))
        stored = client.call(lambda store: store.standing(route)).seq
        assert enforced_numbers(settings, route) == [(settings.proxy.admin, stored)]
    finally:
        client.close()


def test_exported_cases_are_judged_as_they_were_recorded(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run_command(["export", "json", *config(played)]) == 0
    path = tmp_path / "cases.jsonl"
    path.write_text(capsys.readouterr().out)

    assert run_command(["compare", "--cases", str(path)]) == 0

    judged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert judged
    assert not any("x-build" in line["paths"] for line in judged)
    assert ["$.price"] in [line["paths"] for line in judged]


def test_a_finding_without_an_example_is_shown_as_what_it_is(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    rows = played.loop.run(played.stage.store.clusters("GET /bench/records/{id}/"))
    capsys.readouterr()
    assert run_command(["show", rows[0].id, *config(played)]) == 0
    assert "equals $.id in all" in capsys.readouterr().out


def test_dashboard_answers_and_shows_the_table(played: Played) -> None:
    played.loop.run(played.stage.dashboard_ready())


def test_fixing_one_defect_removes_exactly_its_cluster(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--once", "--fix", "renamed-field", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "$.joined_at" not in done.stdout
    assert "$.price" in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize("defect", [defect.id for defect in truth.load_defects()])
def test_fixing_each_defect_removes_exactly_its_cluster(defect: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "demo", "--once", "--fix", defect, "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_twins_are_the_real_servers(played: Played) -> None:
    assert isinstance(played.stage.twins, demo_twins.Twins)
    assert httpx.get(f"{played.stage.twins.candidate_url}/openapi.json", trust_env=False).json()["openapi"].startswith("3.")
