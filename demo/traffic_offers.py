"""What the shop is asked for, and how often: the deck from which the plan deals."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo.seed_data import PRODUCT_COUNT, RECORD_COUNT
from demo.traffic_clients import Client

UNROUTED = "GET __unrouted__"
HUGE_ID = 2**70
MALFORMED = b'{"n": 1, '

# A path, and a body: None, bytes to send as they are, or an object to send as JSON.
Ask = Callable[[random.Random], tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind of request: its share of the deck, the route label it counts under, what is asked, and who may ask it."""

    share: int
    route: str
    ask: Ask
    who: Callable[[Client], bool] = lambda client: True


def _get(*paths: str) -> Ask:
    return lambda rng: (rng.choice(paths), None)


def _numbered(prefix: str, highest: int, suffix: str = "/") -> Ask:
    return lambda rng: (f"{prefix}{rng.randint(1, highest)}{suffix}", None)


def _listing(rng: random.Random) -> tuple[str, object]:
    order = rng.choice(("", "", "ordering=price", "ordering=-price", "ordering=name"))
    page = rng.choice((f"page={rng.randint(1, 4)}", f"page={rng.randint(1, 2)}&page_size=50", "page=99", "page_size=abc"))
    query = "&".join(part for part in (order, rng.choice((page, f"category=cat-{rng.randint(1, 8)}", ""))) if part)
    return (f"/api/products/?{query}" if query else "/api/products/", None)


def _link(rng: random.Random) -> tuple[str, object]:
    query = rng.choice(("", "?utm_source=mail", "?utm_source=ad&utm_campaign=spring"))
    return (f"/go/deal-{rng.randint(1, 11)}/{query}", None)


def _quote(rng: random.Random) -> tuple[str, object]:
    good = {"postcode": f"{rng.randint(10_000, 99_999)}", "weight_g": rng.randint(100, 12_000)}
    if rng.random() < 0.2:
        return ("/api/checkout/quote/", {**good, "postcode": ""})
    refused: tuple[dict[str, Any], ...] = ({"weight_g": 500}, {**good, "weight_g": 0}, {})
    return ("/api/checkout/quote/", good if rng.random() < 0.6 else rng.choice(refused))


def _echo(rng: random.Random) -> tuple[str, object]:
    if rng.random() < 0.1:
        return ("/bench/echo/", MALFORMED)
    body = {"n": rng.randint(1, 10**6), "ratio": rng.choice((1e-7, 0.5, 1000.0)), "text": rng.choice(("é", "a/b", "x"))}
    return ("/bench/echo/", body)


def _currency(rng: random.Random) -> tuple[str, object]:
    return ("/api/account/currency/", {"currency": rng.choice(("EUR", "USD", "GBP", "XXX"))})


def _supplier(rng: random.Random) -> tuple[str, object]:
    return (f"/api/suppliers/{rng.choice((HUGE_ID, rng.randint(1, 6), rng.randint(1, 5)))}/", None)


def _logged_in(client: Client) -> bool:
    return client.login is not None


def _customer(client: Client) -> bool:
    return client.customer


def _staff(client: Client) -> bool:
    return client.staff


# A few ids lie beyond the last row: a shop is asked for things it no longer has.
OFFERS: tuple[Offer, ...] = (
    # Faithful routes that many clients ask for many things: these can earn their cutover.
    Offer(220, "GET /api/products/{id}/stock/", _numbered("/api/products/", PRODUCT_COUNT + 2, "/stock/")),
    Offer(220, "GET /api/categories/{slug}/", _numbered("/api/categories/cat-", 9)),
    Offer(220, "GET /shop/products/{id}/", _numbered("/shop/products/", PRODUCT_COUNT + 2)),
    Offer(
        200,
        "GET /api/search/",
        _get(*(f"/api/search/?q={word}" for word in ("mug", "tray", "oak", "blue", "cr%C3%A8me", "5", "zz")), "/api/search/"),
    ),
    # Faithful routes with less traffic.
    Offer(60, "GET /shop/", _get("/shop/")),
    Offer(40, "GET /shop/size-chart.json", _get("/shop/size-chart.json")),
    Offer(70, "GET /api/orders/", _get("/api/orders/"), _customer),
    Offer(70, "GET /api/orders/{id}/", _numbered("/api/orders/", 300), _customer),
    Offer(60, "GET /api/reports/sales/", _get(*(f"/api/reports/sales/?year={year}" for year in (2025, 2019, 1066)))),
    Offer(50, "GET /api/reports/sales.csv", _get("/api/reports/sales.csv", "/api/reports/sales.csv?year=2024"), _staff),
    Offer(40, "GET /api/admin/users/{id}/", _numbered("/api/admin/users/", 10), _logged_in),
    Offer(80, "GET /bench/random/", _get("/bench/random/")),
    Offer(90, "POST /bench/echo/", _echo),
    # Conventions of the two frameworks: missing slashes, unknown pages, a method that is not there.
    Offer(20, UNROUTED, _get("/api/products", "/api/categories", "/shop")),
    Offer(15, UNROUTED, _get("/nope/", "/wp-login.php", "/api/v2/products/")),
    Offer(15, "GET /bench/echo/", _get("/bench/echo/")),
    # Routes with a planted defect.
    Offer(170, "GET /api/products/", _listing),
    Offer(150, "GET /api/products/{id}/", _numbered("/api/products/", PRODUCT_COUNT + 2)),
    Offer(90, "GET /api/products/{id}/reviews/", _numbered("/api/products/", PRODUCT_COUNT, "/reviews/")),
    Offer(80, "GET /api/categories/", _get("/api/categories/")),
    Offer(70, "GET /api/suppliers/{id}/", _supplier),
    Offer(70, "GET /api/account/", _get("/api/account/")),
    Offer(140, "GET /api/reports/top-products/", _get("/api/reports/top-products/")),
    Offer(60, "GET /api/admin/users/", _get("/api/admin/users/")),
    Offer(170, "GET /bench/records/{id}/", _numbered("/bench/records/", RECORD_COUNT)),
    Offer(60, "GET /go/{slug}/", _link),
    Offer(80, "POST /api/checkout/quote/", _quote),
    Offer(40, "POST /api/account/currency/", _currency),
)
