"""`paritygate gate plan [ROUTE]`: the traffic and the time that one route or all of them still need."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.console import cell, out, say, show, show_json, table
from cli.context import ConfigOption, JsonOption, load, now, with_store
from cli.known_routes import configured, resolve, seen
from cli.route_policies import policies_of
from gate.facts import Evidence, RouteStanding
from gate.plan import RoutePlan, Total, plan_route, plan_total
from gate.policies import Policies
from gate.policy import DAY_S
from store.database import Store
from store.records import TallyRow
from traffic.outcome import Ending, Verdict
from traffic.route import UNROUTED

LOOKED_BACK_S = 7 * DAY_S
_EVIDENCE = frozenset({Verdict.MATCH, Verdict.TOLERATED, Verdict.MISMATCH, Ending.CANDIDATE_ERROR})


def plan(
    route: Annotated[str | None, typer.Argument(help="A route as `paritygate routes` prints it; left out: all routes.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell how much traffic and time a route, or all of them, still need at the rates seen so far.

    A forecast: it promises nothing where nothing is compared. Exit 0; the verdict is what `gate ROUTE` says.
    """
    settings = load(config)
    policies = policies_of(settings)
    known = configured(settings)
    at = now()

    async def read(store: Store) -> tuple[list[RoutePlan], set[str]]:
        labels = known | await seen(store)
        wanted = resolve(route, labels) if route is not None else None
        return await plans_of(store, policies, at, labels, wanted), labels

    plans, labels = with_store(settings, read)
    for entry in policies.unknown(labels) if labels else ():
        nearest = difflib.get_close_matches(entry, sorted(labels), 1, 0.6)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        say(f"note: [[gate.routes]] route = {entry!r} is none of the known routes{hint}")
    total = plan_total(plans)
    if json:
        show_json({"routes": [_document(plan, policies) for plan in plans], "total": asdict(total)})
        return
    _print(plans, total, policies)


async def plans_of(
    store: Store, policies: Policies, at: float, known: Collection[str], route: str | None = None
) -> list[RoutePlan]:
    """The forecast of `route`, else of all that could be promoted, the slowest first and before them what cannot be foreseen.

    `known` routes without traffic are among them: of those nothing can be promised, which is worth saying.
    """
    if route is not None:
        facts = [(await store.evidence(route, now=at), await store.standing(route))]
    else:
        facts = [(row.evidence, row.standing) for row in await store.route_rows(now=at)]
        total = len({*known, *(standing.route for _, standing in facts)})
        silent = sorted(set(known) - {standing.route for _, standing in facts})
        facts += [(Evidence(label, routes_total=total), RouteStanding(label)) for label in silent]
        facts = [(evidence, standing) for evidence, standing in facts if not standing.route.endswith(f" {UNROUTED}")]
    plans = []
    for evidence, standing in facts:
        lately = None
        if evidence.n == 0:
            lately = per_day(await store.tallies(standing.route, at - LOOKED_BACK_S), at)
        plans.append(plan_route(evidence, standing, policies.of(standing.route), at, lately))
    return sorted(plans, key=lambda plan: (plan.days is not None, -(plan.days or 0.0), plan.route))


def per_day(rows: Sequence[TallyRow], at: float) -> float | None:
    """Comparisons a day that were evidence, since the first of the rows; None where there were none."""
    count = sum(count for row in rows for name, count in row.verdicts.items() if name in _EVIDENCE)
    if not count:
        return None
    observed = max(at - min(row.at for row in rows), 3600.0)
    return count / observed * DAY_S


def _document(plan: RoutePlan, policies: Policies) -> dict[str, Any]:
    return {**asdict(plan), "tier": policies.tier(plan.route)}


def _print(plans: Sequence[RoutePlan], total: Total, policies: Policies) -> None:
    columns = ["route", "tier", "n", "k", "asked", "units/day", "units needed", "days", "then in canary"]
    made = table("", columns, set(columns[2:]))
    for plan in plans:
        made.add_row(
            cell(plan.route),
            cell(policies.tier(plan.route)),
            cell(f"{plan.n:,}"),
            cell(f"{plan.k:,}"),
            cell(f"{plan.parity:g}"),
            cell("-" if plan.units_per_day is None else f"{plan.units_per_day:,.0f}"),
            cell("never so" if plan.units_needed is None else f"{plan.units_needed:,}"),
            cell(_days(plan.days)),
            cell(_days(plan.canary_days)),
        )
    if plans:
        out.print(made)
    for plan in plans:
        show(plan.text)
    show(f"all routes: {total.text}")


def _days(days: float | None) -> str:
    return "?" if days is None else f"{days:,.1f}"
