"""Which client asks what, and when: made from a seed before the first request is sent, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from demo.seed_data import PRODUCT_COUNT
from demo.traffic_clients import CLIENTS, CREATOR, RETURNING, Client
from demo.traffic_offers import OFFERS, Offer

SMALLEST_PLAN = 200
PAUSE_S = 1.2  # between a login and what needs it: people are no faster, and a mirror needs the login's answer first
CREATED_ORDER, CREATED_ITEM = "{order}", "{item}"
_CREATOR_SHARE = 0.1
LOGIN, TOKEN, LOGOUT = "POST /api/accounts/login/", "POST /api/accounts/token/", "POST /api/accounts/logout/"


@dataclass(frozen=True, slots=True)
class Step:
    """One request. `due` is its place in the run; `route` the label it counts under; `body` as `traffic_offers.Ask` says.

    `{order}` and `{item}` in a path stand for what its client created last.
    """

    due: int
    client: Client
    route: str
    path: str
    body: object = None

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]


def make_plan(requests: int, seed: int, rate: float) -> tuple[Step, ...]:
    """`requests` steps ordered by `due`, the same for the same arguments. Raises ValueError for fewer than SMALLEST_PLAN."""
    if requests < SMALLEST_PLAN:
        raise ValueError(f"requests = {requests}: the demo's traffic needs at least {SMALLEST_PLAN} to show every route")
    rng = random.Random(seed)
    pause = max(1, round(PAUSE_S * rate))
    fixed = _fixed_steps(requests, pause, rng)
    deck = _deck(requests - len(fixed), rng)
    # What a client may ask in which slot: nothing that needs a login before its login has settled.
    ready = {client: pause + len(CLIENTS) if client.login else 0 for client in CLIENTS}
    leaves = requests // 2
    away = range(leaves - pause, leaves + 3 * pause)
    steps = []
    for slot in range(requests):
        if slot in fixed:
            steps.append(fixed[slot])
            continue
        free = [client for client in CLIENTS if ready[client] <= slot and not (client is RETURNING and slot in away)]
        place = next((place for place, offer in enumerate(deck) if any(map(offer.who, free))), None)
        offer = OFFERS[0] if place is None else deck.pop(place)
        path, body = offer.ask(rng)
        steps.append(Step(slot, rng.choice([client for client in free if offer.who(client)]), offer.route, path, body))
    return tuple(steps)


def write_routes() -> tuple[str, ...]:
    """The labels of all routes that the traffic asks with another method than GET: a mirror must be told to copy these."""
    plan = make_plan(SMALLEST_PLAN * 10, 0, 100.0)
    return tuple(sorted({step.route for step in plan if step.method != "GET"}))


def _fixed_steps(requests: int, pause: int, rng: random.Random) -> dict[int, Step]:
    """The steps whose place matters: logins at the start, one client that leaves and returns, and the creator's own script."""
    steps: dict[int, Step] = {}

    def put(slot: int, client: Client, route: str, path: str, body: object = None) -> None:
        while slot in steps:
            slot += 1
        if slot < requests:
            steps[slot] = Step(slot, client, route, path, body)

    for slot, client in enumerate(client for client in (CREATOR, *CLIENTS) if client.login):
        put(slot, client, *_login(client))
    leaves = requests // 2
    put(leaves, RETURNING, LOGOUT, "/api/accounts/logout/")
    put(leaves + pause, RETURNING, *_login(RETURNING))
    wrong = next(client for client in CLIENTS if not client.login)
    put(leaves + 2 * pause, wrong, LOGIN, "/api/accounts/login/", {"username": "alice", "password": "guess"})
    put(leaves + 2 * pause, wrong, TOKEN, "/api/accounts/token/", {"username": "alice"})
    script = _creator_script(rng)
    first = pause + len(CLIENTS)
    for number in range(round(requests * _CREATOR_SHARE)):
        put(first + int(number * (requests - first) / (requests * _CREATOR_SHARE)), CREATOR, *next(script))
    return steps


def _login(client: Client) -> tuple[str, str, object]:
    body = {"username": client.user, "password": f"{client.user}-secret"}
    return (LOGIN, "/api/accounts/login/", body) if client.login == "session" else (TOKEN, "/api/accounts/token/", body)


def _creator_script(rng: random.Random) -> Iterator[tuple[str, str, object]]:
    """Fills a cart, orders, looks at it, writes records; now and then something the shop must refuse."""
    items, cart, orders, records = "/api/cart/items/", "/api/cart/", "/api/orders/", "/bench/records/"
    while True:
        for _ in range(3):
            good = {"product": rng.randint(1, PRODUCT_COUNT), "qty": rng.randint(1, 5)}
            yield (f"POST {items}", items, good)
        yield ("GET /api/cart/", cart, None)
        yield ("DELETE /api/cart/items/{id}/", f"{items}{CREATED_ITEM}/", None)
        yield (f"POST {items}", items, rng.choice(({"product": 10**6, "qty": 1}, {"product": 1, "qty": 0}, {"qty": "many"})))
        yield (f"POST {orders}", orders, {})
        yield ("GET /api/orders/{id}/", f"{orders}{CREATED_ORDER}/", None)
        yield ("GET /api/orders/", orders, None)
        yield (f"POST {orders}", orders, {})  # the cart is empty now
        for value in (rng.randint(0, 10**6), rng.randint(0, 10**6), -1):
            yield (f"POST {records}", records, {"label": f"made {rng.randint(1, 999)}", "value": value})


def _deck(size: int, rng: random.Random) -> list[Offer]:
    """`size` offers in their shares, shuffled. Rounding is made up with the first offers."""
    total = sum(offer.share for offer in OFFERS)
    deck = [offer for offer in OFFERS for _ in range(max(1, offer.share * size // total))]
    deck += OFFERS[: max(0, size - len(deck))]
    rng.shuffle(deck)
    return deck
