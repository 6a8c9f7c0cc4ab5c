"""What the scenario client promises: its plan, and a run against the Django twin alone."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict

import pytest

from demo import traffic
from demo.traffic_clients import CLIENTS, CREATOR
from demo.traffic_plan import SMALLEST_PLAN, Step, make_plan, write_routes
from demo.truth import load_defects
from demo.twins import Twins

PLAN = make_plan(2600, 7, 90.0)
CREATES = {"POST /api/cart/items/", "POST /api/orders/", "POST /bench/records/", "DELETE /api/cart/items/{id}/"}


def _by_route() -> dict[str, list[Step]]:
    steps = defaultdict(list)
    for step in PLAN:
        steps[step.route].append(step)
    return steps


def test_the_plan_has_as_many_steps_as_asked_each_in_its_own_slot() -> None:
    assert [step.due for step in PLAN] == list(range(2600))


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan(300, 7, 90.0) == make_plan(300, 7, 90.0)
    assert make_plan(300, 7, 90.0) != make_plan(300, 8, 90.0)


def test_at_the_default_rate_the_run_lasts_longer_than_the_gates_span() -> None:
    assert PLAN[-1].due / 90.0 >= 22


def test_at_least_four_faithful_routes_get_150_requests_from_many_clients_over_the_whole_run() -> None:
    defective = {defect.route for defect in load_defects()} | {"GET /bench/random/"}
    rich = [
        route
        for route, steps in _by_route().items()
        if route not in defective
        and len(steps) >= 150
        and len({step.client for step in steps}) >= 8
        and len({(step.client, step.path) for step in steps}) >= 75
        and steps[0].due < 300
        and steps[-1].due > 2300
    ]
    assert len(rich) >= 4


@pytest.mark.parametrize("defect", load_defects(), ids=lambda defect: defect.id)
def test_every_route_with_a_defect_is_asked_often(defect) -> None:
    assert len(_by_route()[defect.route]) >= 30


def test_the_slow_and_the_related_route_are_asked_often_enough_for_statistics() -> None:
    assert len(_by_route()["GET /api/reports/top-products/"]) >= 60
    assert len(_by_route()["GET /bench/records/{id}/"]) >= 100


def test_only_one_client_creates_rows_and_nobody_else_acts_as_its_user() -> None:
    assert {step.client for step in PLAN if step.route in CREATES} == {CREATOR}
    assert CREATOR.user not in {client.user for client in CLIENTS}


def test_what_was_created_is_read_by_its_creator_only() -> None:
    assert {step.client for step in PLAN if "{" in step.path} == {CREATOR}


def test_nobody_asks_for_anything_between_a_login_and_its_settling() -> None:
    last: dict[str, int] = {}
    for step in PLAN:
        if step.client.name in last:
            assert step.due - last.pop(step.client.name) >= 110
        if step.route in (traffic.LOGIN, traffic.TOKEN) and step.client.login:
            last[step.client.name] = step.due


def test_the_write_routes_are_those_of_the_plan() -> None:
    assert set(write_routes()) == {step.route for step in PLAN if step.method != "GET"}
    assert len(write_routes()) == 10


def test_clients_differ_in_address_or_agent() -> None:
    everyone = (CREATOR, *CLIENTS)
    assert len({(client.address, client.agent) for client in everyone}) == len(everyone)


def test_there_are_anonymous_session_token_and_staff_clients() -> None:
    assert {(client.login, client.staff) for client in CLIENTS} >= {
        (None, False),
        ("session", False),
        ("token", False),
        ("session", True),
        ("token", True),
    }


def test_a_plan_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match=f"needs at least {SMALLEST_PLAN}"):
        make_plan(SMALLEST_PLAN - 1, 7, 90.0)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        asyncio.run(traffic.run("http://127.0.0.1:9", 200, rate=0))


def test_a_run_against_the_primary_meets_its_plan_without_a_failure(twins: Twins) -> None:
    seen: list[tuple[int, int]] = []
    report = asyncio.run(traffic.run(twins.primary_url, 700, 3, 350.0, lambda done, total: seen.append((done, total))))
    assert report.failed == 0, report.failures
    planned = [step.route for step in make_plan(700, 3, 350.0)]
    assert dict(report.by_route) == {route: planned.count(route) for route in set(planned)}
    assert sum(report.by_status.values()) == report.requests == 700
    assert {200, 201, 204, 301, 302, 400, 401, 403, 404, 405} == set(report.by_status)
    assert seen == [(done, 700) for done in range(1, 701)]
    assert all(len(report.latencies[route]) == count for route, count in report.by_route.items())
    assert report.duration_s >= 699 / 350.0


def test_a_backend_that_is_not_there_is_a_failure_for_each_request() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        report = asyncio.run(traffic.run(url, 200, 7, 5000.0))
    assert (report.failed, report.requests, dict(report.by_status)) == (200, 200, {})
    assert len(report.failures) == 20
    assert "ConnectError" in report.failures[0]
