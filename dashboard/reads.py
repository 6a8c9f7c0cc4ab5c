"""The store's answers as the pages need them, each remembered for two seconds so that many open pages cost one query."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from dashboard.session import answered, current_policy, opened
from gate.evaluate import evaluate
from gate.facts import Decision, GateVerdict
from gate.policy import Policy
from store.records import AuditRow, ClusterRow, Example, MinuteRow, RouteRow
from traffic.ledger import Ledger

_MEMORY_S = 2


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route's row and the gate's answer to it."""

    row: RouteRow
    verdict: GateVerdict


# The rows and verdicts of all routes are shared, not copied for each reader: they are frozen facts and there may be 10,000 of them.
@st.cache_resource(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _rows(url: str) -> list[RouteRow]:
    rows = opened(url).call(lambda store: store.route_rows(now=time.time()))
    return sorted(rows, key=lambda row: row.route)


@st.cache_resource(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _views(url: str, policy: Policy) -> list[RouteView]:
    now = time.time()
    return [RouteView(row, evaluate(row.evidence, row.standing, policy, now)) for row in _rows(url)]


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _clusters(url: str, route: str | None) -> list[ClusterRow]:
    return opened(url).call(lambda store: store.clusters(route))


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _examples(url: str, cluster_id: str) -> list[Example]:
    return opened(url).call(lambda store: store.examples(cluster_id))


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _minutes(url: str, route: str, since: int) -> list[MinuteRow]:
    return opened(url).call(lambda store: store.minutes(route, float(since)))


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _ledgers(url: str) -> dict[str, Ledger]:
    return opened(url).call(lambda store: store.ledgers())


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _audit(url: str, limit: int) -> list[AuditRow]:
    return opened(url).call(lambda store: store.audit(limit))


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _decisions(url: str) -> list[Decision]:
    return opened(url).call(lambda store: store.decisions())


def forget() -> None:
    """Drops what is remembered, after something was written."""
    for query in (_rows, _views, _clusters, _examples, _minutes, _ledgers, _audit, _decisions):
        query.clear()


def route_names() -> list[str]:
    """Every route, sorted."""
    return [row.route for row in answered(_rows)]


def route_view(route: str) -> RouteView | None:
    """One route with its gate verdict, None where the store does not know it."""
    row = next((row for row in answered(_rows) if row.route == route), None)
    return None if row is None else RouteView(row, evaluate(row.evidence, row.standing, current_policy(), time.time()))


def route_views() -> list[RouteView]:
    """Every route with its gate verdict, sorted by name."""
    policy = current_policy()
    return answered(lambda url: _views(url, policy))


def clusters(route: str | None = None) -> list[ClusterRow]:
    """The clusters of one route or of all, most frequent first."""
    return sorted(answered(lambda url: _clusters(url, route)), key=lambda row: (-row.count, row.id))


def examples(cluster_id: str) -> list[Example]:
    """The stored examples of a cluster."""
    return answered(lambda url: _examples(url, cluster_id))


def minutes(route: str, since: float) -> list[MinuteRow]:
    """Verdicts of a route per minute since then."""
    return answered(lambda url: _minutes(url, route, int(since) // 60 * 60))


def ledgers() -> dict[str, Ledger]:
    """The ledger of each route."""
    return answered(_ledgers)


def audit(limit: int) -> list[AuditRow]:
    """The newest links of the audit chain."""
    return answered(lambda url: _audit(url, limit))


def decisions() -> list[Decision]:
    """The decisions in force."""
    return answered(_decisions)
