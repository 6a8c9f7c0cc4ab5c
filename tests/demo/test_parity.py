"""Both shops answer alike, but for the planted defects: each route is asked on both sides and the answers are compared simply."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest
from pydantic import TypeAdapter

from demo.traffic_offers import HUGE_ID, MALFORMED
from demo.truth import load_defects
from demo.twins import Twins

DEFECTS = [defect.id for defect in load_defects()]
SAME_STATUS = {422: 400, 307: 302, 301: 302}
DURATION = TypeAdapter(timedelta)


@dataclass(frozen=True)
class Probe:
    """One request, the status Django answers with, and the defect that shows in it."""

    route: str
    path: str
    status: int = 200
    user: str | None = None
    body: object = None
    defect: str | None = None


PROBES = (
    Probe("POST /api/accounts/login/", "/api/accounts/login/", body={"username": "bob", "password": "bob-secret"}),
    Probe("POST /api/accounts/login/", "/api/accounts/login/", 400, body={"username": "bob", "password": "no"}),
    Probe("POST /api/accounts/login/", "/api/accounts/login/", 400, body={"username": "bob"}),
    Probe("POST /api/accounts/token/", "/api/accounts/token/", body={"username": "bob", "password": "bob-secret"}),
    Probe("POST /api/accounts/token/", "/api/accounts/token/", 400, body={"username": "bob", "password": ""}),
    Probe("POST /api/accounts/logout/", "/api/accounts/logout/", 204, user="erin"),
    Probe("POST /api/accounts/logout/", "/api/accounts/logout/", 401),
    Probe("GET /api/account/", "/api/account/", user="carol", defect="renamed-field"),
    Probe("GET /api/account/", "/api/account/", 401),
    Probe("GET /api/account/", "/api/account/", 401, user="nobody"),
    Probe("POST /api/account/currency/", "/api/account/currency/", body={"currency": "EUR"}, defect="cookie-not-httponly"),
    Probe("POST /api/account/currency/", "/api/account/currency/", 400, body={"currency": "XXX"}),
    Probe("GET /api/products/", "/api/products/"),
    Probe("GET /api/products/", "/api/products/?page=6"),
    Probe("GET /api/products/", "/api/products/?page=2&category=cat-2", 404),
    Probe("GET /api/products/", "/api/products/?page=0", 404),
    Probe("GET /api/products/", "/api/products/?page=abc", 404),
    Probe("GET /api/products/", "/api/products/?page_size=abc&page="),
    Probe("GET /api/products/", "/api/products/?page_size=1000&ordering=rubbish"),
    Probe("GET /api/products/", "/api/products/?category=none"),
    Probe("GET /api/products/", "/api/products/?ordering=-price&page=2", defect="page-order"),
    Probe("GET /api/products/", "/api/products/?ordering=name,-id&category=cat-3", defect="page-order"),
    Probe("GET /api/products/{id}/", "/api/products/7/", defect="decimal-as-float"),
    Probe("GET /api/products/{id}/", "/api/products/999/", 404),
    Probe("GET /api/products/{id}/", "/api/products/abc/", 404),
    Probe("GET /api/products/{id}/", f"/api/products/{HUGE_ID}/", 404),
    Probe("GET /api/products/{id}/reviews/", "/api/products/7/reviews/", defect="local-time"),
    Probe("GET /api/products/{id}/reviews/", "/api/products/999/reviews/", 404),
    Probe("GET /api/products/{id}/stock/", "/api/products/7/stock/"),
    Probe("GET /api/products/{id}/stock/", "/api/products/999/stock/", 404),
    Probe("GET /api/products/{id}/stock/", "/api/products/7/stock/", user="nobody"),
    Probe("GET /api/categories/", "/api/categories/", defect="lost-cache-control"),
    Probe("GET /api/categories/{slug}/", "/api/categories/cat-3/"),
    Probe("GET /api/categories/{slug}/", "/api/categories/cat-3/", user="carol"),
    Probe("GET /api/categories/{slug}/", "/api/categories/none/", 404),
    Probe("GET /api/suppliers/{id}/", "/api/suppliers/2/"),
    Probe("GET /api/suppliers/{id}/", "/api/suppliers/99/", 404),
    Probe("GET /api/suppliers/{id}/", f"/api/suppliers/{HUGE_ID}/", 404, defect="overflow-500"),
    Probe("GET /api/search/", "/api/search/?q=cr%C3%A8me"),
    Probe("GET /api/search/", "/api/search/?q=%25%25"),
    Probe("GET /api/search/", "/api/search/", 400),
    Probe("GET /api/search/", "/api/search/?q=x", 400),
    Probe("POST /api/checkout/quote/", "/api/checkout/quote/", body={"postcode": " 10115 ", "weight_g": 5250}),
    Probe("POST /api/checkout/quote/", "/api/checkout/quote/", body={"postcode": 10115, "weight_g": "12"}),
    Probe("POST /api/checkout/quote/", "/api/checkout/quote/", 400, body={}),
    Probe("POST /api/checkout/quote/", "/api/checkout/quote/", 400, body={"postcode": "1", "weight_g": 0}),
    Probe(
        "POST /api/checkout/quote/", "/api/checkout/quote/", 400, body={"postcode": "", "weight_g": 9}, defect="blank-accepted"
    ),
    Probe("POST /api/cart/items/", "/api/cart/items/", 201, "dave", {"product": 3, "qty": 2}),
    Probe("POST /api/cart/items/", "/api/cart/items/", 201, "dave", {"product": 4, "qty": 1}),
    Probe("POST /api/cart/items/", "/api/cart/items/", 400, "dave", {"product": 10**6, "qty": 1}),
    Probe("POST /api/cart/items/", "/api/cart/items/", 401, None, {"product": 3, "qty": 2}),
    Probe("DELETE /api/cart/items/{id}/", "/api/cart/items/2/", 204, "dave"),
    Probe("DELETE /api/cart/items/{id}/", "/api/cart/items/2/", 404, "dave"),
    Probe("POST /api/cart/items/", "/api/cart/items/", 201, "dave", {"product": 5, "qty": 1}),
    Probe("GET /api/cart/", "/api/cart/", user="dave"),
    Probe("GET /api/cart/", "/api/cart/", user="erin"),
    Probe("POST /api/orders/", "/api/orders/", 201, "dave", {}),
    Probe("POST /api/orders/", "/api/orders/", 400, "dave", {}),
    Probe("GET /api/orders/", "/api/orders/", user="dave"),
    Probe("GET /api/orders/", "/api/orders/", user="alice"),
    Probe("GET /api/orders/{id}/", "/api/orders/301/", user="dave"),
    Probe("GET /api/orders/{id}/", "/api/orders/6/", user="alice"),
    Probe("GET /api/orders/{id}/", "/api/orders/7/", 404, user="alice"),
    Probe("GET /api/reports/sales/", "/api/reports/sales/", user="grace"),
    Probe("GET /api/reports/sales/", "/api/reports/sales/?year=2019", user="grace"),
    Probe("GET /api/reports/sales/", "/api/reports/sales/?year=1066", 400, user="grace"),
    Probe("GET /api/reports/sales/", "/api/reports/sales/", 403, user="carol"),
    Probe("GET /api/reports/sales.csv", "/api/reports/sales.csv", user="grace"),
    Probe("GET /api/reports/sales.csv", "/api/reports/sales.csv", 401),
    Probe("GET /api/reports/top-products/", "/api/reports/top-products/", defect="slow-report"),
    Probe("GET /api/admin/users/", "/api/admin/users/", user="grace"),
    Probe("GET /api/admin/users/", "/api/admin/users/", 401),
    Probe("GET /api/admin/users/", "/api/admin/users/", 403, user="carol", defect="missing-permission"),
    Probe("GET /api/admin/users/{id}/", "/api/admin/users/3/", user="grace"),
    Probe("GET /api/admin/users/{id}/", "/api/admin/users/99/", 404, user="grace"),
    Probe("GET /api/admin/users/{id}/", "/api/admin/users/3/", 403, user="carol"),
    Probe("GET /bench/random/", "/bench/random/"),
    Probe("POST /bench/echo/", "/bench/echo/", body={"é": [1e-7, 10**18, None, True, "\u2028</script>"]}),
    Probe("POST /bench/echo/", "/bench/echo/", 400, body=MALFORMED),
    Probe("GET /bench/echo/", "/bench/echo/", 405),
    Probe("POST /bench/records/", "/bench/records/", 201, body={"label": " made ", "value": 7}),
    Probe("POST /bench/records/", "/bench/records/", 400, body={"label": "", "value": -1}),
    Probe("GET /bench/records/{id}/", "/bench/records/77/", defect="random-is-id"),
    Probe("GET /bench/records/{id}/", "/bench/records/99999/", 404),
    Probe("GET /shop/", "/shop/"),
    Probe("GET /shop/products/{id}/", "/shop/products/1/"),
    Probe("GET /shop/products/{id}/", "/shop/products/12/"),
    Probe("GET /shop/products/{id}/", "/shop/products/999/", 404),
    Probe("GET /shop/size-chart.json", "/shop/size-chart.json"),
    Probe("GET /go/{slug}/", "/go/deal-3/", 302),
    Probe("GET /go/{slug}/", "/go/deal-3/?utm_source=mail&utm_term=a%20b", 302, defect="redirect-loses-query"),
    Probe("GET /go/{slug}/", "/go/none/", 404),
    Probe("GET __unrouted__", "/api/products", 301),
    Probe("GET __unrouted__", "/nope/", 404),
)


def shown(response: httpx.Response, base: str) -> dict[str, object]:
    """What a client relies on in an answer, in one spelling for both frameworks."""
    headers = {
        name: html.unescape(response.headers.get(name, "")).replace(base, "").removesuffix("; charset=utf-8")
        for name in ("content-type", "cache-control", "content-disposition", "location", "www-authenticate")
        if response.content or name != "content-type"
    }
    cookies = SimpleCookie(response.headers.get("set-cookie"))
    facts: dict[str, object] = {
        "status": SAME_STATUS.get(response.status_code, response.status_code),
        "headers": headers,
        "cookies": {
            name: {key: str(cookie[key]).lower() for key in ("httponly", "max-age", "path", "samesite", "secure", "domain")}
            for name, cookie in cookies.items()
        },
        "slow": response.elapsed.total_seconds() > 0.39,
    }
    if response.status_code < 400:
        facts["body"] = _body(response, base)
    return facts


def _body(response: httpx.Response, base: str) -> object:
    text = re.sub(r"(:\d\d\.\d{3})\d{3}Z", r"\1Z", response.text)
    if "json" not in response.headers.get("content-type", ""):
        return re.sub(r"\s+", " ", html.unescape(text)).strip()
    body = json.loads(text.replace(base, ""))
    if isinstance(body, dict):
        if "randomNumber" in body:
            body["randomNumber"] = body["randomNumber"] == body.get("id")
        if "token" in body:
            body["token"] = len(body["token"])
        if "arrives_within" in body:
            body["arrives_within"] = DURATION.validate_python(re.sub(r"^(\d+) ", r"\1 days ", body["arrives_within"]))
        for link in ("next", "previous"):
            if body.get(link):
                url = httpx.URL(body[link])
                body[link] = sorted(pair for pair in url.params.multi_items() if pair != ("page", "1"))
        for order in (body, *[row for row in body.get("results", ()) if isinstance(row, dict)]):
            if order.get("status") == "new":
                order.pop("created_at")
    return body


def answers(base: str) -> list[httpx.Response]:
    """The answers of one side to all probes, asked in their order."""
    users = sorted({probe.user for probe in PROBES if probe.user and probe.user != "nobody"})
    with httpx.Client(base_url=base, trust_env=False, timeout=20) as http:
        credentials = {"nobody": "Token " + "0" * 40}
        for user in users:
            issued = http.post("/api/accounts/token/", json={"username": user, "password": f"{user}-secret"})
            credentials[user] = f"Token {issued.json()['token']}"
        found = []
        for probe in PROBES:
            http.cookies.clear()
            headers = {"Authorization": credentials[probe.user]} if probe.user else {}
            if isinstance(probe.body, bytes):
                headers["Content-Type"] = "application/json"
                found.append(http.request(probe.route.split()[0], probe.path, content=probe.body, headers=headers))
            else:
                found.append(http.request(probe.route.split()[0], probe.path, json=probe.body, headers=headers))
        return found


@dataclass(frozen=True)
class Asked:
    """All probes asked on both sides."""

    primary: list[httpx.Response]
    candidate: list[httpx.Response]
    primary_base: str
    candidate_base: str

    def differing(self) -> set[int]:
        """The numbers of the probes whose answers differ."""
        pairs = enumerate(zip(self.primary, self.candidate, strict=True))
        return {at for at, (one, two) in pairs if shown(one, self.primary_base) != shown(two, self.candidate_base)}


def ask(twins: Twins) -> Asked:
    return Asked(answers(twins.primary_url), answers(twins.candidate_url), twins.primary_url, twins.candidate_url)


@pytest.fixture(scope="module")
def planted(start_twins: Callable[[str], Twins]) -> Asked:
    return ask(start_twins(""))


@pytest.fixture(scope="module")
def fixed(start_twins: Callable[[str], Twins]) -> Asked:
    return ask(start_twins("all"))


def _name(probe: Probe) -> str:
    return f"{probe.route.split()[0]} {probe.path} {probe.user or ''} {probe.status}"


@pytest.mark.parametrize("at", range(len(PROBES)), ids=[_name(probe) for probe in PROBES])
def test_the_primary_answers_with_the_status_the_probe_names(at: int, planted: Asked) -> None:
    assert planted.primary[at].status_code == PROBES[at].status, planted.primary[at].text


@pytest.mark.parametrize("at", range(len(PROBES)), ids=[_name(probe) for probe in PROBES])
def test_a_probe_differs_exactly_when_a_defect_is_planted_there(at: int, planted: Asked) -> None:
    primary = shown(planted.primary[at], planted.primary_base)
    candidate = shown(planted.candidate[at], planted.candidate_base)
    if PROBES[at].defect is None:
        assert primary == candidate
    else:
        assert primary != candidate


def test_with_all_defects_fixed_no_probe_differs(fixed: Asked) -> None:
    assert [_name(PROBES[at]) for at in sorted(fixed.differing())] == []


def test_every_planted_defect_has_a_probe() -> None:
    assert {probe.defect for probe in PROBES if probe.defect} == set(DEFECTS)


def test_a_defect_shows_on_the_route_its_entry_names() -> None:
    routes = {defect.id: defect.route for defect in load_defects()}
    assert all(routes[probe.defect] == probe.route for probe in PROBES if probe.defect)


def test_each_fix_switches_off_its_own_defect_and_no_other(start_twins: Callable[[str], Twins]) -> None:
    """Each defect has its own pattern of being fixed over a few runs, so that a crossed switch would show."""
    twins = start_twins("all")
    for bit in range(len(DEFECTS).bit_length()):
        mended = {name for number, name in enumerate(DEFECTS, 1) if number >> bit & 1}
        twins.restart_candidate(",".join(mended))
        differing = ask(twins).differing()
        assert {PROBES[at].defect for at in differing} == set(DEFECTS) - mended


def test_every_declared_route_is_answered_with_success_by_both(planted: Asked) -> None:
    schema = httpx.get(f"{planted.candidate_base}/openapi.json", trust_env=False).json()
    declared = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    probed = {
        probe.route
        for probe, one, two in zip(PROBES, planted.primary, planted.candidate, strict=True)
        if one.status_code < 400 and two.status_code < 400
    }
    assert declared == probed - {"GET __unrouted__"}


def test_the_candidate_names_its_build_on_every_answer_and_the_primary_on_none(planted: Asked) -> None:
    assert len({answer.headers.get("x-build") for answer in planted.candidate}) == 1
    assert {answer.headers.get("x-build") for answer in planted.primary} == {None}


def test_another_set_of_defects_is_another_build(planted: Asked, fixed: Asked) -> None:
    assert planted.candidate[0].headers["x-build"] != fixed.candidate[0].headers["x-build"]
