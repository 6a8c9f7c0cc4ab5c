"""Drives the demo's traffic against one base URL: a dozen clients, each one request after another, paced to a rate.

Knows nothing of what stands at the address: a twin, or a proxy in front of both.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from demo.traffic_clients import Client
from demo.traffic_plan import CREATED_ITEM, CREATED_ORDER, LOGIN, TOKEN, Step, make_plan

CONCURRENCY = 8
TIMEOUT_S = 30.0
SETTLE_S = 0.6  # after a login's answer, when the run is late and its pauses have shrunk
_KEPT_FAILURES = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """What the clients saw. A failure is no answer at all, or one with a status of 500 and more; a refusal (4xx) is an answer.

    `by_status` and `by_route` count answers; `latencies` are in seconds, by route; `failures` describes the first twenty.
    """

    requests: int
    failed: int
    failures: tuple[str, ...]
    by_status: Mapping[int, int]
    by_route: Mapping[str, int]
    latencies: Mapping[str, tuple[float, ...]]
    duration_s: float


@dataclass
class _Tally:
    total: int
    progress: Progress | None
    done: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)
    by_route: Counter[str] = field(default_factory=Counter)
    latencies: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def answered(self, step: Step, status: int, seconds: float) -> None:
        self.by_status[status] += 1
        self.by_route[step.route] += 1
        self.latencies[step.route].append(seconds)
        if status >= 500:
            self.failure(step, f"status {status}")
        self._count()

    def unanswered(self, step: Step, error: Exception) -> None:
        self.failure(step, f"{type(error).__name__}: {error}")
        self._count()

    def failure(self, step: Step, reason: str) -> None:
        self.failed += 1
        if len(self.failures) < _KEPT_FAILURES:
            self.failures.append(f"{step.method} {step.path} by {step.client.name}: {reason}")

    def _count(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


async def run(
    base_url: str, requests: int = 2600, seed: int = 7, rate: float = 90.0, progress: Progress | None = None
) -> TrafficReport:
    """Sends `requests` requests to `base_url`, at most `rate` a second and eight at a time, and reports what came back.

    `progress(done, total)` is called after each. Raises ValueError for a plan that is too small or a rate that is not above 0.
    """
    if not rate > 0:
        raise ValueError(f"rate = {rate}: it must be above 0 requests a second")
    plan = make_plan(requests, seed, rate)
    tally = _Tally(len(plan), progress)
    lanes: defaultdict[Client, list[Step]] = defaultdict(list)
    for step in plan:
        lanes[step.client].append(step)
    started = asyncio.get_running_loop().time()
    slots = asyncio.Semaphore(CONCURRENCY)
    async with asyncio.TaskGroup() as group:
        for client, steps in lanes.items():
            group.create_task(_visit(base_url, client, steps, started, rate, slots, tally), name=client.name)
    return TrafficReport(
        requests=tally.done,
        failed=tally.failed,
        failures=tuple(tally.failures),
        by_status=dict(tally.by_status),
        by_route=dict(tally.by_route),
        latencies={route: tuple(seconds) for route, seconds in tally.latencies.items()},
        duration_s=asyncio.get_running_loop().time() - started,
    )


async def _visit(
    base_url: str, client: Client, steps: list[Step], started: float, rate: float, slots: asyncio.Semaphore, tally: _Tally
) -> None:
    """One client's requests, one after another. Cookies and the token it was given go with the later ones."""
    now = asyncio.get_running_loop().time
    headers = {"User-Agent": client.agent, "X-Forwarded-For": client.address, "Accept": "application/json, text/html"}
    created: dict[str, str] = {}
    settled = 0.0
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        for step in steps:
            await asyncio.sleep(max(0.0, started + step.due / rate - now(), settled - now()))
            async with slots:
                asked = now()
                try:
                    answer = await http.send(_request(http, step, created))
                except httpx.HTTPError as error:
                    tally.unanswered(step, error)
                    continue
                tally.answered(step, answer.status_code, now() - asked)
            if step.route in (LOGIN, TOKEN):
                settled = now() + SETTLE_S
            _remember(http, step, answer, created)


def _request(http: httpx.AsyncClient, step: Step, created: Mapping[str, str]) -> httpx.Request:
    path = step.path
    for name, value in created.items():
        path = path.replace(name, value)
    if isinstance(step.body, bytes):
        return http.build_request(step.method, path, content=step.body, headers={"Content-Type": "application/json"})
    return http.build_request(step.method, path, json=step.body)


def _remember(http: httpx.AsyncClient, step: Step, answer: httpx.Response, created: dict[str, str]) -> None:
    if answer.status_code not in (200, 201):
        return
    if step.route == TOKEN:
        http.headers["Authorization"] = f"Token {answer.json()['token']}"
    elif step.route == "POST /api/cart/items/":
        created[CREATED_ITEM] = str(answer.json()["id"])
    elif step.route == "POST /api/orders/":
        created[CREATED_ORDER] = str(answer.json()["id"])
